//! What process managers know, behind no lock of their own.

use std::collections::{BTreeMap, HashMap, HashSet};

use cqrs_core::{
    Chain, CommandId, CorrelationId, InstanceId, InstanceQuery, InstanceRecord, OutboxEntry, OutboxOutcome,
    OutboxState, OutboxTask, Position, ProcessStep, Share, StepCause, StepError, TaskDecision, TaskPage,
    TaskQuery, Timestamp,
};

#[derive(Default)]
pub(crate) struct Processes {
    checkpoints: HashMap<String, Position>,
    instances: HashMap<String, BTreeMap<InstanceId, InstanceRecord>>,
    /// By the order in which they were asked for.
    tasks: BTreeMap<u64, Task>,
    numbers: HashMap<CommandId, u64>,
    last_number: u64,
}

struct Task {
    entry: OutboxEntry,
    shard: u16,
    done_at: Option<Timestamp>,
    position: Position,
}

impl Processes {
    pub(crate) fn checkpoint(&self, process: &str) -> Position {
        self.checkpoints.get(process).copied().unwrap_or_default()
    }

    pub(crate) fn instance(&self, process: &str, id: &InstanceId) -> Option<InstanceRecord> {
        self.instances.get(process)?.get(id).cloned()
    }

    pub(crate) fn commit_step(&mut self, step: ProcessStep) -> Result<(), StepError> {
        match step.cause {
            StepCause::Events { from, to } => {
                if self.checkpoint(&step.process) != from {
                    return Err(StepError::Fenced);
                }
                self.checkpoints.insert(step.process.clone(), to);
            }
            StepCause::Task { id, error } => {
                let task = self.pending(id).ok_or(StepError::Fenced)?;
                if error.is_some() {
                    task.entry.last_error = error;
                }
                task.finish(Position::ZERO, step.at);
            }
            StepCause::Stuck { instance, at, checkpoint } => {
                let known = self.instance(&step.process, &instance);
                let is_stuck = known.and_then(|known| known.stuck).is_some_and(|stuck| stuck.at == at);
                let stands = checkpoint.is_none_or(|stands| stands == self.checkpoint(&step.process));
                if !(is_stuck && stands) {
                    return Err(StepError::Fenced);
                }
            }
        }
        for (instance, name) in step.cancels {
            self.cancel(&step.process, &instance, &name, step.at);
        }
        let instances = self.instances.entry(step.process).or_default();
        instances.extend(step.instances.into_iter().map(|change| (change.id, change.record)));
        for entry in step.tasks {
            if !self.numbers.contains_key(&entry.id) {
                self.last_number += 1;
                self.numbers.insert(entry.id, self.last_number);
                let shard = entry.shard();
                let task = Task { entry, shard, done_at: None, position: Position::ZERO };
                self.tasks.insert(self.last_number, task);
            }
        }
        Ok(())
    }

    /// Drops deadlines that are not wanted any more.
    fn cancel(&mut self, process: &str, instance: &InstanceId, name: &str, at: Timestamp) {
        for Task { entry, done_at, .. } in self.tasks.values_mut() {
            let is_meant = entry.process == process
                && entry.instance == *instance
                && matches!(&entry.task, OutboxTask::Deadline(other) if other == name)
                && matches!(entry.state, OutboxState::Pending | OutboxState::Parked);
            if is_meant {
                (entry.state, *done_at) = (OutboxState::Dropped, Some(at));
            }
        }
    }

    fn pending(&mut self, id: CommandId) -> Option<&mut Task> {
        let number = self.numbers.get(&id)?;
        self.tasks.get_mut(number).filter(|task| task.entry.state == OutboxState::Pending)
    }

    pub(crate) fn due_tasks(&self, now: Timestamp, share: Share, limit: usize) -> Vec<OutboxEntry> {
        let mut stuck = HashSet::new();
        let mut due = Vec::new();
        for Task { entry, .. } in self.tasks.values().filter(|task| share.has(task.shard)) {
            if due.len() == limit {
                break;
            }
            let command = matches!(entry.task, OutboxTask::Command(_));
            let instance = (&entry.process, &entry.instance);
            let is_stuck = command && stuck.contains(&instance);
            match entry.state {
                OutboxState::Pending if entry.retry_at <= now && !is_stuck => {
                    due.push(entry.clone());
                }
                // What is due later is in nobody's way, parked or not.
                OutboxState::Pending | OutboxState::Parked if command && entry.due_at <= now => {
                    stuck.insert(instance);
                }
                _ => {}
            }
        }
        due
    }

    pub(crate) fn next_due(&self, after: Timestamp) -> Option<Timestamp> {
        let pending = self.tasks.values().filter(|task| task.entry.state == OutboxState::Pending);
        pending.map(|task| task.entry.retry_at).filter(|at| *at > after).min()
    }

    pub(crate) fn settle(&mut self, id: CommandId, outcome: OutboxOutcome, at: Timestamp) {
        let Some(task) = self.pending(id) else { return };
        match outcome {
            OutboxOutcome::Done { position } => task.finish(position, at),
            OutboxOutcome::Retry { at, error } => {
                task.entry.retry_at = at;
                task.fail(error);
            }
            OutboxOutcome::Parked { error } => {
                task.entry.state = OutboxState::Parked;
                task.fail(error);
            }
        }
    }

    pub(crate) fn chain(&self, correlation: CorrelationId) -> Chain {
        let mut chain = Chain::default();
        let of_chain = |task: &&Task| task.entry.metadata.correlation_id == Some(correlation);
        for task in self.tasks.values().filter(of_chain) {
            match (task.entry.state, &task.entry.task) {
                (OutboxState::Pending, OutboxTask::Command(_)) => chain.pending += 1,
                (OutboxState::Pending, OutboxTask::Deadline(_)) => {}
                (OutboxState::Parked, _) => chain.parked += 1,
                (OutboxState::Done, _) => chain.last = chain.last.max(task.position),
                (OutboxState::Dropped, _) => {}
            }
        }
        let stuck = self.instances.values().flat_map(BTreeMap::values).filter_map(|it| it.stuck.as_ref());
        chain.stuck = stuck.filter(|stuck| stuck.chain == Some(correlation)).count() as u64;
        chain
    }

    pub(crate) fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Vec<(InstanceId, InstanceRecord)> {
        let instances = self.instances.get(process).into_iter().flatten();
        let wanted = instances.filter(|(id, record)| {
            query.after.as_ref().is_none_or(|after| *id > after)
                && query.state.is_none_or(|state| state == record.stands())
        });
        wanted.take(query.limit).map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    pub(crate) fn list_tasks(&self, query: &TaskQuery) -> TaskPage {
        let after = query.after.unwrap_or_default().saturating_add(1);
        let mut wanted = self.tasks.range(after..).filter(|(_, task)| query.matches(&task.entry));
        let page: Vec<_> = wanted.by_ref().take(query.limit).collect();
        let next = page.last().map(|(number, _)| **number).filter(|_| wanted.next().is_some());
        TaskPage { tasks: page.into_iter().map(|(_, task)| task.entry.clone()).collect(), next }
    }

    pub(crate) fn task(&self, id: CommandId) -> Option<OutboxEntry> {
        Some(self.tasks.get(self.numbers.get(&id)?)?.entry.clone())
    }

    pub(crate) fn decide(&mut self, id: CommandId, decision: TaskDecision, at: Timestamp) -> bool {
        let task = self.numbers.get(&id).and_then(|number| self.tasks.get_mut(number));
        let Some(task) = task else { return false };
        let entry = &mut task.entry;
        match (decision, entry.state) {
            (_, OutboxState::Done | OutboxState::Dropped) => return false,
            (TaskDecision::Retry, OutboxState::Pending) if entry.attempts == 0 => return false,
            (TaskDecision::Retry, _) => {
                (entry.state, entry.retry_at, entry.attempts) = (OutboxState::Pending, at, 0);
            }
            (TaskDecision::Drop, _) => {
                (entry.state, task.done_at) = (OutboxState::Dropped, Some(at));
            }
        }
        true
    }

    pub(crate) fn prune(&mut self, done_before: Timestamp) -> u64 {
        let before = self.tasks.len();
        self.tasks.retain(|_, task| task.done_at.is_none_or(|at| at >= done_before));
        let tasks = &self.tasks;
        self.numbers.retain(|_, number| tasks.contains_key(number));
        (before - self.tasks.len()) as u64
    }
}

impl Task {
    fn finish(&mut self, position: Position, at: Timestamp) {
        self.entry.state = OutboxState::Done;
        self.done_at = Some(at);
        self.position = position;
    }

    fn fail(&mut self, error: String) {
        self.entry.attempts += 1;
        self.entry.last_error = Some(error);
    }
}
