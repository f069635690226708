//! Given, when, then: tests of a process manager.

mod asked;

use std::collections::HashMap;
use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;

use cqrs_core::planning::{self, Answer, Planned};
use cqrs_core::{
    BoxCommand, Command, Event, InstanceChange, InstanceId, InstanceRecord, InstanceState, OutboxEntry,
    OutboxTask, ProcessManager, ProcessStep, describe,
};

pub use asked::Asked;
use asked::Outcome;

use super::history::{History, told};
use super::story::Story;
use crate::difference::difference;
use crate::json::same;

/// A process manager, what its instances have seen, and what it asks for next.
///
/// ```
/// # use cqrs_core::{Aggregate, Command, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # enum OrderEvent { Placed { order: String }, Paid { order: String } }
/// # impl Event for OrderEvent { const CATEGORY: &'static str = "order"; }
/// # #[derive(Default)]
/// # struct Order;
/// # impl Aggregate for Order {
/// #     type Id = String;
/// #     type Event = OrderEvent;
/// #     fn apply(&mut self, _: &OrderEvent) {}
/// # }
/// # macro_rules! command { ($name:ident) => {
/// #     #[derive(Serialize, Deserialize)]
/// #     struct $name { order: String }
/// #     impl Command for $name {
/// #         const NAME: &'static str = stringify!($name);
/// #         type Aggregate = Order;
/// #         fn aggregate_id(&self) -> &String { &self.order }
/// #     }
/// #     impl Handle<$name> for Order {
/// #         type Error = std::convert::Infallible;
/// #         fn handle(&self, _: &$name) -> Result<Vec<OrderEvent>, Self::Error> { Ok(Vec::new()) }
/// #     }
/// # } }
/// # command!(Ship);
/// # command!(Cancel);
/// use std::time::Duration;
///
/// use cqrs_core::{Interest, Outgoing, ProcessManager, RecordedEvent};
/// use cqrs_testing::ProcessScenario;
///
/// /// Ships what is paid, and cancels what is not paid in a day.
/// #[derive(Default, Serialize, Deserialize)]
/// struct Shipping {
///     order: String,
/// }
///
/// impl ProcessManager for Shipping {
///     const NAME: &'static str = "shipping";
///     type Event = OrderEvent;
///
///     fn interested(event: &OrderEvent) -> Interest {
///         match event {
///             OrderEvent::Placed { order } => Interest::start(order),
///             OrderEvent::Paid { order } => Interest::stop(order),
///         }
///     }
///
///     fn handle(&self, event: &RecordedEvent<OrderEvent>) -> Vec<Outgoing> {
///         match &event.data {
///             OrderEvent::Placed { .. } => vec![Outgoing::deadline("unpaid", DAY)],
///             OrderEvent::Paid { order } => vec![Outgoing::command(Ship { order: order.clone() })],
///         }
///     }
///
///     fn apply(&mut self, event: &OrderEvent) {
///         if let OrderEvent::Placed { order } = event {
///             self.order = order.clone();
///         }
///     }
///
///     fn deadline(&self, _: &str) -> Vec<Outgoing> {
///         vec![Outgoing::command(Cancel { order: self.order.clone() })]
///     }
/// }
///
/// const DAY: Duration = Duration::from_secs(24 * 3_600);
/// let order = || "7".to_owned();
///
/// ProcessScenario::<Shipping>::new()
///     .when(OrderEvent::Placed { order: order() })
///     .then([Outgoing::deadline("unpaid", DAY)])
///     .when_deadline("unpaid")
///     .then([Outgoing::command(Cancel { order: order() })]);
///
/// ProcessScenario::<Shipping>::given([OrderEvent::Placed { order: order() }])
///     .when(OrderEvent::Paid { order: order() })
///     .then([Outgoing::command(Ship { order: order() })])
///     .running(&[])
///     .when_deadline("unpaid")
///     .then_nothing();
/// ```
///
/// The rules are those of an application: what starts, concerns and ends an instance, that an instance which has
/// ended is passed over, who answers a deadline or a refusal. Events, commands and states go through JSON, as
/// with a store; and since nobody knows how many events a runner finds at once, a scenario fails where the
/// commands would be others if the state had been stored less often.
///
/// Events may be of any category that the process manager's [`EventSet`](cqrs_core::EventSet) has. What is asked
/// for waits until a scenario says what becomes of it; commands of which nothing is said count as done.
pub struct ProcessScenario<P> {
    history: History,
    story: Story,
    instances: HashMap<InstanceId, InstanceRecord>,
    /// What was asked for, in order, and has not come to an end that the scenario tells.
    waiting: Vec<OutboxEntry>,
    /// What was asked for because of events, in order.
    asked: Vec<OutboxEntry>,
    /// Why an instance got stuck at the last event, if one did.
    stuck: Option<String>,
    process: PhantomData<fn() -> P>,
}

impl<P: ProcessManager> ProcessScenario<P> {
    /// Begins where nothing has happened yet.
    pub fn new() -> Self {
        Self {
            history: History::default(),
            story: Story::default(),
            instances: HashMap::new(),
            waiting: Vec::new(),
            asked: Vec::new(),
            stuck: None,
            process: PhantomData,
        }
    }

    /// Begins with what has happened, in order.
    ///
    /// # Panics
    ///
    /// As [`ProcessScenario::and`].
    #[track_caller]
    pub fn given<E: Event>(events: impl IntoIterator<Item = E>) -> Self {
        Self::new().and(events)
    }

    /// Lets more happen, whatever is asked for because of it: events of another category, or what has happened
    /// meanwhile.
    ///
    /// # Panics
    ///
    /// When an event cannot be stored or read, when its category is none that the process manager wants, or when an
    /// instance gets stuck at it.
    #[track_caller]
    pub fn and<E: Event>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        for event in events {
            self.take("given", &event);
            if let Some(error) = &self.stuck {
                self.story.fail(&format!("an instance is stuck: {error}"));
            }
        }
        self
    }

    /// Puts the events that follow into streams with this key. It is `scenario` before.
    #[must_use]
    pub fn in_stream(mut self, key: impl Display) -> Self {
        self.history.stream(&key.to_string());
        self
    }

    /// Lets an event happen.
    ///
    /// # Panics
    ///
    /// When an event cannot be stored or read, or when its category is none that the process manager wants.
    #[track_caller]
    pub fn when<E: Event>(mut self, event: E) -> Asked<P> {
        let asked = self.take("when", &event);
        let outcome = self.stuck.take().map_or(asked, Outcome::Stuck);
        Asked { scenario: self, outcome }
    }

    /// Lets the deadline of this name be due that was asked for first, where several instances have one.
    ///
    /// # Panics
    ///
    /// When no such deadline waits, since nobody asked for it, or it was cancelled, or has been answered; or when it cannot
    /// be answered.
    #[track_caller]
    pub fn when_deadline(mut self, name: &str) -> Asked<P> {
        let wanted = |task: &OutboxTask| matches!(task, OutboxTask::Deadline(other) if other == name);
        let entry = self.take_waiting(&format!("deadline {name:?}"), wanted);
        self.story.tell("when", &format!("deadline {name:?} of {}", entry.instance));
        self.history.now = self.history.now.max(entry.due_at);
        let instance = self.instances.get(&entry.instance);
        let step = planning::deadline::<P>(&entry, name, instance, self.history.now);
        let step = self.story.get(step.map_err(|error| describe(&*error)));
        self.answered(step)
    }

    /// Lets a command that was asked for be refused by its aggregate, with what the rejection says.
    ///
    /// # Panics
    ///
    /// When no such command waits, or when its refusal cannot be answered.
    #[track_caller]
    pub fn when_failed<C: Command>(mut self, command: C, rejection: impl Display) -> Asked<P> {
        let command = BoxCommand::of(&command);
        let unwritable = |error| format!("{} cannot be written as JSON: {error}", C::NAME);
        let command = self.story.get(command.map_err(unwritable));
        let what = format!("{} {}", command.name, command.data);
        let wanted = |task: &OutboxTask| {
            matches!(task, OutboxTask::Command(other)
                if other.name == command.name && same(&other.data, &command.data))
        };
        let mut entry = self.take_waiting(&what, wanted);
        let rejection = rejection.to_string();
        self.story.tell("when", &format!("{what} is refused: {rejection}"));
        let instance = self.instances.get(&entry.instance);
        let answer = planning::failed::<P>(&entry, instance, &rejection, self.history.now);
        match self.story.get(answer.map_err(|error| describe(&*error))) {
            Answer::Step(step) => self.answered(step),
            Answer::Park => Asked { scenario: self, outcome: Outcome::Park },
            Answer::Retry(after) => {
                entry.attempts += 1;
                self.waiting.insert(0, entry);
                Asked { scenario: self, outcome: Outcome::Retry(after) }
            }
        }
    }

    /// Expects exactly these instances to have started and not ended, and not to be stuck.
    ///
    /// # Panics
    ///
    /// When others are.
    #[track_caller]
    pub fn running(self, expected: &[&str]) -> Self {
        let lines = |mut ids: Vec<&str>| {
            ids.sort_unstable();
            ids.join("\n")
        };
        let running = self.instances.iter().filter(|(_, record)| record.stands() == InstanceState::Running);
        let found = lines(running.map(|(id, _)| id.as_str()).collect());
        let expected = lines(expected.to_vec());
        if expected != found {
            let difference = difference(&expected, &found);
            self.story.fail(&format!("other instances are running (- expected, + running):\n{difference}"));
        }
        self
    }

    /// Lets an event happen, and gives what is asked for because of it.
    #[track_caller]
    fn take<E: Event>(&mut self, step: &str, event: &E) -> Outcome {
        let at = self.history.events.len();
        let recorded = self.history.record::<E, P::Event>(event, P::NAME).map(told);
        self.story.tell(step, &self.story.get(recorded));
        let Planned { instances, cancels, tasks } = self.story.get(self.plan(at, &self.instances));
        let at_once = self.story.get(self.plan(0, &HashMap::new())).tasks;
        self.stuck = None;
        for InstanceChange { id, record } in instances {
            self.stuck = record.stuck.as_ref().map(|stuck| stuck.error.clone()).or(self.stuck.take());
            self.instances.insert(id, record);
        }
        cancel(&mut self.asked, &cancels);
        self.asked.extend(tasks.clone());
        let (one_by_one, at_once) = (asked::print(&self.asked), asked::print(&at_once));
        if one_by_one != at_once {
            let difference = difference(&one_by_one, &at_once);
            self.story.fail(&format!(
                "other things are asked for when the state was not stored in between: does it come back from JSON \
                 as it was? (- event by event, + all at once):\n{difference}"
            ));
        }
        self.asks(tasks, &cancels)
    }

    /// Takes what is asked for to what waits.
    fn asks(&mut self, tasks: Vec<OutboxEntry>, cancels: &[(InstanceId, String)]) -> Outcome {
        cancel(&mut self.waiting, cancels);
        self.waiting.extend(tasks.clone());
        Outcome::of(tasks, cancels)
    }

    /// What the events from `from` on come to, taken at once.
    fn plan(
        &self,
        from: usize,
        instances: &HashMap<InstanceId, InstanceRecord>,
    ) -> Result<Planned, String> {
        let events = self.history.read::<P::Event>(from..self.history.events.len())?;
        planning::events::<P>(events, instances).map_err(|error| describe(&*error))
    }

    #[track_caller]
    fn take_waiting(&mut self, what: &str, wanted: impl Fn(&OutboxTask) -> bool) -> OutboxEntry {
        match self.waiting.iter().position(|entry| wanted(&entry.task)) {
            Some(index) => self.waiting.remove(index),
            None => {
                let waiting = asked::print(&self.waiting);
                self.story.fail(&format!("{what} was not asked for; what waits is:\n{waiting}"))
            }
        }
    }

    fn answered(mut self, step: ProcessStep) -> Asked<P> {
        let outcome = self.asks(step.tasks, &step.cancels);
        Asked { scenario: self, outcome }
    }
}

/// Takes deadlines away that are not wanted any more.
fn cancel(tasks: &mut Vec<OutboxEntry>, cancels: &[(InstanceId, String)]) {
    tasks.retain(|entry| {
        let OutboxTask::Deadline(name) = &entry.task else { return true };
        !cancels.iter().any(|(instance, other)| *instance == entry.instance && other == name)
    });
}

impl<P: ProcessManager> Default for ProcessScenario<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Debug for ProcessScenario<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessScenario").field("story", &self.story).finish_non_exhaustive()
    }
}
