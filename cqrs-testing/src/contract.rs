//! The contract of a store, one rule a function.
//!
//! A rule takes a [`StoreFactory`] and answers with a [`Verdict`]: a [`Violation`] says in a sentence what was
//! wanted and what was found. [`rules!`](crate::rules) is the list of all rules, by family; tests, documentation
//! and the proofs of the rules are made from it.

pub(crate) mod build;
mod build_step;
mod look;
mod violation;

pub mod append;
pub mod batch;
pub mod chain;
pub mod checkpoint;
pub mod damage;
pub mod deadlines;
pub mod expected;
pub mod handlers;
pub mod instances;
pub mod leases;
pub mod limits;
pub mod live;
pub mod log;
pub mod operators;
pub mod others;
pub mod outcomes;
pub mod positions;
pub mod process_restart;
pub mod reading;
pub mod receipts;
pub mod restart;
pub mod round_trip;
pub mod snapshots;
pub mod steps;
pub mod task_order;
pub mod tasks;
pub mod waiting;
pub mod width;

use async_trait::async_trait;
use cqrs_core::{Position, Store};

pub use violation::{Verdict, Violation};

/// Makes stores for the rules.
///
/// ```
/// use async_trait::async_trait;
/// use cqrs_memory::MemoryStore;
/// use cqrs_testing::StoreFactory;
///
/// struct InMemory;
///
/// #[async_trait]
/// impl StoreFactory for InMemory {
///     type Store = MemoryStore;
///
///     async fn make(&self) -> MemoryStore {
///         MemoryStore::new()
///     }
///
///     async fn again(&self, store: &MemoryStore) -> MemoryStore {
///         store.clone()
///     }
///
///     // What is in memory ends with the process. A store on a disk opens the same files here.
///     async fn reopen(&self, store: MemoryStore) -> MemoryStore {
///         store
///     }
/// }
/// ```
#[async_trait]
pub trait StoreFactory: Send + Sync + 'static {
    /// The store.
    type Store: Store;

    /// A new, empty store that nobody else uses.
    async fn make(&self) -> Self::Store;

    /// Another handle on the same data while the first one is in use, by a connection of its own: what
    /// another process would have.
    async fn again(&self, store: &Self::Store) -> Self::Store;

    /// Closes a store and opens the same data again, as after a restart of the process. A backend whose data
    /// ends with the process lacks the family `restart`, see [`store_contract!`](crate::store_contract).
    async fn reopen(&self, store: Self::Store) -> Self::Store;

    /// Spoils what is kept of the event at a position, as a faulty disk or another program would, so that it cannot
    /// be read any more. A backend that has no way to do so lacks the family `damage`.
    ///
    /// # Panics
    ///
    /// Always, unless a factory does it.
    async fn damage(&self, _store: &Self::Store, _position: Position) {
        panic!("this factory spoils no events: give it a `damage`, or lack the family `damage`");
    }
}

/// Calls a macro with the list of all rules, by family.
#[doc(hidden)]
#[macro_export]
macro_rules! rules {
    ($callback:path, $($arguments:tt)*) => {
        $callback! {
            { $($arguments)* }
            append {
                an_append_is_read_back_in_order
                versions_count_from_one_over_appends
                an_answer_tells_version_position_and_count
                an_append_to_several_streams_is_stored_whole
                an_append_lies_in_the_log_in_the_order_of_its_writes
                an_append_to_several_streams_is_refused_whole
                a_write_without_events_guards_the_others
                an_append_without_events_tells_version_and_head
                an_append_without_streams_tells_the_head
                racing_appends_to_the_same_streams_do_not_mix
            }
            batch {
                answers_are_in_the_order_of_the_batch
                an_empty_batch_has_no_answers
                a_refused_append_leaves_the_others
                appends_of_a_batch_can_be_chained
                an_append_falls_with_the_one_that_it_rests_on
                an_append_falls_with_the_duplicate_that_it_rests_on
                earlier_events_of_the_batch_count
                refused_events_do_not_count
                an_append_without_events_sees_the_batch_before_it
                a_batch_is_seen_whole_or_not_at_all
            }
            expected {
                expectations_of_a_missing_stream
                expectations_of_a_stream_with_events
                expectations_are_checked_without_events
                a_write_without_events_makes_no_stream
                a_stale_writer_is_refused
                one_of_racing_writers_wins
            }
            receipts {
                a_repeated_command_changes_nothing
                the_id_alone_makes_a_repetition
                a_command_without_events_is_remembered
                a_repetition_in_the_same_batch_changes_nothing
                a_receipt_comes_before_the_expected_version
                a_receipt_comes_before_the_limits
                a_refused_append_leaves_no_receipt
                one_of_racing_repetitions_takes_effect
                receipts_come_in_the_order_of_the_ids
            }
            positions {
                an_empty_store_has_its_head_at_zero
                positions_are_dense_over_streams
                a_stream_and_the_log_agree
                a_refused_append_leaves_no_gap
                nothing_appears_behind_a_reader
                everything_below_the_head_can_be_read
            }
            reading {
                a_stream_is_read_forward
                a_stream_is_read_backward
                a_stream_is_read_in_pages
                a_page_of_no_events_is_empty
                beyond_its_end_a_stream_is_whole_backward_only
                from_zero_a_stream_is_whole_forward_only
                a_missing_stream_reads_as_empty
                streams_with_like_names_never_mix
            }
            log {
                a_page_begins_after_a_position
                a_page_keeps_its_limit
                a_page_of_no_events_passes_over_none
                a_page_at_the_head_does_not_move
                a_long_log_is_read_in_pages
                rare_events_in_a_long_log_are_found
                a_filter_that_matches_nothing_reaches_the_head
                the_log_is_filtered_by_category
                the_log_is_filtered_by_event_type
                the_log_is_filtered_by_stream
                all_parts_of_a_filter_must_hold
                an_empty_list_matches_nothing
            }
            waiting {
                a_wait_for_the_past_ends_at_once
                an_append_wakes_who_waits
                a_wait_does_not_end_early
                nothing_new_wakes_nobody
                all_who_wait_are_woken
                a_dropped_wait_disturbs_nobody
                closing_ends_all_waits
                a_closed_store_says_so
            }
            live {
                readers_go_from_the_past_to_the_present
            }
            others {
                another_handle_reads_what_was_acknowledged
                a_stale_handle_is_refused
                one_of_racing_handles_wins
                receipts_hold_between_handles
                one_of_repetitions_racing_by_two_handles_takes_effect
                an_append_wakes_who_waits_by_another_handle
                positions_are_dense_while_two_handles_write
                closing_leaves_other_handles_open
                closing_keeps_what_was_acknowledged
            }
            width {
                versions_and_positions_outgrow_sixteen_bits
            }
            round_trip {
                data_comes_back_to_the_byte
                long_data_comes_back_whole
                event_types_come_back
                event_ids_come_back
                causes_and_chains_come_back
                events_of_a_command_come_back
                additions_to_metadata_come_back
                times_come_back_to_the_microsecond
                stream_names_come_back
            }
            damage {
                a_spoiled_event_fails_every_read_that_has_it
                a_spoiled_event_is_named
                a_spoiled_event_leaves_the_others_readable
                a_spoiled_event_still_counts
            }
            leases {
                a_lease_is_one_holders_at_a_time
                a_lease_ends_in_its_time
                a_lease_is_renewed_by_its_holder
                a_lease_that_is_given_back_is_free
                holders_are_told_in_order
                leases_do_not_mix
                one_of_racing_holders_gets_the_lease
                leases_hold_between_handles
            }
            limits {
                an_event_has_a_largest_size
                an_event_type_has_its_limits
                an_append_has_a_most_of_events
                an_append_writes_a_stream_once
                an_invalid_append_leaves_its_stream
            }
            restart {
                events_survive_a_restart
                versions_and_positions_go_on_after_a_restart
                receipts_survive_a_restart
                expected_versions_hold_over_a_restart
                restarts_neither_lose_nor_add
                waits_work_after_a_restart
                snapshots_survive_a_restart
                handlers_survive_a_restart
            }
            snapshots {
                a_stream_has_no_snapshot_at_first
                a_snapshot_is_read_back_as_written
                a_newer_snapshot_replaces_the_older
                a_snapshot_never_regresses
                a_newer_schema_replaces_the_same_version
                a_snapshot_is_never_newer_than_its_stream
                snapshots_of_streams_do_not_mix
                of_racing_snapshots_the_newest_stays
            }
            checkpoint {
                a_checkpoint_is_zero_at_first
                a_step_moves_the_checkpoint
                a_step_from_elsewhere_is_fenced
                of_two_racing_steps_one_is_fenced
                checkpoints_do_not_mix
                a_checkpoint_is_kept_exactly
                a_checkpoint_is_seen_by_other_handles
            }
            instances {
                instances_are_answered_in_the_order_asked
                a_later_state_replaces_the_earlier
                a_finished_instance_stays
                instances_of_processes_do_not_mix
                instance_ids_are_told_apart
                a_state_is_read_back_as_written
                an_instance_is_read_back_as_written
            }
            steps {
                a_step_changes_all_of_its_parts
                a_fenced_step_changes_nothing
                a_step_of_a_task_makes_it_done
                a_task_sets_off_one_step
                a_task_of_a_step_is_done_when_the_step_was_made
                a_task_asked_for_again_is_left_as_it_is
                a_task_asked_for_twice_in_a_step_is_kept_once
                of_two_racing_steps_of_a_task_one_is_fenced
                a_stuck_instance_takes_what_it_has_missed
                a_step_of_an_instance_that_is_not_stuck_there_is_fenced
                a_stuck_instance_goes_on_from_the_checkpoint_only
            }
            deadlines {
                a_step_drops_the_deadlines_that_it_cancels
                a_cancelled_deadline_may_be_asked_for_again
            }
            tasks {
                an_empty_outbox_has_nothing_due
                a_task_is_read_back_as_written
                due_tasks_come_in_the_order_asked
                a_task_is_not_due_before_its_time
                due_tasks_keep_to_the_limit
                due_tasks_are_those_of_the_share
                a_thousand_tasks_and_more_are_due_at_once
                a_task_is_due_until_it_is_settled
                the_next_due_time_is_strictly_later
                the_next_due_time_is_that_of_pending_tasks
            }
            task_order {
                a_retried_command_holds_up_its_instance
                a_parked_command_holds_up_its_instance
                a_stuck_command_holds_up_nobody_else
                a_stuck_command_holds_up_only_later_ones
                a_future_command_holds_up_nobody
                a_parked_command_of_the_future_holds_up_nobody
                deadlines_wait_for_nobody
                deadlines_hold_up_nobody
            }
            outcomes {
                a_retry_counts_an_attempt
                a_settled_task_is_not_due
                done_is_final
                a_parked_task_stays_parked
                outcomes_are_recorded_in_order
                outcomes_of_unknown_tasks_are_ignored
                a_pruning_forgets_what_was_done_before
                a_pruning_leaves_what_is_not_done
            }
            chain {
                a_chain_without_tasks_is_empty
                a_chain_counts_its_pending_commands
                a_chain_counts_its_parked_tasks
                a_waiting_deadline_does_not_count
                the_last_position_of_a_chain_is_its_highest
                a_task_done_by_a_step_leaves_the_chain
                other_chains_do_not_count
                a_pruned_task_leaves_the_chain
                a_chain_counts_its_stuck_instances
            }
            operators {
                tasks_are_listed_in_the_order_asked
                tasks_are_listed_by_what_is_wanted
                a_task_is_found_by_its_id
                instances_are_listed_in_the_order_of_their_ids
                instances_are_listed_by_where_they_stand
                a_parked_task_that_is_retried_is_due_again
                only_what_has_failed_is_retried
                a_dropped_task_is_in_nobodys_way
                what_is_done_is_not_decided_about
                a_dropped_task_leaves_its_chain_and_is_pruned
            }
            handlers {
                a_handler_begins_with_nothing
                a_step_replaces_the_checkpoint
                a_step_of_another_revision_is_fenced
                of_two_racing_handler_steps_one_is_fenced
                handlers_do_not_mix
                a_parked_event_is_read_back_as_written
                parked_events_come_in_order_and_in_pages
                parked_events_are_found_by_key
                a_parked_event_is_replaced_by_attempts_alone
                a_released_event_is_gone
                a_retry_marks_what_was_given_up
                a_drop_marks_the_set_and_stays
                other_handles_see_parked_events
            }
            process_restart {
                checkpoint_and_instances_survive_a_restart
                the_outbox_survives_a_restart
            }
        }
    };
}

/// Makes a named test for each rule of the contract.
///
/// The package needs `tokio` with the features `macros` and `rt-multi-thread` among its dev-dependencies.
///
/// A backend that cannot have what a family is about says so: the tests of that family are there, and are
/// ignored for the reason given. Only `restart`, `others` and `damage` can be lacked; who lacks `restart` lacks
/// `process_restart` too.
///
/// ```ignore
/// cqrs_testing::store_contract!(MyStoreFactory);
/// cqrs_testing::store_contract!(MyStoreFactory, lacks { restart: "the data ends with the process" });
/// ```
///
/// A backend that needs something which is not on every machine, such as a server, names a `cfg` that its build script
/// sets where there is one. Elsewhere all tests are ignored for the reason given.
///
/// ```ignore
/// cqrs_testing::store_contract!(MyStoreFactory, needs { server: "MY_SERVER_URL is not set" });
/// ```
#[macro_export]
macro_rules! store_contract {
    ({ @needing $factory:expr, $attribute:tt } $($family:ident $rules:tt)*) => {
        $(mod $family {
            #[allow(unused_imports, reason = "the factory may be named by a path or made by an expression")]
            use super::*;
            $crate::store_contract!(@rules $family $factory, $attribute $rules);
        })*
    };
    ({ @tests $factory:expr, $lacks:tt } $($family:ident { $($rule:ident)* })*) => {
        $(mod $family {
            #[allow(unused_imports, reason = "the factory may be named by a path or made by an expression")]
            use super::*;
            $crate::store_contract!(@family $family $factory, $lacks { $($rule)* });
        })*
    };
    (@family restart $factory:expr, { restart $why:literal $($rest:tt)* } $rules:tt) => {
        $crate::store_contract!(@rules restart $factory, [ignore = $why] $rules);
    };
    (@family process_restart $factory:expr, { restart $why:literal $($rest:tt)* } $rules:tt) => {
        $crate::store_contract!(@rules process_restart $factory, [ignore = $why] $rules);
    };
    (@family others $factory:expr, { others $why:literal $($rest:tt)* } $rules:tt) => {
        $crate::store_contract!(@rules others $factory, [ignore = $why] $rules);
    };
    (@family damage $factory:expr, { damage $why:literal $($rest:tt)* } $rules:tt) => {
        $crate::store_contract!(@rules damage $factory, [ignore = $why] $rules);
    };
    (@family $family:ident $factory:expr, { $lacked:ident $why:literal $($rest:tt)* } $rules:tt) => {
        $crate::store_contract!(@family $family $factory, { $($rest)* } $rules);
    };
    (@family $family:ident $factory:expr, {} $rules:tt) => {
        $crate::store_contract!(@rules $family $factory, [allow()] $rules);
    };
    (@rules $family:ident $factory:expr, $attribute:tt { $($rule:ident)* }) => {
        $(#$attribute
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $rule() {
            if let Err(violation) = $crate::contract::$family::$rule(&$factory).await {
                panic!("{violation}");
            }
        })*
    };
    (@lackable restart) => {};
    (@lackable others) => {};
    (@lackable damage) => {};
    (@lackable $family:ident) => {
        ::std::compile_error!(concat!("no store may lack the family `", stringify!($family), "`"));
    };
    ($factory:expr) => {
        $crate::rules!($crate::store_contract, @tests $factory, {});
    };
    ($factory:expr, needs { $cfg:ident: $why:literal $(,)? }) => {
        $crate::rules!($crate::store_contract, @needing $factory, [cfg_attr(not($cfg), ignore = $why)]);
    };
    ($factory:expr, lacks { $($family:ident: $why:literal),+ $(,)? }) => {
        $($crate::store_contract!(@lackable $family);)+
        $crate::rules!($crate::store_contract, @tests $factory, { $($family $why)+ });
    };
}
