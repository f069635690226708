//! Stores that break the checkpoint.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;
use crate::trick;

/// The step, begun at the checkpoint wherever it is when events set it off.
async fn unfenced(store: &MemoryStore, step: ProcessStep) -> Result<ProcessStep, StoreError> {
    match step.cause {
        StepCause::Events { .. } => trick::unfenced(store, step).await,
        StepCause::Task { .. } | StepCause::Stuck { .. } => Ok(step),
    }
}

/// Begins at 1, as if positions were an index.
#[derive(Default)]
struct BeginsAtOne;

#[async_trait]
impl Breach for BeginsAtOne {
    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        Ok(store.checkpoint(process).await?.max(Position::new(1)))
    }
}

/// Forgets the checkpoint of a step that changes nothing else.
#[derive(Default)]
struct SkipsIdleSteps;

#[async_trait]
impl Breach for SkipsIdleSteps {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Events { from, to } = &mut step.cause
            && step.instances.is_empty()
            && step.tasks.is_empty()
        {
            *to = *from;
        }
        store.commit_step(step).await
    }
}

/// Takes every step, wherever the checkpoint is.
#[derive(Default)]
struct IgnoresTheCheckpoint;

#[async_trait]
impl Breach for IgnoresTheCheckpoint {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        store.commit_step(unfenced(store, step).await?).await
    }
}

/// Takes steps that begin beyond the checkpoint, and so skip events.
#[derive(Default)]
struct TakesStepsFromBeyond;

#[async_trait]
impl Breach for TakesStepsFromBeyond {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        let checkpoint = store.checkpoint(&step.process).await?;
        if matches!(step.cause, StepCause::Events { from, .. } if from > checkpoint) {
            step = unfenced(store, step).await?;
        }
        store.commit_step(step).await
    }
}

/// Looks at the checkpoint first and moves it later.
#[derive(Default)]
struct ComparesBeforeItSets;

#[async_trait]
impl Breach for ComparesBeforeItSets {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let checkpoint = store.checkpoint(&step.process).await?;
        if matches!(step.cause, StepCause::Events { from, .. } if from != checkpoint) {
            return Err(StepError::Fenced);
        }
        tokio::task::yield_now().await;
        store.commit_step(unfenced(store, step).await?).await
    }
}

/// Compares names without regard to case.
#[derive(Default)]
struct FoldsTheCaseOfNames;

#[async_trait]
impl Breach for FoldsTheCaseOfNames {
    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        store.checkpoint(&process.to_lowercase()).await
    }

    async fn instances(
        &self,
        store: &MemoryStore,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        store.instances(&process.to_lowercase(), ids).await
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let process = step.process.to_lowercase();
        store.commit_step(ProcessStep { process, ..step }).await
    }
}

/// Has one checkpoint for all names.
#[derive(Default)]
struct SharesOneCheckpoint;

#[async_trait]
impl Breach for SharesOneCheckpoint {
    async fn checkpoint(&self, store: &MemoryStore, _process: &str) -> Result<Position, StoreError> {
        store.checkpoint("").await
    }

    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Events { .. } = step.cause {
            let process = String::new();
            store
                .commit_step(ProcessStep { process, instances: vec![], tasks: vec![], ..step.clone() })
                .await?;
            step = unfenced(store, step).await?;
        }
        store.commit_step(step).await
    }
}

/// Keeps the checkpoint as a floating-point number.
#[derive(Default)]
struct RoundsTheCheckpoint;

#[async_trait]
impl Breach for RoundsTheCheckpoint {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        Ok(Position::new(store.checkpoint(process).await?.as_u64() as f64 as u64))
    }
}

/// Remembers in each handle what the checkpoint was when it was first read there.
#[derive(Default)]
struct CachesTheCheckpoint(Mutex<HashMap<String, Position>>);

#[async_trait]
impl Breach for CachesTheCheckpoint {
    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        let found = store.checkpoint(process).await?;
        Ok(*self.0.lock().unwrap().entry(process.to_owned()).or_insert(found))
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        self.0.lock().unwrap().remove(&step.process);
        store.commit_step(step).await
    }

    fn again(&self) -> Option<Arc<dyn Breach>> {
        Some(Arc::new(Self::default()))
    }
}

proofs! {
    BeginsAtOne: checkpoint::a_checkpoint_is_zero_at_first, checkpoint::a_step_from_elsewhere_is_fenced;
    SkipsIdleSteps:
        checkpoint::a_checkpoint_is_kept_exactly,
        checkpoint::a_checkpoint_is_seen_by_other_handles,
        checkpoint::a_step_from_elsewhere_is_fenced,
        checkpoint::a_step_moves_the_checkpoint,
        checkpoint::checkpoints_do_not_mix,
        checkpoint::of_two_racing_steps_one_is_fenced;
    IgnoresTheCheckpoint:
        checkpoint::a_step_from_elsewhere_is_fenced,
        checkpoint::of_two_racing_steps_one_is_fenced,
        process_restart::checkpoint_and_instances_survive_a_restart,
        steps::a_fenced_step_changes_nothing,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    TakesStepsFromBeyond: checkpoint::a_step_from_elsewhere_is_fenced;
    ComparesBeforeItSets: checkpoint::of_two_racing_steps_one_is_fenced;
    FoldsTheCaseOfNames: checkpoint::checkpoints_do_not_mix, instances::instances_of_processes_do_not_mix;
    SharesOneCheckpoint:
        checkpoint::checkpoints_do_not_mix,
        instances::instances_of_processes_do_not_mix,
        task_order::a_stuck_command_holds_up_nobody_else,
        tasks::due_tasks_come_in_the_order_asked,
        operators::instances_are_listed_in_the_order_of_their_ids;
    RoundsTheCheckpoint: checkpoint::a_checkpoint_is_kept_exactly;
    CachesTheCheckpoint: checkpoint::a_checkpoint_is_seen_by_other_handles;
}
