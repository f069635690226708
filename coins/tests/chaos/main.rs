//! Three nodes of the service on one PostgreSQL server, while clients mine and send: nodes are killed, connections are cut,
//! and the server ends and comes back. Nothing that was acknowledged is lost, and no coin is lost or doubled.
//!
//! `CHAOS_SEED` reruns the choices of one run, `CHAOS_FAULTS` says how much is to go wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod books;
mod client;
#[path = "../../../cqrs-postgres/tests/common/cluster.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod faults;
#[path = "../common/ledger.rs"]
mod ledger;
mod nodes;
#[path = "../http/program.rs"]
mod program;
#[path = "../common/random.rs"]
mod random;

use std::sync::Arc;

use client::{Client, Told, Work};
use cluster::Cluster;
use faults::Faults;
use nodes::Nodes;
use random::{Random, setting};
use tokio::task::JoinSet;

/// How many clients send without waiting until the coins arrive, and how many wait.
const HASTY: usize = 6;
const PATIENT: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(cluster), ignore = "CQRS_POSTGRES_URL is not set, or there are no programs of a server")]
async fn whatever_dies_nothing_acknowledged_is_lost_and_no_coin_is_lost_or_doubled() {
    let mut random = Random::seeded_by("CHAOS_SEED");
    let wanted = setting("CHAOS_FAULTS", 8);
    let cluster = Cluster::new(&[]);
    let nodes = Nodes::start(cluster.url());
    let work = Arc::new(Work::among(HASTY + PATIENT, nodes.origins()));
    let mut clients = JoinSet::new();
    for number in 0..HASTY + PATIENT {
        let client = Client::new(number, Arc::clone(&work), Random::of(1 + random.below(u64::MAX)));
        clients.spawn(client.run(number < HASTY));
    }

    let mut faults = Faults::new(cluster, nodes, random);
    let all = async {
        for number in 0..wanted {
            faults.next(&work).await;
            if number % 8 == 7 {
                // Whoever has died, somebody takes over from him.
                work.patient.more(1).await;
            }
        }
    };
    tokio::select! {
        () = all => work.end(),
        // Nobody would wait for it in vain.
        Some(client) = clients.join_next() => panic!("a client has ended too early: {:?}", client.err()),
    }
    let mut told = Told::default();
    for client in clients.join_all().await {
        told.take(client);
    }
    // Otherwise nobody has noticed, and the test has shown less than it says.
    assert!(told.repeated > 0, "no request had to be repeated");
    println!("{faults}; {told}");
    let (cluster, nodes) = faults.over();
    books::check(&cluster.url(), &nodes, &told).await;
}
