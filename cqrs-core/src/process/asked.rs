//! What one instance asks for in a step: pure.

use std::collections::BTreeSet;

use crate::{InstanceId, OutboxEntry, OutboxTask};

/// What one instance asks for in a step, one turn after the other.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Each with the number of the turn that asked for it.
    tasks: Vec<(usize, OutboxEntry)>,
    /// The names of deadlines of earlier steps that are not wanted any more.
    cancels: BTreeSet<String>,
}

impl Asked {
    /// Asks for a task. A deadline takes the place of the one of its name.
    pub(crate) fn task(&mut self, turn: usize, task: OutboxEntry) {
        if let OutboxTask::Deadline(name) = &task.task {
            self.cancel(name.clone());
        }
        self.tasks.push((turn, task));
    }

    /// Wants no deadline of this name, also where an earlier turn of the step has asked for one.
    pub(crate) fn cancel(&mut self, name: String) {
        self.tasks.retain(|(_, task)| !matches!(&task.task, OutboxTask::Deadline(other) if *other == name));
        self.cancels.insert(name);
    }

    /// The deadlines that are not wanted any more, as a step has them.
    pub(crate) fn cancels(&self, instance: &InstanceId) -> Vec<(InstanceId, String)> {
        self.cancels.iter().map(|name| (instance.clone(), name.clone())).collect()
    }

    /// The tasks, each with the number of the turn that asked for it.
    pub(crate) fn into_tasks(self) -> Vec<(usize, OutboxEntry)> {
        self.tasks
    }
}
