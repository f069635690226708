//! Whatever goes wrong, whenever: each command takes effect once, and what follows from the log follows.
//!
//! Some applications run on one store that goes wrong by a seed: calls fail, lose their answers, panic, come late
//! and out of order, and processes die and start again. Clients repeat what may have failed, with the same command
//! id. When all have their answers the storm ends, and the log is compared with what the clients were told.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

#[path = "../common/mod.rs"]
mod common;

mod books;
mod client;
mod world;

use std::time::Duration;

use cqrs_testing::{FaultRates, Faults, Operation, for_seeds};
use futures::future::join_all;

use client::Client;
use world::World;

/// How many seeds each test has.
const SEEDS: u64 = 200;

/// A storm, with more crashes from seed to seed. What the core calls in tasks of its own panics, too.
fn storm(seed: u64) -> Faults {
    let mut rates = FaultRates::default();
    (rates.fail, rates.lose_answer, rates.crash) = (0.06, 0.06, 0.003 * (seed % 8) as f64);
    (rates.delay, rates.longest_delay, rates.reorder) = (0.2, Duration::from_millis(40), 0.3);
    let plan = Faults::seeded(seed).rates(rates);
    rates.panic = 0.03;
    let own = [Operation::Append, Operation::CommitStep, Operation::DueTasks];
    own.into_iter().fold(plan, |plan, operation| plan.rates_of(operation, rates))
}

/// Some applications on one store, each with clients of its own, from the first command to the books.
///
/// From seed to seed, states are kept as snapshots after each event, after every second one, third one, or never.
async fn live(seed: u64, applications: u32, clients: u32) {
    // Apart from the crashes, which go by eights.
    common::SNAPSHOT_EVERY.set(seed / 8 % 4);
    let world = World::new(storm(seed));
    let nodes = (0..applications).map(|node| {
        let clients = (0..clients).map(|client| Client::new(seed, node * clients + client)).collect();
        node_of(&world, clients)
    });
    join_all(nodes).await;
    world.check().await;
}

/// An application that is started again until its clients have their answers.
async fn node_of(world: &World, mut clients: Vec<Client>) {
    let mut store = world.store.restart();
    loop {
        let lived = store.until_crash(async {
            let Ok(app) = world.start(&store).await else { return false };
            join_all(clients.iter_mut().map(|client| client.run(world, &app))).await;
            app.shutdown().await;
            true
        });
        match lived.await {
            Some(true) => return,
            Some(false) => {}
            None => store = store.restart(),
        }
    }
}

/// Runs seeds, each within an hour of the paused clock: a storm takes seconds, and what takes longer hangs.
fn seeds(applications: u32, clients: u32) {
    for_seeds(SEEDS, async |seed| {
        let live = live(seed, applications, clients);
        let lived = tokio::time::timeout(Duration::from_secs(3_600), live).await;
        assert!(lived.is_ok(), "somebody waits for ever");
    });
}

#[test]
fn one_application_loses_and_doubles_nothing() {
    seeds(1, 4);
}

#[test]
fn two_applications_on_one_store_lose_and_double_nothing() {
    seeds(2, 3);
}

#[test]
fn three_applications_with_many_clients_lose_and_double_nothing() {
    for_seeds(8, async |seed| live(seed, 3, 12).await);
}
