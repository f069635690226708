//! Stores that break what becomes of tasks.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::breach::*;
use crate::ledger::{Ledger, is_of};
use crate::proofs::proofs;
use crate::trick::{Asked, NEVER};

type Outcomes = Vec<(CommandId, OutboxOutcome)>;

/// Makes a store that changes outcomes before it records them.
macro_rules! changes_outcomes {
    ($($(#[$doc:meta])* $breach:ident: $outcomes:ident => $change:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn settle_tasks(
                &self,
                store: &MemoryStore,
                mut $outcomes: Outcomes,
                at: Timestamp,
            ) -> Result<(), StoreError> {
                $change;
                store.settle_tasks($outcomes, at).await
            }
        }
    )*};
}

changes_outcomes! {
    /// Records outcomes from the last to the first.
    RecordsOutcomesBackward: outcomes => { outcomes.reverse(); }
    /// Records the last outcome of a task only.
    RecordsTheLastOutcomeOnly: outcomes => {
        let ids: Vec<_> = outcomes.iter().map(|(id, _)| *id).collect();
        let mut index = 0;
        outcomes.retain(|(id, _)| {
            index += 1;
            !ids[index..].contains(id)
        });
    }
    /// Does not know when to try again.
    RetriesAtOnce: outcomes => {
        for (_, outcome) in &mut outcomes {
            if let OutboxOutcome::Retry { at, .. } = outcome {
                *at = Timestamp::from_micros(0);
            }
        }
    }
    /// Gives up what is to be tried again.
    ParksAtTheFirstFailure: outcomes => {
        for (_, outcome) in &mut outcomes {
            if let OutboxOutcome::Retry { error, .. } = outcome {
                *outcome = OutboxOutcome::Parked { error: std::mem::take(error) };
            }
        }
    }
}

/// Makes a store that does something else at a task that it does not know.
macro_rules! stumbles {
    ($($(#[$doc:meta])* $breach:ident: $outcomes:ident, $unknown:ident => $then:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach {
            ledger: Ledger,
        }

        #[async_trait]
        impl Breach for $breach {
            fn ledger(&self) -> Option<&Ledger> {
                Some(&self.ledger)
            }

            #[allow(unused_mut, reason = "some breaches change the outcomes")]
            async fn settle_tasks(
                &self,
                store: &MemoryStore,
                mut $outcomes: Outcomes,
                at: Timestamp,
            ) -> Result<(), StoreError> {
                let known = self.ledger.entries();
                let unknown = |(id, _): &(CommandId, _)| known.iter().all(|task| task.id != *id);
                if let Some($unknown) = $outcomes.iter().position(unknown) {
                    $then;
                }
                store.settle_tasks($outcomes, at).await
            }
        }
    )*};
}

stumbles! {
    /// Fails at a task that it does not know.
    FailsAtUnknownTasks: outcomes, unknown => {
        let what = format!("no task {:?}", outcomes[unknown]);
        return Err(StoreError::Corrupt { what });
    }
    /// Stops at a task that it does not know.
    StopsAtUnknownTasks: outcomes, unknown => { outcomes.truncate(unknown); }
}

/// Makes a store that gives out settled tasks again.
macro_rules! gives_out_again {
    ($($(#[$doc:meta])* $breach:ident: $task:ident, $outcome:ident => $again:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach {
            ledger: Ledger,
            again: Asked,
        }

        #[async_trait]
        impl Breach for $breach {
            fn ledger(&self) -> Option<&Ledger> {
                Some(&self.ledger)
            }

            async fn settle_tasks(
                &self,
                store: &MemoryStore,
                outcomes: Outcomes,
                at: Timestamp,
            ) -> Result<(), StoreError> {
                let pending = store.due_tasks(NEVER, Share::ALL, usize::MAX).await?;
                store.settle_tasks(outcomes.clone(), at).await?;
                for $task in self.ledger.entries() {
                    let was_pending = pending.iter().any(|task| task.id == $task.id);
                    let outcome = outcomes.iter().find(|(id, _)| *id == $task.id);
                    if let Some((_, $outcome)) = outcome
                        && !was_pending
                        && $again
                    {
                        self.again.note(&[$task]);
                    }
                }
                Ok(())
            }

            async fn due_tasks(
                &self,
                store: &MemoryStore,
                now: Timestamp,
                share: Share,
                limit: usize,
            ) -> Result<Vec<OutboxEntry>, StoreError> {
                let mut again = self.again.all();
                again.retain(|task| share.has_task(task));
                Ok([store.due_tasks(now, share, limit).await?, again].concat())
            }
        }
    )*};
}

gives_out_again! {
    /// Tries a task again that is done, when an attempt of a slower runner fails.
    RetryRevivesDoneTasks: task, outcome =>
        task.state == OutboxState::Done && matches!(outcome, OutboxOutcome::Retry { .. });
    /// Tries a task again that is parked, when an attempt of a slower runner fails.
    RetryUnparksTasks: task, outcome =>
        task.state == OutboxState::Parked && matches!(outcome, OutboxOutcome::Retry { .. });
}

/// Gives out parked tasks like all others.
#[derive(Default)]
struct GivesOutParkedTasks {
    ledger: Ledger,
}

#[async_trait]
impl Breach for GivesOutParkedTasks {
    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.ledger)
    }

    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut parked = self.ledger.entries();
        parked.retain(|task| task.state == OutboxState::Parked && share.has_task(task));
        Ok([store.due_tasks(now, share, limit).await?, parked].concat())
    }
}

/// Makes a store that prunes in another way.
macro_rules! prunes {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $before:ident => $prune:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn prune_tasks(&self, $store: &MemoryStore, $before: Timestamp) -> Result<u64, StoreError> {
                $prune
            }
        }
    )*};
}

prunes! {
    /// Forgets also what was done at the moment itself.
    PrunesTheMomentToo: store, before => {
        store.prune_tasks(Timestamp::from_micros(before.as_micros() + 1)).await
    };
    /// Does not say how many tasks it forgot.
    DoesNotCountPrunedTasks: store, before => store.prune_tasks(before).await.map(|_| 0);
    /// Forgets tasks that were due before, done or not.
    PrunesPendingTasks: store, before => {
        let due = store.due_tasks(before, Share::ALL, usize::MAX).await?;
        let done = due.iter().map(|task| (task.id, OutboxOutcome::Done { position: Position::ZERO }));
        store.settle_tasks(done.collect(), Timestamp::from_micros(before.as_micros() - 1)).await?;
        store.prune_tasks(before).await
    };
    /// Never forgets.
    NeverPrunes: _store, _before => Ok(0);
}

/// Forgets parked tasks at a pruning.
#[derive(Default)]
struct PrunesParkedTasks(AtomicBool);

#[async_trait]
impl Breach for PrunesParkedTasks {
    async fn prune_tasks(&self, store: &MemoryStore, done_before: Timestamp) -> Result<u64, StoreError> {
        self.0.store(true, Ordering::Relaxed);
        store.prune_tasks(done_before).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let chain = store.chain(correlation).await?;
        let parked = if self.0.load(Ordering::Relaxed) { 0 } else { chain.parked };
        Ok(Chain { parked, ..chain })
    }
}

/// Counts every outcome that gives up a task, whatever the task has come to.
#[derive(Default)]
struct ParksTwice {
    ledger: Ledger,
    parked: Asked,
}

#[async_trait]
impl Breach for ParksTwice {
    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.ledger)
    }

    async fn settle_tasks(
        &self,
        store: &MemoryStore,
        outcomes: Outcomes,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let settled = self.ledger.entries().into_iter().filter(|task| task.state == OutboxState::Done);
        let parks =
            |id| outcomes.iter().any(|(of, to)| *of == id && matches!(to, OutboxOutcome::Parked { .. }));
        self.parked.note(&settled.filter(|task| parks(task.id)).collect::<Vec<_>>());
        store.settle_tasks(outcomes, at).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let twice = self.parked.all().iter().filter(|task| is_of(task, correlation)).count() as u64;
        let chain = store.chain(correlation).await?;
        Ok(Chain { parked: chain.parked + twice, ..chain })
    }
}

proofs! {
    RecordsOutcomesBackward: outcomes::outcomes_are_recorded_in_order;
    RecordsTheLastOutcomeOnly: outcomes::outcomes_are_recorded_in_order;
    RetriesAtOnce:
        outcomes::a_retry_counts_an_attempt,
        outcomes::outcomes_are_recorded_in_order,
        task_order::a_retried_command_holds_up_its_instance,
        task_order::a_stuck_command_holds_up_nobody_else,
        task_order::a_stuck_command_holds_up_only_later_ones,
        task_order::deadlines_hold_up_nobody,
        task_order::deadlines_wait_for_nobody,
        tasks::the_next_due_time_is_that_of_pending_tasks,
        operators::a_dropped_task_is_in_nobodys_way;
    ParksAtTheFirstFailure:
        chain::a_chain_counts_its_pending_commands,
        chain::a_waiting_deadline_does_not_count,
        outcomes::a_retry_counts_an_attempt,
        outcomes::outcomes_are_recorded_in_order,
        steps::a_task_sets_off_one_step,
        task_order::a_retried_command_holds_up_its_instance,
        tasks::the_next_due_time_is_that_of_pending_tasks,
        operators::a_parked_task_that_is_retried_is_due_again;
    FailsAtUnknownTasks: outcomes::outcomes_of_unknown_tasks_are_ignored;
    StopsAtUnknownTasks: outcomes::outcomes_of_unknown_tasks_are_ignored;
    RetryRevivesDoneTasks: outcomes::done_is_final;
    RetryUnparksTasks: outcomes::a_parked_task_stays_parked;
    GivesOutParkedTasks:
        outcomes::a_parked_task_stays_parked,
        outcomes::a_settled_task_is_not_due,
        steps::a_task_asked_for_again_is_left_as_it_is,
        steps::a_task_sets_off_one_step,
        task_order::a_parked_command_holds_up_its_instance,
        task_order::a_stuck_command_holds_up_nobody_else,
        task_order::a_stuck_command_holds_up_only_later_ones,
        task_order::deadlines_hold_up_nobody,
        task_order::deadlines_wait_for_nobody,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        task_order::a_parked_command_of_the_future_holds_up_nobody;
    PrunesTheMomentToo:
        outcomes::a_pruning_forgets_what_was_done_before,
        steps::a_task_of_a_step_is_done_when_the_step_was_made,
        operators::a_dropped_task_leaves_its_chain_and_is_pruned,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    DoesNotCountPrunedTasks:
        outcomes::a_pruning_forgets_what_was_done_before,
        outcomes::done_is_final,
        process_restart::the_outbox_survives_a_restart,
        steps::a_task_of_a_step_is_done_when_the_step_was_made,
        operators::a_dropped_task_leaves_its_chain_and_is_pruned,
        operators::what_is_done_is_not_decided_about,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    PrunesPendingTasks:
        chain::a_pruned_task_leaves_the_chain,
        outcomes::a_pruning_leaves_what_is_not_done,
        process_restart::the_outbox_survives_a_restart,
        operators::a_dropped_task_leaves_its_chain_and_is_pruned,
        operators::tasks_are_listed_in_the_order_asked,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    NeverPrunes:
        chain::a_pruned_task_leaves_the_chain,
        outcomes::a_pruning_forgets_what_was_done_before,
        outcomes::done_is_final,
        process_restart::the_outbox_survives_a_restart,
        steps::a_task_of_a_step_is_done_when_the_step_was_made,
        operators::a_dropped_task_leaves_its_chain_and_is_pruned,
        operators::what_is_done_is_not_decided_about,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    PrunesParkedTasks: outcomes::a_pruning_leaves_what_is_not_done;
    ParksTwice: outcomes::done_is_final;
}
