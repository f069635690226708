//! Stores that break the outbox.

use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::breach::*;
use crate::ledger::Ledger;
use crate::proofs::proofs;
use crate::trick::NEVER;

type Due = Result<Vec<OutboxEntry>, StoreError>;

fn later(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(at.as_micros() + micros)
}

/// Makes a store that changes a task when it is asked for.
macro_rules! changes_tasks {
    ($($(#[$doc:meta])* $breach:ident: $task:ident => $change:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
                for $task in &mut step.tasks $change
                store.commit_step(step).await
            }
        }
    )*};
}

changes_tasks! {
    /// Keeps causation and correlation of a task and nothing else of its metadata.
    LosesMetadataOfTasks: task => { task.metadata.extra.clear(); }
    /// Keeps times of tasks to the millisecond.
    RoundsTimesOfTasks: task => {
        task.due_at = Timestamp::from_micros(task.due_at.as_micros() / 1_000 * 1_000);
        task.retry_at = Timestamp::from_micros(task.retry_at.as_micros() / 1_000 * 1_000);
    }
    /// Loses the character U+0000 of a command.
    DropsNulsOfTasks: task => {
        if let OutboxTask::Command(command) = &mut task.task {
            command.data = Json::parse(command.data.as_str().replace("\\u0000", "")).unwrap();
        }
    }
    /// Begins a causal chain for a task that has none.
    InventsChains: task => {
        task.metadata.correlation_id.get_or_insert(task.id.into());
    }
}

/// Makes a store that changes the answer of `due_tasks`.
macro_rules! changes_due_tasks {
    ($($(#[$doc:meta])* $breach:ident: $tasks:ident => $change:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn due_tasks(&self, store: &MemoryStore, now: Timestamp, share: Share, limit: usize) -> Due {
                let mut $tasks = store.due_tasks(now, share, limit).await?;
                $change;
                Ok($tasks)
            }
        }
    )*};
}

changes_due_tasks! {
    /// Gives out what is due longest first.
    SortsDueTasksByTime: tasks => { tasks.sort_by_key(|task| task.due_at); }
    /// Gives tasks out in the order of their ids.
    SortsDueTasksById: tasks => { tasks.sort_by_key(|task| task.id); }
    /// Gives tasks out process by process.
    GroupsDueTasksByProcess: tasks => { tasks.sort_by(|one, two| one.process.cmp(&two.process)); }
    /// Counts at most one attempt.
    ForgetsAttempts: tasks => { tasks.iter_mut().for_each(|task| task.attempts = task.attempts.min(1)); }
    /// Has no column for what went wrong.
    ForgetsErrors: tasks => { tasks.iter_mut().for_each(|task| task.last_error = None); }
}

/// Makes a store that asks for due tasks in another way.
macro_rules! asks_for_due_tasks {
    ($($(#[$doc:meta])* $breach:ident: $now:ident, $limit:ident => $asks_for:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn due_tasks(&self, store: &MemoryStore, $now: Timestamp, share: Share, $limit: usize) -> Due {
                let (now, limit) = $asks_for;
                store.due_tasks(now, share, limit).await
            }
        }
    )*};
}

asks_for_due_tasks! {
    /// Gives tasks out a microsecond early.
    GivesTasksOutEarly: now, limit => (later(now, 1), limit);
    /// Gives tasks out a microsecond late.
    GivesTasksOutLate: now, limit => (later(now, -1), limit);
    /// Gives out all due tasks, whatever the limit.
    IgnoresTheLimitOfTasks: now, _limit => (now, usize::MAX);
    /// Gives out a thousand tasks at most.
    CutsDueTasksAt1000: now, limit => (now, limit.min(1_000));
    /// Takes a limit of zero for none.
    TakesZeroForNoLimit: now, limit => (now, if limit == 0 { usize::MAX } else { limit });
}

/// Gives everybody the whole outbox.
#[derive(Default)]
struct HasOneShare;

#[async_trait]
impl Breach for HasOneShare {
    async fn due_tasks(&self, store: &MemoryStore, now: Timestamp, _: Share, limit: usize) -> Due {
        store.due_tasks(now, Share::ALL, limit).await
    }
}

/// Applies the limit first and takes out then what other shares have.
#[derive(Default)]
struct LimitsBeforeItShares;

#[async_trait]
impl Breach for LimitsBeforeItShares {
    async fn due_tasks(&self, store: &MemoryStore, now: Timestamp, share: Share, limit: usize) -> Due {
        let mut due = store.due_tasks(now, Share::ALL, limit).await?;
        due.retain(|task| share.has_task(task));
        Ok(due)
    }
}

/// Applies the limit first and looks at the time then.
#[derive(Default)]
struct LimitsBeforeItFilters;

#[async_trait]
impl Breach for LimitsBeforeItFilters {
    async fn due_tasks(&self, store: &MemoryStore, now: Timestamp, share: Share, limit: usize) -> Due {
        let first = store.due_tasks(NEVER, Share::ALL, limit).await?;
        let mut due = store.due_tasks(now, share, usize::MAX).await?;
        due.retain(|task| first.iter().any(|first| first.id == task.id));
        Ok(due)
    }
}

/// Takes a task that was given out for one that is done.
#[derive(Default)]
struct GivesTasksOutOnce(Mutex<HashSet<(CommandId, u32)>>);

#[async_trait]
impl Breach for GivesTasksOutOnce {
    async fn due_tasks(&self, store: &MemoryStore, now: Timestamp, share: Share, limit: usize) -> Due {
        let mut due = store.due_tasks(now, share, limit).await?;
        due.retain(|task| self.0.lock().unwrap().insert((task.id, task.attempts)));
        Ok(due)
    }
}

/// Answers with the end of time when nothing is to be waited for.
#[derive(Default)]
struct AlwaysHasANextDueTime;

#[async_trait]
impl Breach for AlwaysHasANextDueTime {
    async fn next_due(
        &self,
        store: &MemoryStore,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(Some(store.next_due(after).await?.unwrap_or(NEVER)))
    }
}

/// Answers with the moment itself when something is due at it.
#[derive(Default)]
struct TheNextDueTimeIsNow;

#[async_trait]
impl Breach for TheNextDueTimeIsNow {
    async fn next_due(
        &self,
        store: &MemoryStore,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        store.next_due(later(after, -1)).await
    }
}

/// Makes a store whose next due time is of other tasks.
macro_rules! next_due {
    ($($(#[$doc:meta])* $breach:ident: $task:ident => $time:expr;)*) => {$(
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

            async fn next_due(
                &self,
                _store: &MemoryStore,
                after: Timestamp,
            ) -> Result<Option<Timestamp>, StoreError> {
                let times = self.ledger.entries().into_iter().filter_map(|$task| $time);
                Ok(times.filter(|time| *time > after).min())
            }
        }
    )*};
}

next_due! {
    /// Does not know that a task is to be tried again later.
    TheNextDueTimeForgetsRetries: task => (task.state == OutboxState::Pending).then_some(task.due_at);
    /// Waits for tasks that are done.
    TheNextDueTimeCountsDoneTasks: task => (task.state != OutboxState::Parked).then_some(task.retry_at);
    /// Waits for tasks that were given up.
    TheNextDueTimeCountsParkedTasks: task => (task.state != OutboxState::Done).then_some(task.retry_at);
}

proofs! {
    LosesMetadataOfTasks: tasks::a_task_is_read_back_as_written;
    RoundsTimesOfTasks:
        outcomes::a_retry_counts_an_attempt,
        outcomes::outcomes_are_recorded_in_order,
        steps::a_task_asked_for_again_is_left_as_it_is,
        steps::a_task_asked_for_twice_in_a_step_is_kept_once,
        task_order::a_future_command_holds_up_nobody,
        tasks::a_task_is_due_until_it_is_settled,
        tasks::a_task_is_not_due_before_its_time,
        tasks::a_task_is_read_back_as_written,
        tasks::due_tasks_keep_to_the_limit,
        tasks::the_next_due_time_is_strictly_later,
        tasks::the_next_due_time_is_that_of_pending_tasks,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::a_task_is_found_by_its_id,
        operators::only_what_has_failed_is_retried,
        task_order::a_parked_command_of_the_future_holds_up_nobody,
        tasks::due_tasks_are_those_of_the_share;
    DropsNulsOfTasks: tasks::a_task_is_read_back_as_written;
    InventsChains: tasks::a_task_is_read_back_as_written;
    SortsDueTasksByTime:
        task_order::a_future_command_holds_up_nobody,
        tasks::a_task_is_read_back_as_written,
        tasks::due_tasks_come_in_the_order_asked;
    SortsDueTasksById: tasks::due_tasks_come_in_the_order_asked;
    GroupsDueTasksByProcess:
        task_order::a_stuck_command_holds_up_nobody_else,
        tasks::due_tasks_come_in_the_order_asked,
        tasks::due_tasks_are_those_of_the_share;
    ForgetsAttempts:
        outcomes::a_retry_counts_an_attempt,
        outcomes::outcomes_are_recorded_in_order,
        tasks::a_task_is_read_back_as_written;
    ForgetsErrors:
        outcomes::a_retry_counts_an_attempt,
        outcomes::outcomes_are_recorded_in_order,
        tasks::a_task_is_read_back_as_written,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    GivesTasksOutEarly:
        outcomes::a_retry_counts_an_attempt,
        task_order::a_future_command_holds_up_nobody,
        task_order::a_retried_command_holds_up_its_instance,
        tasks::a_task_is_not_due_before_its_time,
        operators::a_parked_task_that_is_retried_is_due_again,
        task_order::a_parked_command_of_the_future_holds_up_nobody;
    GivesTasksOutLate:
        outcomes::a_retry_counts_an_attempt,
        steps::a_fenced_step_changes_nothing,
        steps::a_step_changes_all_of_its_parts,
        steps::a_step_of_a_task_makes_it_done,
        steps::a_task_asked_for_again_is_left_as_it_is,
        steps::a_task_asked_for_twice_in_a_step_is_kept_once,
        steps::of_two_racing_steps_of_a_task_one_is_fenced,
        task_order::a_future_command_holds_up_nobody,
        task_order::a_retried_command_holds_up_its_instance,
        task_order::a_stuck_command_holds_up_nobody_else,
        task_order::a_stuck_command_holds_up_only_later_ones,
        task_order::deadlines_hold_up_nobody,
        task_order::deadlines_wait_for_nobody,
        tasks::a_task_is_due_until_it_is_settled,
        tasks::a_task_is_not_due_before_its_time,
        tasks::a_task_is_read_back_as_written,
        tasks::a_thousand_tasks_and_more_are_due_at_once,
        tasks::due_tasks_come_in_the_order_asked,
        tasks::due_tasks_keep_to_the_limit,
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried,
        steps::a_stuck_instance_takes_what_it_has_missed,
        task_order::a_parked_command_of_the_future_holds_up_nobody,
        tasks::due_tasks_are_those_of_the_share;
    HasOneShare: tasks::due_tasks_are_those_of_the_share;
    LimitsBeforeItShares: tasks::due_tasks_are_those_of_the_share;
    IgnoresTheLimitOfTasks:
        tasks::due_tasks_keep_to_the_limit,
        tasks::due_tasks_are_those_of_the_share;
    CutsDueTasksAt1000: tasks::a_thousand_tasks_and_more_are_due_at_once;
    TakesZeroForNoLimit: tasks::due_tasks_keep_to_the_limit;
    LimitsBeforeItFilters:
        tasks::due_tasks_keep_to_the_limit,
        task_order::a_parked_command_of_the_future_holds_up_nobody,
        tasks::due_tasks_are_those_of_the_share;
    GivesTasksOutOnce:
        outcomes::a_pruning_leaves_what_is_not_done,
        process_restart::the_outbox_survives_a_restart,
        steps::a_task_asked_for_again_is_left_as_it_is,
        task_order::a_future_command_holds_up_nobody,
        task_order::a_retried_command_holds_up_its_instance,
        task_order::a_stuck_command_holds_up_only_later_ones,
        tasks::a_task_is_due_until_it_is_settled,
        tasks::a_task_is_not_due_before_its_time,
        tasks::due_tasks_keep_to_the_limit,
        operators::a_dropped_task_is_in_nobodys_way,
        tasks::due_tasks_are_those_of_the_share;
    AlwaysHasANextDueTime: tasks::an_empty_outbox_has_nothing_due, tasks::the_next_due_time_is_strictly_later;
    TheNextDueTimeIsNow: tasks::the_next_due_time_is_strictly_later, operators::only_what_has_failed_is_retried;
    TheNextDueTimeForgetsRetries: tasks::the_next_due_time_is_that_of_pending_tasks;
    TheNextDueTimeCountsDoneTasks: tasks::the_next_due_time_is_that_of_pending_tasks;
    TheNextDueTimeCountsParkedTasks: tasks::the_next_due_time_is_that_of_pending_tasks;
}
