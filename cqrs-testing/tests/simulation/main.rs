//! The simulation finds what it is for: each fault that process managers are known for, put in on purpose, makes a
//! seed fail; and where nothing is wrong, none does.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

#[path = "../broken/breach.rs"]
#[allow(dead_code, reason = "here the stores are made for a world, not for the contract")]
mod breach;
mod faults;
#[path = "../broken/ledger.rs"]
#[expect(dead_code, reason = "no fault here needs it")]
mod ledger;
mod purses;
mod read_model;
mod repeats;
#[path = "../broken/trick.rs"]
#[expect(dead_code, reason = "a part of it is needed")]
mod trick;
mod world;

use std::sync::Arc;

use breach::{Breach, Whole};
use cqrs_testing::{FailedSeed, Simulation};
use faults::*;
use world::Purses;

/// How many seeds a fault may hide in.
const SEEDS: u64 = 400;

fn simulation<B: Breach>(breach: fn() -> B) -> Simulation<impl Fn(u64) -> Purses> {
    Simulation::new(move |_| Purses::on(Arc::new(breach())))
}

/// The seed in which a fault is found. It is printed for the curious.
fn found(fault: &str, failed: Option<FailedSeed>) {
    let FailedSeed { seed, message, .. } = failed.unwrap_or_else(|| panic!("{fault} is not found"));
    println!("{fault} is found at seed {seed}: {message}");
}

macro_rules! finds {
    ($($test:ident: $breach:expr, $processes:literal;)*) => {$(
        #[test]
        fn $test() {
            let failed = simulation(|| $breach).processes($processes).first_failure(SEEDS);
            found(stringify!($test), failed);
        }
    )*};
}

finds! {
    finds_commands_that_are_not_deduplicated: ForgetsReceipts, 1;
    finds_a_lost_answer_that_is_tried_again_under_a_new_id: NewIdForEachAttempt::default(), 1;
    finds_ends_of_which_nothing_is_known: ForgetsTombstones, 1;
    finds_a_checkpoint_that_is_moved_before_its_step: MovesTheCheckpointFirst, 1;
    finds_tasks_that_are_settled_before_they_are_dispatched: SettlesBeforeDispatch, 1;
    finds_a_stuck_instance_that_stalls_all_others: StallsBehindParkedTasks, 1;
    finds_two_runners_without_a_fence: TakesEveryStep, 2;
    finds_instances_that_are_not_saved_with_their_tasks: SavesInstancesApart, 1;
    finds_acknowledged_commands_that_are_lost: AcknowledgesWithoutStoring::default(), 1;
}

#[test]
fn finds_a_read_model_that_counts_an_event_twice() {
    let twice = Simulation::new(|_| Purses::counting_twice());
    found("an event that counts twice", twice.first_failure(SEEDS));
}

#[test]
fn finds_nothing_where_nothing_is_wrong() {
    for processes in [1, 2, 3] {
        assert_eq!(simulation(|| Whole).processes(processes).first_failure(100), None);
    }
}

/// Where a checkpoint is saved now and then, events are delivered again. Ids that repeat and tombstones are there so
/// that this does no harm.
#[test]
fn finds_nothing_where_events_are_only_delivered_again() {
    assert_eq!(simulation(SavesTheCheckpointNowAndThen::default).first_failure(SEEDS), None);
}
