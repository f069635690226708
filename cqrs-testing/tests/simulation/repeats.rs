//! Faults that remember something.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use uuid::Uuid;

use crate::breach::*;
use crate::faults::without_move;
use crate::trick::{bare, unfenced};

/// What was not answered is tried again as another command.
#[derive(Default)]
pub(crate) struct NewIdForEachAttempt {
    /// The tasks as they are known to the store.
    real: Mutex<HashMap<CommandId, CommandId>>,
}

impl NewIdForEachAttempt {
    fn real(&self, id: CommandId) -> CommandId {
        self.real.lock().unwrap().get(&id).copied().unwrap_or(id)
    }
}

#[async_trait]
impl Breach for NewIdForEachAttempt {
    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut due = store.due_tasks(now, share, limit).await?;
        let mut real = self.real.lock().unwrap();
        for task in &mut due {
            let attempt = Uuid::new_v5(&task.id.as_uuid(), &task.attempts.to_be_bytes()).into();
            real.insert(attempt, std::mem::replace(&mut task.id, attempt));
        }
        Ok(due)
    }

    async fn settle_tasks(
        &self,
        store: &MemoryStore,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let outcomes = outcomes.into_iter().map(|(id, outcome)| (self.real(id), outcome)).collect();
        store.settle_tasks(outcomes, at).await
    }

    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Task { id, .. } = &mut step.cause {
            *id = self.real(*id);
        }
        store.commit_step(step).await
    }
}

/// Now and then a write is acknowledged and not there.
#[derive(Default)]
pub(crate) struct AcknowledgesWithoutStoring {
    appends: Mutex<u64>,
}

#[async_trait]
impl Breach for AcknowledgesWithoutStoring {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        let lost = {
            let mut appends = self.appends.lock().unwrap();
            *appends += 1;
            appends.is_multiple_of(9)
        };
        if !lost {
            return store.append(batch).await;
        }
        // Judged on a copy, as it were.
        let head = store.head().await?;
        let answer = |append: &Append| {
            let versions = append.writes.iter().map(|_| Version::new(1)).collect();
            Ok(Appended { versions, position: head, events: 0, duplicate: false })
        };
        Ok(batch.iter().map(answer).collect())
    }
}

/// How many steps are taken until the checkpoint is saved.
const NOW_AND_THEN: u64 = 4;

/// Steps are taken, and the checkpoint is saved now and then: after a crash, and whenever it is read, events of several
/// steps are delivered again.
#[derive(Default)]
pub(crate) struct SavesTheCheckpointNowAndThen {
    /// Where the runner is, and how many steps it has taken.
    runner: Mutex<(Position, u64)>,
}

#[async_trait]
impl Breach for SavesTheCheckpointNowAndThen {
    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        let saved = store.checkpoint(process).await?;
        self.runner.lock().unwrap().0 = saved;
        Ok(saved)
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let StepCause::Events { from, to } = step.cause else { return store.commit_step(step).await };
        let saves = {
            let mut runner = self.runner.lock().unwrap();
            if runner.0 != from {
                return Err(StepError::Fenced);
            }
            *runner = (to, runner.1 + 1);
            runner.1.is_multiple_of(NOW_AND_THEN)
        };
        store.commit_step(without_move(store, step.clone()).await?).await?;
        match saves {
            true => store.commit_step(unfenced(store, bare(&step)).await?).await,
            false => Ok(()),
        }
    }
}
