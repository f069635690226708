//! Thousands of shops in which everything goes wrong: each order is shipped, or everything comes back, once.
//!
//! `SIMULATION_SEEDS` says how many shops there are, `SIMULATION_SEED` names one.

#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

#[path = "simulation/books.rs"]
mod books;
#[path = "simulation/market.rs"]
mod market;

use cqrs_testing::{Simulation, World};
use market::Market;

/// How many shops there are when nobody says otherwise.
const SEEDS: u64 = 150;

fn simulation() -> Simulation<impl Fn(u64) -> Market> {
    Simulation::new(|_| Market::default())
}

fn went_wrong<W: World, N: Fn(u64) -> W>(simulation: &Simulation<N>) {
    let simulated = simulation.run(SEEDS);
    println!("{simulated:?}");
    assert!(simulated.seeds < 2 || simulated.crashes > 0, "nobody died");
}

#[test]
fn each_order_is_shipped_or_undone_once_whatever_crashes() {
    went_wrong(&simulation());
}

#[test]
fn each_order_is_shipped_or_undone_once_by_two_processes_on_one_store() {
    went_wrong(&simulation().processes(2).clients(2));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for simulation in [simulation(), simulation().processes(2)] {
        for seed in 0..50 {
            assert_eq!(simulation.seed(seed), simulation.seed(seed), "seed {seed}");
        }
        assert_ne!(simulation.seed(1).fingerprint, simulation.seed(2).fingerprint);
    }
}
