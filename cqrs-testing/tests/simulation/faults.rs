//! What goes wrong in process managers elsewhere, each as a store that does it.

use async_trait::async_trait;
use tokio::task::yield_now;

pub(crate) use crate::repeats::*;

use crate::breach::*;
use crate::trick::{bare, unfenced};

/// How many others go on between two halves of what should be one.
const GAP: usize = 6;

async fn gap() {
    for _ in 0..GAP {
        yield_now().await;
    }
}

/// Commands are dispatched again after a crash, and nothing knows that they were.
pub(crate) struct ForgetsReceipts;

#[async_trait]
impl Breach for ForgetsReceipts {
    async fn append(&self, store: &MemoryStore, mut batch: Vec<Append>) -> Answers {
        batch.iter_mut().for_each(|append| append.receipt = None);
        store.append(batch).await
    }
}

/// The checkpoint first, and then the rest, unless the process dies in between.
pub(crate) struct MovesTheCheckpointFirst;

#[async_trait]
impl Breach for MovesTheCheckpointFirst {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        store.commit_step(bare(&step)).await?;
        gap().await;
        let step = unfenced(store, step).await?;
        store.commit_step(without_move(store, step).await?).await
    }
}

/// The step without the move of its checkpoint.
pub(crate) async fn without_move(
    store: &MemoryStore,
    mut step: ProcessStep,
) -> Result<ProcessStep, StoreError> {
    let at = store.checkpoint(&step.process).await?;
    step.cause = StepCause::Events { from: at, to: at };
    Ok(step)
}

/// After its end nothing is known of an instance.
pub(crate) struct ForgetsTombstones;

#[async_trait]
impl Breach for ForgetsTombstones {
    async fn instances(
        &self,
        store: &MemoryStore,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        let found = store.instances(process, ids).await?;
        Ok(found.into_iter().map(|record| record.filter(|record| !record.finished)).collect())
    }
}

/// A task is done as soon as it is given out.
pub(crate) struct SettlesBeforeDispatch;

#[async_trait]
impl Breach for SettlesBeforeDispatch {
    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let due = store.due_tasks(now, share, limit).await?;
        let done = |task: &OutboxEntry| (task.id, OutboxOutcome::Done { position: Position::ZERO });
        store.settle_tasks(due.iter().map(done).collect(), now).await?;
        Ok(due)
    }
}

/// Behind one instance that is stuck, all others wait.
pub(crate) struct StallsBehindParkedTasks;

#[async_trait]
impl Breach for StallsBehindParkedTasks {
    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let page = store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await?;
        for event in page.events {
            if let Some(chain) = event.metadata.correlation_id
                && store.chain(chain).await?.parked > 0
            {
                return Ok(Vec::new());
            }
        }
        store.due_tasks(now, share, limit).await
    }
}

/// Two runners overwrite what the other has done.
pub(crate) struct TakesEveryStep;

#[async_trait]
impl Breach for TakesEveryStep {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        store.commit_step(unfenced(store, step).await?).await
    }
}

/// The tasks first, and then the instances, unless the process dies in between.
pub(crate) struct SavesInstancesApart;

#[async_trait]
impl Breach for SavesInstancesApart {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        let mut later = bare(&step);
        later.instances = std::mem::take(&mut step.instances);
        store.commit_step(step).await?;
        gap().await;
        let later = without_move(store, later).await?;
        store.commit_step(later).await
    }
}
