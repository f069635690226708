//! What a process manager asks for.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::time::Duration;

use cqrs_core::{InstanceId, OutboxEntry, OutboxTask, Outgoing, ProcessManager, planning};

use super::ProcessScenario;
use crate::app::BEGINNING;
use crate::difference::difference;
use crate::json::pretty;

/// What a process manager asks for, still to be compared.
#[must_use = "what nobody compares proves nothing"]
pub struct Asked<P> {
    pub(super) scenario: ProcessScenario<P>,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    /// Tasks, and the names of deadlines that are not wanted any more, in order.
    Tasks(Vec<OutboxEntry>, BTreeSet<String>),
    Retry(Duration),
    Park,
    Stuck(String),
}

impl<P: ProcessManager> Asked<P> {
    /// Expects it to ask for exactly this, in this order. The scenario goes on.
    ///
    /// Commands are compared by name and JSON, and all by how long after their cause they are due. Deadlines that are
    /// cancelled are compared last, wherever they stand. A deadline that takes the place of another cancels nothing.
    ///
    /// # Panics
    ///
    /// When it asks for something else, or when a refused command is to be tried again or parked.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = Outgoing>) -> ProcessScenario<P> {
        let Self { mut scenario, outcome } = self;
        let (mut wanted, mut cancelled) = (String::new(), BTreeSet::new());
        for outgoing in expected {
            let asked = planning::asked(outgoing);
            let unwritable = |error| format!("a command cannot be written as JSON: {error}");
            match scenario.story.get(asked.map_err(unwritable)) {
                planning::Asked::Task(task, after) => wanted += &line(&task, after),
                planning::Asked::NoDeadline(name) => drop(cancelled.insert(name)),
            }
        }
        wanted += &lines(&cancelled);
        let now = scenario.history.now;
        let found: String = match &outcome {
            Outcome::Tasks(tasks, cancelled) => {
                let tasks: String =
                    tasks.iter().map(|task| line(&task.task, task.due_at.since(now))).collect();
                tasks + &lines(cancelled)
            }
            other => scenario.story.fail(&format!("expected it to ask for\n{wanted}but {}", other.told())),
        };
        if wanted != found {
            let difference = difference(&wanted, &found);
            scenario
                .story
                .fail(&format!("it asks for something else (- expected, + asked for):\n{difference}"));
        }
        scenario.story.tell("then", &outcome.told());
        scenario
    }

    /// Expects it to ask for nothing. The scenario goes on.
    ///
    /// # Panics
    ///
    /// As [`Asked::then`].
    #[track_caller]
    pub fn then_nothing(self) -> ProcessScenario<P> {
        self.then([])
    }

    /// Expects the refused command to be tried again after this pause. The scenario goes on, and the command waits.
    ///
    /// # Panics
    ///
    /// When something else is to happen.
    #[track_caller]
    pub fn then_retry(self, after: Duration) -> ProcessScenario<P> {
        self.then_outcome(&Outcome::Retry(after))
    }

    /// Expects the refused command to be parked. The scenario goes on.
    ///
    /// # Panics
    ///
    /// When something else is to happen.
    #[track_caller]
    pub fn then_park(self) -> ProcessScenario<P> {
        self.then_outcome(&Outcome::Park)
    }

    /// Expects an instance to get stuck at the event, with an error that has these words. The scenario goes on, and the
    /// instance does not.
    ///
    /// # Panics
    ///
    /// When none does, or for another reason.
    #[track_caller]
    pub fn then_stuck(self, why: &str) -> ProcessScenario<P> {
        let Self { mut scenario, outcome } = self;
        match &outcome {
            Outcome::Stuck(error) if error.contains(why) => {}
            other => scenario
                .story
                .fail(&format!("expected that an instance is stuck: {why}\nbut {}", other.told())),
        }
        scenario.story.tell("then", &outcome.told());
        scenario
    }

    #[track_caller]
    fn then_outcome(self, expected: &Outcome) -> ProcessScenario<P> {
        let Self { mut scenario, outcome } = self;
        let (expected, found) = (expected.told(), outcome.told());
        if expected != found {
            scenario.story.fail(&format!("expected that {expected}\nbut {found}"));
        }
        scenario.story.tell("then", &found);
        scenario
    }
}

impl Outcome {
    /// What a step asks for. A deadline that is asked for again is not told as cancelled.
    pub(super) fn of(tasks: Vec<OutboxEntry>, cancels: &[(InstanceId, String)]) -> Self {
        let is_asked_for = |(instance, name): &&(InstanceId, String)| {
            tasks.iter().any(|entry| {
                entry.instance == *instance
                    && matches!(&entry.task, OutboxTask::Deadline(other) if other == name)
            })
        };
        let cancelled = cancels.iter().filter(|cancel| !is_asked_for(cancel));
        let cancelled = cancelled.map(|(_, name)| name.clone()).collect();
        Self::Tasks(tasks, cancelled)
    }

    fn told(&self) -> String {
        match self {
            Self::Retry(after) => format!("the command is tried again after {after:?}"),
            Self::Park => "the command is parked".to_owned(),
            Self::Stuck(error) => format!("the instance is stuck: {error}"),
            Self::Tasks(tasks, cancelled) if tasks.is_empty() && cancelled.is_empty() => {
                "nothing is asked for".to_owned()
            }
            Self::Tasks(tasks, cancelled) => {
                let tasks = tasks.iter().map(|entry| short(&entry.task));
                let cancelled = cancelled.iter().map(|name| format!("no deadline {name:?}"));
                let names: Vec<_> = tasks.chain(cancelled).collect();
                format!("it asks for {}", names.join(", "))
            }
        }
    }
}

fn short(task: &OutboxTask) -> String {
    match task {
        OutboxTask::Command(command) => format!("{} {}", command.name, command.data),
        OutboxTask::Deadline(name) => format!("deadline {name:?}"),
    }
}

/// Something asked for, with a line for each field.
fn line(task: &OutboxTask, after: Duration) -> String {
    let after = if after.is_zero() { String::new() } else { format!(" after {after:?}") };
    match task {
        OutboxTask::Command(command) => {
            format!("command {}{after} {}\n", command.name, pretty(&command.data))
        }
        OutboxTask::Deadline(name) => format!("deadline {name:?}{after}\n"),
    }
}

/// Deadlines that are cancelled, with a line for each.
fn lines(cancelled: &BTreeSet<String>) -> String {
    cancelled.iter().map(|name| format!("no deadline {name:?}\n")).collect()
}

/// All that was asked for, by whom, and for when, from the scenario's beginning.
pub(super) fn print(entries: &[OutboxEntry]) -> String {
    let print = |entry: &OutboxEntry| {
        format!("{}: {}", entry.instance, line(&entry.task, entry.due_at.since(BEGINNING)))
    };
    match entries {
        [] => "nothing\n".to_owned(),
        entries => entries.iter().map(print).collect(),
    }
}

impl<P> Debug for Asked<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.outcome.told();
        f.debug_struct("Asked").field("story", &self.scenario.story).field("outcome", &outcome).finish()
    }
}
