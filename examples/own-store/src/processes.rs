//! What process managers know: checkpoints, instances, and the outbox.

mod operators;

use std::collections::{BTreeMap, HashMap, HashSet};

use cqrs_core::{
    Chain, CommandId, CorrelationId, InstanceId, InstanceRecord, OutboxEntry, OutboxOutcome, OutboxState,
    OutboxTask, Position, ProcessStep, Share, StepCause, StepError, Timestamp,
};

use crate::fact::{Change, Done, Fact, Task};

#[derive(Default)]
pub(crate) struct Processes {
    checkpoints: HashMap<String, Position>,
    instances: BTreeMap<(String, InstanceId), InstanceRecord>,
    /// In the order in which they were asked for. A store of many tasks has an index of their ids.
    tasks: Vec<Task>,
    /// Of the task that was asked for last. Facts are made true in the same order always, so it is the same always.
    last_number: u64,
}

impl Processes {
    pub(crate) fn checkpoint(&self, process: &str) -> Position {
        self.checkpoints.get(process).copied().unwrap_or_default()
    }

    pub(crate) fn instance(&self, process: &str, id: &InstanceId) -> Option<InstanceRecord> {
        self.instances.get(&(process.to_owned(), id.clone())).cloned()
    }

    /// Judges a step: its cause by compare-and-set, and with it everything else.
    pub(crate) fn step(&self, step: ProcessStep) -> Result<Change, StepError> {
        let ProcessStep { process, cause, instances, cancels, tasks: asked, at } = step;
        let (mut change, mut tasks) = (Vec::new(), Vec::new());
        match cause {
            StepCause::Events { from, to } => {
                if self.checkpoint(&process) != from {
                    return Err(StepError::Fenced);
                }
                change.push(Fact::Checkpoint(process.clone(), to));
            }
            StepCause::Task { id, error } => {
                let mut task = self.pending(&tasks, id).ok_or(StepError::Fenced)?;
                task.entry.last_error = error.or(task.entry.last_error);
                task.finish(at, Position::ZERO);
                tasks.push(task);
            }
            StepCause::Stuck { instance, at, checkpoint } => {
                let known = self.instance(&process, &instance).and_then(|known| known.stuck);
                let stands = checkpoint.is_none_or(|stands| stands == self.checkpoint(&process));
                if known.is_none_or(|stuck| stuck.at != at) || !stands {
                    return Err(StepError::Fenced);
                }
            }
        }
        let is_judged = |task: &Task| tasks.iter().any(|judged| judged.entry.id == task.entry.id);
        let is_meant = |task: &&Task| task.is_cancelled(&process, &cancels) && !is_judged(task);
        let cancelled = self.tasks.iter().filter(is_meant).map(|task| task.clone().dropped(at));
        let cancelled: Vec<_> = cancelled.collect();
        tasks.extend(cancelled);
        for entry in asked {
            if self.task(&tasks, entry.id).is_none() {
                tasks.push(Task::new(entry));
            }
        }
        change.extend(instances.into_iter().map(|it| Fact::Instance(process.clone(), it.id, it.record)));
        change.extend(tasks.into_iter().map(Fact::Task));
        Ok(change)
    }

    /// Judges the outcomes of attempts, one after the other.
    pub(crate) fn settle(&self, outcomes: Vec<(CommandId, OutboxOutcome)>, at: Timestamp) -> Change {
        let mut tasks = Vec::new();
        for (id, outcome) in outcomes {
            if let Some(mut task) = self.pending(&tasks, id) {
                task.settle(outcome, at);
                tasks.push(task);
            }
        }
        tasks.into_iter().map(Fact::Task).collect()
    }

    pub(crate) fn prune(&self, done_before: Timestamp) -> Change {
        let old = |task: &&Task| task.done.is_some_and(|done| done.at < done_before);
        self.tasks.iter().filter(old).map(|task| Fact::Forgotten(task.entry.id)).collect()
    }

    /// A task as it is, or as it will be by what is judged already.
    fn task<'a>(&'a self, judged: &'a [Task], id: CommandId) -> Option<&'a Task> {
        judged.iter().rev().chain(&self.tasks).find(|task| task.entry.id == id)
    }

    fn pending(&self, judged: &[Task], id: CommandId) -> Option<Task> {
        self.task(judged, id).filter(|task| task.entry.state == OutboxState::Pending).cloned()
    }

    pub(crate) fn move_checkpoint(&mut self, process: String, position: Position) {
        self.checkpoints.insert(process, position);
    }

    pub(crate) fn put_instance(&mut self, process: String, id: InstanceId, record: InstanceRecord) {
        self.instances.insert((process, id), record);
    }

    /// A task that is known keeps its place in the order.
    pub(crate) fn put_task(&mut self, task: Task) {
        match self.tasks.iter_mut().find(|known| known.entry.id == task.entry.id) {
            Some(known) => *known = Task { number: known.number, ..task },
            None => {
                self.last_number += 1;
                self.tasks.push(Task { number: self.last_number, ..task });
            }
        }
    }

    pub(crate) fn forget_task(&mut self, id: CommandId) {
        self.tasks.retain(|task| task.entry.id != id);
    }

    pub(crate) fn due_tasks(&self, now: Timestamp, share: Share, limit: usize) -> Vec<OutboxEntry> {
        let mut stuck = HashSet::new();
        let mut due = Vec::new();
        for Task { entry, .. } in self.tasks.iter().filter(|task| share.has_task(&task.entry)) {
            if due.len() == limit {
                break;
            }
            let is_command = matches!(entry.task, OutboxTask::Command(_));
            let instance = (&entry.process, &entry.instance);
            let pending = entry.state == OutboxState::Pending;
            if pending && entry.retry_at <= now && !(is_command && stuck.contains(&instance)) {
                due.push(entry.clone());
            } else if is_command && (pending || entry.state == OutboxState::Parked) && entry.due_at <= now {
                stuck.insert(instance);
            }
        }
        due
    }

    pub(crate) fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        let pending = self.tasks.iter().filter(|task| task.entry.state == OutboxState::Pending);
        pending.map(|task| task.entry.retry_at).filter(|at| *at > after).min()
    }

    pub(crate) fn chain(&self, correlation: CorrelationId) -> Chain {
        let mut chain = Chain::default();
        let of_chain = |task: &&Task| task.entry.metadata.correlation_id == Some(correlation);
        for task in self.tasks.iter().filter(of_chain) {
            match (task.entry.state, &task.entry.task) {
                (OutboxState::Pending, OutboxTask::Command(_)) => chain.pending += 1,
                (OutboxState::Pending, OutboxTask::Deadline(_)) => {}
                (OutboxState::Parked, _) => chain.parked += 1,
                (OutboxState::Done, _) => {
                    chain.last = chain.last.max(task.done.map_or(Position::ZERO, |done| done.position));
                }
                (OutboxState::Dropped, _) => {}
            }
        }
        let stuck = self.instances.values().filter_map(|record| record.stuck.as_ref());
        chain.stuck = stuck.filter(|stuck| stuck.chain == Some(correlation)).count() as u64;
        chain
    }
}

impl Task {
    /// A task that was asked for.
    fn new(entry: OutboxEntry) -> Self {
        Self { entry, done: None, number: 0 }
    }

    fn settle(&mut self, outcome: OutboxOutcome, at: Timestamp) {
        match outcome {
            OutboxOutcome::Done { position } => self.finish(at, position),
            OutboxOutcome::Retry { at, error } => {
                self.entry.retry_at = at;
                self.fail(error);
            }
            OutboxOutcome::Parked { error } => {
                self.entry.state = OutboxState::Parked;
                self.fail(error);
            }
        }
    }

    fn finish(&mut self, at: Timestamp, position: Position) {
        self.entry.state = OutboxState::Done;
        self.done = Some(Done { at, position });
    }

    /// Whether it is a deadline that is not wanted any more.
    fn is_cancelled(&self, process: &str, cancels: &[(InstanceId, String)]) -> bool {
        let OutboxEntry { task: OutboxTask::Deadline(name), state, .. } = &self.entry else { return false };
        matches!(state, OutboxState::Pending | OutboxState::Parked)
            && self.entry.process == process
            && cancels.iter().any(|(instance, other)| *instance == self.entry.instance && other == name)
    }

    /// It, given up for good.
    fn dropped(mut self, at: Timestamp) -> Self {
        self.entry.state = OutboxState::Dropped;
        self.done = Some(Done { at, position: Position::ZERO });
        self
    }

    fn fail(&mut self, error: String) {
        self.entry.attempts += 1;
        self.entry.last_error = Some(error);
    }
}
