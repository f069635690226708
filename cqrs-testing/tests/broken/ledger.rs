//! A second outbox, whose rules a broken store may bend.

use std::sync::Mutex;

use crate::breach::*;

/// What was asked for, and what became of it.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Vec<OutboxEntry>>);

impl Ledger {
    /// Writes down a step that was taken.
    pub(crate) fn step(&self, step: ProcessStep) {
        let ProcessStep { process, cause, cancels, tasks, .. } = step;
        let mut entries = self.0.lock().unwrap();
        if let StepCause::Task { id, .. } = cause
            && let Some(entry) = entries.iter_mut().find(|entry| entry.id == id)
        {
            entry.state = OutboxState::Done;
        }
        for entry in entries.iter_mut().filter(|entry| entry.process == process) {
            let OutboxTask::Deadline(name) = &entry.task else { continue };
            let is_open = matches!(entry.state, OutboxState::Pending | OutboxState::Parked);
            let is_meant =
                |(instance, other): &(InstanceId, String)| *instance == entry.instance && other == name;
            if is_open && cancels.iter().any(is_meant) {
                entry.state = OutboxState::Dropped;
            }
        }
        for task in tasks {
            if entries.iter().all(|entry| entry.id != task.id) {
                entries.push(task);
            }
        }
    }

    /// Writes down outcomes of pending tasks.
    pub(crate) fn settle(&self, outcomes: &[(CommandId, OutboxOutcome)]) {
        let mut entries = self.0.lock().unwrap();
        for (id, outcome) in outcomes {
            let pending = |entry: &&mut OutboxEntry| entry.id == *id && entry.state == OutboxState::Pending;
            let Some(entry) = entries.iter_mut().find(pending) else { continue };
            let failed = match outcome {
                OutboxOutcome::Done { .. } => {
                    entry.state = OutboxState::Done;
                    continue;
                }
                OutboxOutcome::Retry { at, error } => {
                    entry.retry_at = *at;
                    error
                }
                OutboxOutcome::Parked { error } => {
                    entry.state = OutboxState::Parked;
                    error
                }
            };
            entry.attempts += 1;
            entry.last_error = Some(failed.clone());
        }
    }

    /// All tasks that were ever asked for, in order.
    pub(crate) fn entries(&self) -> Vec<OutboxEntry> {
        self.0.lock().unwrap().clone()
    }

    /// How many tasks are so.
    pub(crate) fn count(&self, counts: impl Fn(&OutboxEntry) -> bool) -> u64 {
        self.entries().into_iter().filter(counts).count() as u64
    }
}

/// Whether a task is a command.
pub(crate) fn is_command(entry: &OutboxEntry) -> bool {
    matches!(entry.task, OutboxTask::Command(_))
}

/// Whether a task belongs to a causal chain.
pub(crate) fn is_of(entry: &OutboxEntry, chain: CorrelationId) -> bool {
    entry.metadata.correlation_id == Some(chain)
}
