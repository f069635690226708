//! Stores that break the transaction of a step.

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;
use crate::trick::{Asked, bare, is_pending, unfenced};

/// Loses the instances of a step that asks for tasks.
#[derive(Default)]
struct LosesInstancesBesideTasks;

#[async_trait]
impl Breach for LosesInstancesBesideTasks {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if !step.tasks.is_empty() {
            step.instances.clear();
        }
        store.commit_step(step).await
    }
}

/// Makes a store that writes a part of a step before the fence stops it.
macro_rules! keeps {
    ($($(#[$doc:meta])* $breach:ident: $step:ident => $part:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, store: &MemoryStore, $step: ProcessStep) -> Result<(), StepError> {
                let taken = store.commit_step($step.clone()).await;
                if let Err(StepError::Fenced) = taken {
                    let mut part = unfenced(store, $part).await?;
                    if let StepCause::Events { from, to } = &mut part.cause {
                        *to = *from;
                    }
                    store.commit_step(part).await?;
                }
                taken
            }
        }
    )*};
}

keeps! {
    /// Keeps the tasks of a fenced step.
    FencedStepKeepsItsTasks: step => ProcessStep { tasks: step.tasks.clone(), ..bare(&step) };
    /// Keeps the instances of a fenced step.
    FencedStepKeepsItsInstances: step => ProcessStep { instances: step.instances.clone(), ..bare(&step) };
}

/// Moves the checkpoint of a fenced step.
#[derive(Default)]
struct FencedStepMovesTheCheckpoint;

#[async_trait]
impl Breach for FencedStepMovesTheCheckpoint {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let moved = unfenced(store, bare(&step)).await?;
        let taken = store.commit_step(step).await;
        if taken.is_err() {
            store.commit_step(moved).await?;
        }
        taken
    }
}

/// Takes a task's step and leaves the task to be done again.
#[derive(Default)]
struct LeavesTheTaskOfAStepPending;

#[async_trait]
impl Breach for LeavesTheTaskOfAStepPending {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Task { id, .. } = step.cause
            && is_pending(store, id).await?
        {
            step = unfenced(store, step).await?;
        }
        store.commit_step(step).await
    }
}

/// Moves the checkpoint when a task sets off a step.
#[derive(Default)]
struct StepOfATaskMovesTheCheckpoint;

#[async_trait]
impl Breach for StepOfATaskMovesTheCheckpoint {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let mut next = unfenced(store, bare(&step)).await?;
        let of_task = matches!(step.cause, StepCause::Task { .. });
        store.commit_step(step).await?;
        if let StepCause::Events { to, .. } = &mut next.cause
            && of_task
        {
            *to = Position::new(to.as_u64() + 1);
            store.commit_step(next).await?;
        }
        Ok(())
    }
}

/// Takes the step of a task that it knows, whether it is pending or not.
#[derive(Default)]
struct TakesStepsOfSettledTasks(Asked);

#[async_trait]
impl Breach for TakesStepsOfSettledTasks {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        self.0.note(&step.tasks);
        match (store.commit_step(step.clone()).await, &step.cause) {
            (Err(StepError::Fenced), StepCause::Task { id, .. }) if self.0.last(*id).is_some() => {
                store.commit_step(unfenced(store, step).await?).await
            }
            (taken, _) => taken,
        }
    }
}

/// Takes the step of a task that it does not know.
#[derive(Default)]
struct TakesStepsOfUnknownTasks(Asked);

#[async_trait]
impl Breach for TakesStepsOfUnknownTasks {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        self.0.note(&step.tasks);
        if matches!(step.cause, StepCause::Task { id, .. } if self.0.last(id).is_none()) {
            step = unfenced(store, step).await?;
        }
        store.commit_step(step).await
    }
}

/// Looks first whether a task is pending, and makes it done later.
#[derive(Default)]
struct LooksAtTheTaskBeforeItsStep;

#[async_trait]
impl Breach for LooksAtTheTaskBeforeItsStep {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let StepCause::Task { id, .. } = step.cause else { return store.commit_step(step).await };
        let pending = is_pending(store, id).await?;
        tokio::task::yield_now().await;
        match store.commit_step(step.clone()).await {
            Err(StepError::Fenced) if pending => store.commit_step(unfenced(store, step).await?).await,
            taken => taken,
        }
    }
}

/// Takes the moment of the commit for the moment of the step.
#[derive(Default)]
struct StampsTasksOfStepsLater;

#[async_trait]
impl Breach for StampsTasksOfStepsLater {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let at = Timestamp::from_micros(step.at.as_micros() + 1_000);
        store.commit_step(ProcessStep { at, ..step }).await
    }
}

/// Replaces a task that is asked for again.
#[derive(Default)]
struct ReplacesTasks(Asked);

#[async_trait]
impl Breach for ReplacesTasks {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let known = self.0.all();
        let known: Vec<_> = known.iter().map(|task| task.id).collect();
        let again: Vec<_> = step.tasks.iter().filter(|task| known.contains(&task.id)).cloned().collect();
        let new = step.tasks.clone();
        store.commit_step(step).await?;
        self.0.note(&new);
        self.0.note(&again);
        Ok(())
    }

    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut tasks = store.due_tasks(now, share, limit).await?;
        for task in &mut tasks {
            task.instance = self.0.last(task.id).unwrap().instance;
        }
        Ok(tasks)
    }
}

/// Gives a task out again that was done and is asked for again.
#[derive(Default)]
struct RevivesDoneTasks {
    asked: Asked,
    revived: Asked,
}

#[async_trait]
impl Breach for RevivesDoneTasks {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        let tasks = step.tasks.clone();
        for task in &tasks {
            if self.asked.last(task.id).is_some() && !is_pending(store, task.id).await? {
                self.revived.note(std::slice::from_ref(task));
            }
        }
        store.commit_step(step).await?;
        self.asked.note(&tasks);
        Ok(())
    }

    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        Ok([store.due_tasks(now, share, limit).await?, self.revived.all()].concat())
    }
}

/// Keeps the last of two tasks with one id in a step.
#[derive(Default)]
struct LastOfTwoTasksWins;

#[async_trait]
impl Breach for LastOfTwoTasksWins {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        let ids: Vec<_> = step.tasks.iter().map(|task| task.id).collect();
        let mut index = 0;
        step.tasks.retain(|task| {
            index += 1;
            !ids[index..].contains(&task.id)
        });
        store.commit_step(step).await
    }
}

proofs! {
    LosesInstancesBesideTasks:
        steps::a_fenced_step_changes_nothing,
        steps::a_step_changes_all_of_its_parts,
        steps::a_step_of_a_task_makes_it_done,
        steps::a_stuck_instance_takes_what_it_has_missed;
    FencedStepKeepsItsTasks:
        steps::a_fenced_step_changes_nothing,
        steps::of_two_racing_steps_of_a_task_one_is_fenced,
        steps::a_step_of_an_instance_that_is_not_stuck_there_is_fenced,
        steps::a_stuck_instance_goes_on_from_the_checkpoint_only;
    FencedStepKeepsItsInstances:
        steps::a_fenced_step_changes_nothing,
        steps::a_step_of_an_instance_that_is_not_stuck_there_is_fenced,
        steps::a_stuck_instance_goes_on_from_the_checkpoint_only;
    FencedStepMovesTheCheckpoint:
        checkpoint::a_step_from_elsewhere_is_fenced,
        checkpoint::of_two_racing_steps_one_is_fenced,
        process_restart::checkpoint_and_instances_survive_a_restart,
        steps::a_fenced_step_changes_nothing,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    LeavesTheTaskOfAStepPending:
        chain::a_task_done_by_a_step_leaves_the_chain,
        steps::a_step_of_a_task_makes_it_done,
        steps::a_task_of_a_step_is_done_when_the_step_was_made,
        steps::a_task_sets_off_one_step,
        steps::of_two_racing_steps_of_a_task_one_is_fenced,
        deadlines::a_cancelled_deadline_may_be_asked_for_again;
    StepOfATaskMovesTheCheckpoint:
        steps::a_step_of_a_task_makes_it_done,
        steps::of_two_racing_steps_of_a_task_one_is_fenced;
    TakesStepsOfSettledTasks:
        steps::a_task_sets_off_one_step,
        steps::of_two_racing_steps_of_a_task_one_is_fenced;
    TakesStepsOfUnknownTasks: steps::a_fenced_step_changes_nothing;
    LooksAtTheTaskBeforeItsStep: steps::of_two_racing_steps_of_a_task_one_is_fenced;
    StampsTasksOfStepsLater:
        steps::a_task_of_a_step_is_done_when_the_step_was_made,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    ReplacesTasks:
        steps::a_task_asked_for_again_is_left_as_it_is,
        steps::a_task_asked_for_twice_in_a_step_is_kept_once;
    RevivesDoneTasks: steps::a_task_asked_for_again_is_left_as_it_is;
    LastOfTwoTasksWins: steps::a_task_asked_for_twice_in_a_step_is_kept_once;
}
