//! Stores that break the counting of causal chains.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::breach::*;
use crate::ledger::{Ledger, is_command, is_of};
use crate::proofs::proofs;

/// Makes a store that counts a chain with the help of its ledger.
macro_rules! counts {
    ($($(#[$doc:meta])* $breach:ident: $ledger:ident, $of:ident, $chain:ident => $count:expr;)*) => {$(
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

            async fn chain(&self, store: &MemoryStore, $of: CorrelationId) -> Result<Chain, StoreError> {
                let ($ledger, $chain) = (&self.ledger, store.chain($of).await?);
                Ok($count)
            }
        }
    )*};
}

fn is_pending(task: &OutboxEntry) -> bool {
    task.state == OutboxState::Pending
}

counts! {
    /// Takes a chain that it does not know for one that is under way.
    UnknownChainsArePending: ledger, of, chain => {
        let unknown = u64::from(ledger.count(|task| is_of(task, of)) == 0);
        Chain { pending: chain.pending + unknown, ..chain }
    };
    /// Does not count commands that wait for their next attempt.
    RetriedCommandsDoNotCount: ledger, of, chain => {
        let retried =
            ledger.count(|task| is_of(task, of) && is_command(task) && is_pending(task) && task.attempts > 0);
        Chain { pending: chain.pending - retried, ..chain }
    };
    /// Counts deadlines that wait.
    CountsDeadlinesAsPending: ledger, of, chain => {
        let waiting = ledger.count(|task| is_of(task, of) && !is_command(task) && is_pending(task));
        Chain { pending: chain.pending + waiting, ..chain }
    };
    /// Does not count deadlines that were given up.
    ParkedDeadlinesDoNotCount: ledger, of, chain => {
        let parked = ledger
            .count(|task| is_of(task, of) && !is_command(task) && task.state == OutboxState::Parked);
        Chain { parked: chain.parked.saturating_sub(parked), ..chain }
    };
    /// Counts tasks that were given up as still to be done.
    CountsParkedAsPending: _ledger, _of, chain => {
        Chain { pending: chain.pending + chain.parked, ..chain }
    };
    /// Counts tasks without a chain for every chain.
    TasksWithoutChainCountEverywhere: ledger, _of, chain => {
        let without = ledger.count(|task| task.metadata.correlation_id.is_none() && is_pending(task));
        Chain { pending: chain.pending + without, ..chain }
    };
    /// Counts all chains as one.
    CountsAllChainsAsOne: ledger, of, chain => {
        let pending = ledger.count(|task| is_command(task) && is_pending(task) && !is_of(task, of));
        Chain { pending: chain.pending + pending, ..chain }
    };
}

/// Remembers the highest position of a chain for ever.
#[derive(Default)]
struct PrunedTasksStayInTheChain(Mutex<HashMap<CorrelationId, Position>>);

#[async_trait]
impl Breach for PrunedTasksStayInTheChain {
    async fn prune_tasks(&self, store: &MemoryStore, done_before: Timestamp) -> Result<u64, StoreError> {
        // Chains are asked for again under the same ids, so that what was counted before is what counts.
        let chains: Vec<_> = self.0.lock().unwrap().keys().copied().collect();
        for chain in chains {
            self.chain(store, chain).await?;
        }
        store.prune_tasks(done_before).await
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        for task in &step.tasks {
            self.0
                .lock()
                .unwrap()
                .entry(task.metadata.correlation_id.unwrap_or(task.id.into()))
                .or_default();
        }
        store.commit_step(step).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let chain = store.chain(correlation).await?;
        let mut highest = self.0.lock().unwrap();
        let last = highest.entry(correlation).or_default();
        *last = chain.last.max(*last);
        Ok(Chain { last: *last, ..chain })
    }
}

/// Takes the position of the outcome that was recorded last for the highest.
#[derive(Default)]
struct TheLastPositionIsTheLatest(Ledger, Mutex<HashMap<CorrelationId, Position>>);

#[async_trait]
impl Breach for TheLastPositionIsTheLatest {
    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.0)
    }

    async fn settle_tasks(
        &self,
        store: &MemoryStore,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for task in self.0.entries() {
            for (id, outcome) in &outcomes {
                if let (OutboxOutcome::Done { position }, Some(chain)) =
                    (outcome, task.metadata.correlation_id)
                    && *id == task.id
                    && task.attempts == 0
                {
                    self.1.lock().unwrap().insert(chain, *position);
                }
            }
        }
        store.settle_tasks(outcomes, at).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let chain = store.chain(correlation).await?;
        let latest = self.1.lock().unwrap().get(&correlation).copied();
        Ok(Chain { last: latest.map_or(chain.last, |latest| latest.min(chain.last)), ..chain })
    }
}

/// Counts tasks that a step made done as still to be done.
#[derive(Default)]
struct TasksDoneByStepsStayInTheChain(Mutex<Vec<CommandId>>, Ledger);

#[async_trait]
impl Breach for TasksDoneByStepsStayInTheChain {
    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.1)
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Task { id, .. } = step.cause {
            self.0.lock().unwrap().push(id);
        }
        store.commit_step(step).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let chain = store.chain(correlation).await?;
        let by_step = self.0.lock().unwrap().clone();
        let stay = self.1.count(|task| is_of(task, correlation) && by_step.contains(&task.id));
        Ok(Chain { pending: chain.pending + stay, ..chain })
    }
}

proofs! {
    UnknownChainsArePending: chain::a_chain_without_tasks_is_empty, chain::a_chain_counts_its_stuck_instances;
    RetriedCommandsDoNotCount: chain::a_chain_counts_its_pending_commands;
    CountsDeadlinesAsPending: chain::a_waiting_deadline_does_not_count;
    ParkedDeadlinesDoNotCount: chain::a_chain_counts_its_parked_tasks;
    CountsParkedAsPending: chain::a_chain_counts_its_parked_tasks, chain::other_chains_do_not_count;
    TasksWithoutChainCountEverywhere: chain::other_chains_do_not_count;
    CountsAllChainsAsOne: chain::other_chains_do_not_count, steps::a_task_asked_for_again_is_left_as_it_is;
    PrunedTasksStayInTheChain: chain::a_pruned_task_leaves_the_chain;
    TheLastPositionIsTheLatest: chain::the_last_position_of_a_chain_is_its_highest;
    TasksDoneByStepsStayInTheChain: chain::a_task_done_by_a_step_leaves_the_chain;
}
