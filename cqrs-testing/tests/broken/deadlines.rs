//! Stores that keep deadlines which nobody wants, or drop others.

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;
use crate::trick::{bare, unfenced};

/// What is open, that a predicate wants.
async fn open(
    store: &MemoryStore,
    wanted: impl Fn(&OutboxEntry) -> bool,
) -> Result<Vec<OutboxEntry>, StoreError> {
    let is_open = |entry: &OutboxEntry| matches!(entry.state, OutboxState::Pending | OutboxState::Parked);
    let all = store.list_tasks(&TaskQuery::all(usize::MAX)).await?.tasks;
    Ok(all.into_iter().filter(|entry| is_open(entry) && wanted(entry)).collect())
}

fn is(entry: &OutboxEntry, name: &str) -> bool {
    matches!(&entry.task, OutboxTask::Deadline(other) if other == name)
}

/// Makes a store that drops more than a step cancels: all that is open and that a predicate takes for cancelled.
macro_rules! drops_more {
    ($($(#[$doc:meta])* $breach:ident: |$step:ident, $entry:ident, $instance:ident, $name:ident| $means:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, store: &MemoryStore, $step: ProcessStep) -> Result<(), StepError> {
                let means = |$entry: &OutboxEntry| $step.cancels.iter().any(|($instance, $name)| $means);
                let meant = open(store, means).await?;
                store.commit_step($step.clone()).await?;
                for task in meant {
                    store.decide_task(task.id, TaskDecision::Drop, $step.at).await?;
                }
                Ok(())
            }
        }
    )*};
}

drops_more! {
    /// Cancels the deadlines of all instances.
    CancelsForAllInstances: |step, entry, _instance, name| entry.process == step.process && is(entry, name);

    /// Cancels the deadlines of all process managers.
    CancelsForAllProcesses: |_step, entry, instance, name| entry.instance == *instance && is(entry, name);

    /// Cancels all deadlines of an instance.
    CancelsAllDeadlines: |step, entry, instance, _name| {
        let is_deadline = matches!(entry.task, OutboxTask::Deadline(_));
        entry.process == step.process && entry.instance == *instance && is_deadline
    };

    /// Cancels deadlines whose names differ in case alone.
    CancelsInAnyCase: |step, entry, instance, name| {
        let is_alike = matches!(&entry.task, OutboxTask::Deadline(other) if other.eq_ignore_ascii_case(name));
        entry.process == step.process && entry.instance == *instance && is_alike
    };

    /// Cancels the commands of an instance, too.
    CancelsCommands: |step, entry, instance, _name| {
        let is_command = matches!(entry.task, OutboxTask::Command(_));
        entry.process == step.process && entry.instance == *instance && is_command
    };
}

/// Makes a store that takes other steps.
macro_rules! takes {
    ($($(#[$doc:meta])* $breach:ident: |$store:ident, $step:ident| $taken:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, $store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
                #[allow(unused_mut, reason = "not every store changes the step")]
                let mut $step = step;
                $taken
            }
        }
    )*};
}

takes! {
    /// Cancels nothing.
    CancelsNothing: |store, step| {
        step.cancels.clear();
        store.commit_step(step).await
    }

    /// Cancels the first of several.
    CancelsOne: |store, step| {
        step.cancels.truncate(1);
        store.commit_step(step).await
    }

    /// Lets a parked deadline be.
    KeepsParkedDeadlines: |store, step| {
        let cancels = std::mem::take(&mut step.cancels);
        let means = |entry: &OutboxEntry| {
            let is_one = |(instance, name): &(InstanceId, String)| entry.instance == *instance && is(entry, name);
            entry.state == OutboxState::Pending && entry.process == step.process && cancels.iter().any(is_one)
        };
        let meant = open(store, means).await?;
        store.commit_step(step.clone()).await?;
        for task in meant {
            store.decide_task(task.id, TaskDecision::Drop, step.at).await?;
        }
        Ok(())
    }

    /// Forgets what it cancels.
    PrunesWhatItCancels: |store, step| {
        let (cancels, tasks) = (std::mem::take(&mut step.cancels), std::mem::take(&mut step.tasks));
        store.commit_step(step.clone()).await?;
        let first = Timestamp::from_micros(i64::MIN);
        let cancelling = unfenced(store, ProcessStep { cancels, at: first, ..bare(&step) }).await?;
        store.commit_step(cancelling).await?;
        store.prune_tasks(first.plus(std::time::Duration::from_micros(1))).await?;
        let asking = unfenced(store, ProcessStep { tasks, ..bare(&step) }).await?;
        store.commit_step(asking).await
    }

    /// Cancels for a step that is fenced.
    CancelsForFencedSteps: |store, step| {
        let taken = store.commit_step(step.clone()).await;
        if let Err(StepError::Fenced) = taken {
            step = unfenced(store, ProcessStep { cancels: step.cancels.clone(), ..bare(&step) }).await?;
            if let StepCause::Events { from, to } = &mut step.cause {
                *to = *from;
            }
            store.commit_step(step).await?;
        }
        taken
    }

    /// Cancels last.
    CancelsAfterItHasAsked: |store, step| {
        let cancels = std::mem::take(&mut step.cancels);
        store.commit_step(step.clone()).await?;
        let cancelling = ProcessStep { cancels, ..bare(&step) };
        store.commit_step(unfenced(store, cancelling).await?).await
    }

    /// Cancels before it looks at the cause.
    CancelsItsCause: |store, step| {
        let StepCause::Task { id, .. } = step.cause else { return store.commit_step(step).await };
        if step.cancels.is_empty() {
            return store.commit_step(step).await;
        }
        store.decide_task(id, TaskDecision::Drop, step.at).await?;
        store.commit_step(unfenced(store, step).await?).await
    }
}

proofs! {
    CancelsForAllInstances: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsForAllProcesses: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsAllDeadlines: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsInAnyCase: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsCommands: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsNothing:
        deadlines::a_cancelled_deadline_may_be_asked_for_again,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsOne: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    KeepsParkedDeadlines: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    PrunesWhatItCancels:
        deadlines::a_cancelled_deadline_may_be_asked_for_again,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsForFencedSteps: deadlines::a_step_drops_the_deadlines_that_it_cancels;
    CancelsAfterItHasAsked: deadlines::a_cancelled_deadline_may_be_asked_for_again;
    CancelsItsCause: deadlines::a_cancelled_deadline_may_be_asked_for_again;
}
