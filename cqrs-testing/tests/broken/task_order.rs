//! Stores that break the order of commands.

use async_trait::async_trait;

use crate::breach::*;
use crate::ledger::{Ledger, is_command};
use crate::proofs::proofs;

/// Whether an earlier task of the outbox must hold up a later one.
fn holds_up(earlier: &OutboxEntry, later: &OutboxEntry, now: Timestamp) -> bool {
    is_command(later) && is_command(earlier) && is_stuck(earlier, now) && is_beside(earlier, later)
}

fn is_stuck(task: &OutboxEntry, now: Timestamp) -> bool {
    task.due_at <= now && (task.state == OutboxState::Parked || waits(task, now))
}

fn waits(task: &OutboxEntry, now: Timestamp) -> bool {
    task.state == OutboxState::Pending && task.retry_at > now
}

fn is_beside(one: &OutboxEntry, two: &OutboxEntry) -> bool {
    one.process == two.process && one.instance == two.instance
}

type HoldsUp = fn(&OutboxEntry, &OutboxEntry, Timestamp) -> bool;

/// The due tasks, by another notion of who holds up whom.
fn due(
    tasks: &[OutboxEntry],
    now: Timestamp,
    share: Share,
    limit: usize,
    holds_up: HoldsUp,
) -> Vec<OutboxEntry> {
    let due = tasks.iter().enumerate().filter(|(index, task)| {
        task.state == OutboxState::Pending
            && share.has_task(task)
            && task.retry_at <= now
            && !tasks[..*index].iter().any(|earlier| holds_up(earlier, task, now))
    });
    due.map(|(_, task)| task.clone()).take(limit).collect()
}

/// Makes a store where other tasks hold up a task than those that must.
macro_rules! orders_tasks {
    ($($(#[$doc:meta])* $breach:ident: $holds_up:expr;)*) => {$(
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

            async fn due_tasks(
                &self,
                _store: &MemoryStore,
                now: Timestamp,
                share: Share,
                limit: usize,
            ) -> Result<Vec<OutboxEntry>, StoreError> {
                Ok(due(&self.ledger.entries(), now, share, limit, $holds_up))
            }
        }
    )*};
}

orders_tasks! {
    /// Lets later commands pass one that waits for its next attempt.
    RetriesOutOfOrder: |earlier, later, now| !waits(earlier, now) && holds_up(earlier, later, now);
    /// Lets later commands pass one that is parked.
    ParkedCommandsArePassed:
        |earlier, later, now| earlier.state != OutboxState::Parked && holds_up(earlier, later, now);
    /// Stops everybody behind a parked command.
    ParkedBlocksEverybody: |earlier, later, now| {
        is_command(earlier) && is_command(later) && is_stuck(earlier, now)
            && (earlier.state == OutboxState::Parked || is_beside(earlier, later))
    };
    /// Stops everybody behind a command that waits for its next attempt.
    RetryBlocksEverybody: |earlier, later, now| {
        is_command(earlier) && is_command(later) && is_stuck(earlier, now)
            && (waits(earlier, now) || is_beside(earlier, later))
    };
    /// Takes instances of several process managers for one when their ids are the same.
    BlocksAcrossProcesses: |earlier, later, now| {
        let process = earlier.process.clone();
        holds_up(earlier, &OutboxEntry { process, ..later.clone() }, now)
    };
    /// Takes instances for one when the id of one begins with that of the other.
    BlocksInstancesByPrefix: |earlier, later, now| {
        let begins = later.instance.as_str().starts_with(earlier.instance.as_str());
        let instance = if begins { earlier.instance.clone() } else { later.instance.clone() };
        holds_up(earlier, &OutboxEntry { instance, ..later.clone() }, now)
    };
    /// Lets a command hold up others before it is due at all.
    FutureCommandsBlock: |earlier, later, now| {
        holds_up(&OutboxEntry { due_at: now, ..earlier.clone() }, later, now)
    };
    /// Lets deadlines wait for the commands of their instance.
    DeadlinesWaitForCommands: |earlier, later, now| {
        is_command(earlier) && is_stuck(earlier, now) && is_beside(earlier, later)
    };
    /// Lets deadlines hold up the commands of their instance.
    DeadlinesBlock: |earlier, later, now| {
        is_command(later) && is_stuck(earlier, now) && is_beside(earlier, later)
    };
}

/// Gives out nothing of an instance that has a stuck command, not even what was asked for before it.
#[derive(Default)]
struct BlocksEarlierCommands {
    ledger: Ledger,
}

#[async_trait]
impl Breach for BlocksEarlierCommands {
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
        let all = self.ledger.entries();
        let mut due = store.due_tasks(now, share, limit).await?;
        due.retain(|task| !all.iter().any(|other| holds_up(other, task, now)));
        Ok(due)
    }
}

proofs! {
    RetriesOutOfOrder:
        task_order::a_retried_command_holds_up_its_instance,
        task_order::a_stuck_command_holds_up_only_later_ones,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    ParkedCommandsArePassed:
        task_order::a_parked_command_holds_up_its_instance,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried,
        task_order::a_parked_command_of_the_future_holds_up_nobody;
    ParkedBlocksEverybody:
        outcomes::a_settled_task_is_not_due,
        steps::a_task_asked_for_again_is_left_as_it_is,
        task_order::a_stuck_command_holds_up_nobody_else,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    RetryBlocksEverybody:
        task_order::a_stuck_command_holds_up_nobody_else,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    BlocksAcrossProcesses:
        task_order::a_stuck_command_holds_up_nobody_else,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    BlocksInstancesByPrefix:
        task_order::a_stuck_command_holds_up_nobody_else,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    FutureCommandsBlock:
        task_order::a_future_command_holds_up_nobody,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried,
        task_order::a_parked_command_of_the_future_holds_up_nobody;
    DeadlinesWaitForCommands:
        task_order::deadlines_wait_for_nobody,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    DeadlinesBlock:
        task_order::deadlines_hold_up_nobody,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    BlocksEarlierCommands:
        task_order::a_stuck_command_holds_up_only_later_ones,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
}
