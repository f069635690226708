//! Proof of the contract's rules: each must reject a store that is broken in exactly the way it is about.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod breach;
mod document;
mod ledger;
mod model;
mod proofs;
mod reading;
mod receipts;
mod round_trip;
mod shapes;
mod trick;
mod waiting;
mod width;

mod appends;
mod chain;
mod checkpoint;
mod damage;
mod deadlines;
mod handlers;
mod instances;
mod leases;
mod operators;
mod outcomes;
mod snapshots;
mod steps;
mod task_order;
mod tasks;

/// All proofs, by what is broken.
const PROOFS: &[&[proofs::Proof]] = &[
    appends::PROOFS,
    waiting::PROOFS,
    width::PROOFS,
    round_trip::PROOFS,
    receipts::PROOFS,
    reading::PROOFS,
    checkpoint::PROOFS,
    damage::PROOFS,
    deadlines::PROOFS,
    handlers::PROOFS,
    instances::PROOFS,
    steps::PROOFS,
    tasks::PROOFS,
    task_order::PROOFS,
    outcomes::PROOFS,
    snapshots::PROOFS,
    chain::PROOFS,
    operators::PROOFS,
    leases::PROOFS,
];

#[test]
fn every_rule_rejects_a_broken_store() {
    let unproven: Vec<_> =
        proofs::rules().into_iter().filter(|rule| !proofs::all().any(|proof| proof.lists(rule))).collect();
    assert!(unproven.is_empty(), "no broken store is listed for {unproven:#?}");
}

#[test]
fn every_rule_accepts_the_store_that_is_not_broken() {
    let rejecting = proofs::rejecting(|| std::sync::Arc::new(breach::Whole));
    assert!(rejecting.is_empty(), "{rejecting:#?}");
}
