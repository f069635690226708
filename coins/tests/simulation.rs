//! Thousands of worlds in which everything goes wrong: no coin is lost or doubled, whatever crashes, whenever.
//!
//! `SIMULATION_SEEDS` says how many worlds there are, `SIMULATION_SEED` names one.

#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

#[path = "simulation/bank.rs"]
mod bank;
#[path = "simulation/books.rs"]
mod books;

use bank::Bank;
use cqrs_testing::{Simulation, World};

/// How many worlds there are when nobody says otherwise.
const SEEDS: u64 = 150;

fn simulation() -> Simulation<impl Fn(u64) -> Bank> {
    Simulation::new(|_| Bank::default())
}

fn went_wrong<W: World, N: Fn(u64) -> W>(simulation: &Simulation<N>) {
    let simulated = simulation.run(SEEDS);
    println!("{simulated:?}");
    assert!(simulated.seeds < 2 || simulated.crashes > 0, "nobody died");
}

#[test]
fn no_coin_is_lost_or_doubled_whatever_crashes() {
    went_wrong(&simulation());
}

#[test]
fn no_coin_is_lost_or_doubled_by_two_processes_on_one_store() {
    went_wrong(&simulation().processes(2).clients(2).steps(4));
}

#[test]
fn the_same_seed_is_the_same_run() {
    for simulation in [simulation(), simulation().processes(2)] {
        for seed in 0..100 {
            assert_eq!(simulation.seed(seed), simulation.seed(seed), "seed {seed}");
        }
        assert_ne!(simulation.seed(1).fingerprint, simulation.seed(2).fingerprint);
    }
}
