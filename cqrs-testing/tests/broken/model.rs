//! Proof of the model: it rejects the stores that break the rules of appends, receipts and reading, and stores that
//! are sound until two calls meet.

mod racing;

use std::sync::Arc;

use cqrs_testing::Model;

use crate::breach::{Breach, Factory, Whole};
use crate::proofs::Proof;
use crate::{appends, reading, receipts};

/// What the model does not see: its logs are short.
const OUT_OF_SIGHT: &[&str] = &["CutsPagesAt1000"];

fn model() -> Model {
    Model::from_env().cases(150).without_shrinking()
}

fn rejects(proof: &Proof) -> bool {
    model().alone(&Factory(proof.make)).is_err()
}

#[test]
fn one_client_finds_what_is_wrong_with_appends_receipts_and_reading() {
    let all = [appends::PROOFS, receipts::PROOFS, reading::PROOFS].into_iter().flatten();
    let accepted: Vec<_> = all.filter(|proof| !rejects(proof)).map(|proof| proof.name).collect();
    assert_eq!(accepted, OUT_OF_SIGHT);
}

#[test]
fn several_clients_find_it_too() {
    let model = model();
    for proof in [appends::PROOFS, receipts::PROOFS, reading::PROOFS].into_iter().flatten() {
        let rejected = model.together(&Factory(proof.make)).is_err();
        assert_eq!(rejected, !OUT_OF_SIGHT.contains(&proof.name), "{}", proof.name);
    }
}

/// A store that breaks only where calls meet is sound for one client, and several find it.
fn is_found_by_several(make: fn() -> Arc<dyn Breach>) {
    model().alone(&Factory(make)).unwrap();
    let why = model().together(&Factory(make)).unwrap_err().to_string();
    assert!(why.contains("no order explains the answers"), "{why}");
}

macro_rules! found_by_several {
    ($($test:ident: $breach:ident;)*) => {$(
        #[test]
        fn $test() {
            is_found_by_several(|| Arc::new(racing::$breach::default()));
        }
    )*};
}

found_by_several! {
    a_stale_append_that_is_accepted_in_a_race: AcceptsStaleAppends;
    a_receipt_that_is_forgotten_in_a_race: ForgetsReceipts;
    an_event_that_is_lost_in_a_race: LosesAnEvent;
    an_append_in_pieces_in_a_race: WritesInPieces;
    a_position_that_is_told_wrong_in_a_race: TellsTheHead;
    a_gap_that_is_left_in_a_race: LeavesAGap;
    a_refusal_without_a_reason_in_a_race: RefusesForNothing;
    a_handle_that_lags_behind_another: LagsBehind;
}

#[test]
fn a_store_that_is_not_broken_is_accepted() {
    let factory = Factory(|| Arc::new(Whole));
    model().alone(&factory).unwrap();
    model().together(&factory).unwrap();
}

/// The calls that a failure tells, in order.
fn told(why: &str) -> Vec<&str> {
    why.lines().filter(|line| line.contains(" -> ")).map(str::trim).collect()
}

#[test]
fn a_failure_tells_the_smallest_case_and_how_to_run_it_again() {
    let backward = reading::PROOFS.iter().find(|proof| proof.name == "ReadsBackwardAsForward").unwrap();
    let why = Model::from_env().alone(&Factory(backward.make)).unwrap_err().to_string();
    let calls = told(&why);
    assert!(calls.len() == 2 && calls[0].starts_with("append [") && calls[1].starts_with("read "), "{why}");
    let again = "MODEL_CASES=1 cargo test -p cqrs-testing model::a_failure_tells_the_smallest_case";
    assert!(why.contains("MODEL_SEED=") && why.contains(again), "{why}");
}

/// How small depends on how often the clients meet.
#[test]
fn a_failing_case_of_several_clients_is_made_smaller() {
    let forgetful = Factory(|| Arc::new(racing::ForgetsReceipts::default()));
    let shrinks = || {
        let drawn = model().together(&forgetful).unwrap_err().to_string();
        let smaller = Model::from_env().together(&forgetful).unwrap_err().to_string();
        told(&smaller).len() < told(&drawn).len()
    };
    assert!((0..5).any(|_| shrinks()));
}
