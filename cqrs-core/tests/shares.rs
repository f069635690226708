//! Several runners of one outbox: each does its share, and another takes it over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;

/// Who has dispatched what: by command, the numbers of the nodes.
type Done = Arc<Mutex<HashMap<CommandId, Vec<u32>>>>;

/// Notes what a node dispatches because of a process manager.
struct Notes(u32, Done);

#[async_trait]
impl Middleware for Notes {
    async fn before(
        &self,
        command: &CommandView<'_>,
        _: &mut std::collections::BTreeMap<String, serde_json::Value>,
    ) -> Result<(), BoxError> {
        if command.name() == "Arrive" {
            self.1.lock().unwrap().entry(command.command_id()).or_default().push(self.0);
        }
        Ok(())
    }
}

struct Nodes {
    store: MemoryStore,
    clock: PausedClock,
    done: Done,
    transfers: u32,
}

impl Nodes {
    fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), PausedClock::new());
        Self { store, clock, done: Done::default(), transfers: 0 }
    }

    async fn start(&self, number: u32) -> App {
        let app = App::builder(self.store.clone()).router(router()).process_manager::<Carry>();
        let app = app.clock(self.clock);
        app.middleware(Notes(number, Arc::clone(&self.done))).start().await.unwrap()
    }

    /// Lets nodes see each other, and forgets what was done before.
    async fn meet(&mut self, by: &App) {
        for _ in 0..60 {
            self.transfer(by).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.done.lock().unwrap().clear();
    }

    async fn transfer(&mut self, by: &App) {
        self.transfers += 1;
        by.dispatch(add("a", 1)).await.unwrap();
        let via = format!("t{}", self.transfers);
        let moved = by.dispatch(carry("a", "b", 1, &via)).settled().await.unwrap();
        assert_eq!(moved.consistency, Consistency::Reached);
    }

    /// How many commands each node has dispatched, and how many were dispatched by two.
    fn counts(&self) -> (HashMap<u32, usize>, usize) {
        let done = self.done.lock().unwrap();
        let mut counts = HashMap::new();
        for node in done.values().flatten() {
            *counts.entry(*node).or_default() += 1;
        }
        (counts, done.values().filter(|nodes| nodes.len() > 1).count())
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_of_different_instances_are_spread_over_the_nodes_and_none_is_done_twice() {
    let mut nodes = Nodes::new();
    let apps = [nodes.start(0).await, nodes.start(1).await, nodes.start(2).await];
    nodes.meet(&apps[0]).await;
    for _ in 0..150 {
        nodes.transfer(&apps[1]).await;
    }
    let (counts, twice) = nodes.counts();
    assert_eq!(twice, 0, "commands that two have dispatched");
    assert_eq!(counts.values().sum::<usize>(), 150);
    for node in 0..3 {
        assert!((25..75).contains(&counts[&node]), "node {node} has done {} of 150", counts[&node]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_takes_its_share_and_one_that_goes_gives_it_back() {
    let mut nodes = Nodes::new();
    let one = nodes.start(0).await;
    nodes.meet(&one).await;
    for _ in 0..20 {
        nodes.transfer(&one).await;
    }
    assert_eq!(nodes.counts(), (HashMap::from([(0, 20)]), 0), "one alone does all");
    let two = nodes.start(1).await;
    nodes.meet(&one).await;
    for _ in 0..40 {
        nodes.transfer(&one).await;
    }
    let (counts, twice) = nodes.counts();
    assert!(twice == 0 && counts[&0] > 5 && counts[&1] > 5, "{counts:?}");
    one.shutdown().await;
    nodes.meet(&two).await;
    for _ in 0..20 {
        nodes.transfer(&two).await;
    }
    assert_eq!(nodes.counts(), (HashMap::from([(1, 20)]), 0), "who is left does all");
}

/// A store whose clock of leases is that of the test; a node that dies says nothing, and its seat ends with its lease.
#[tokio::test(start_paused = true)]
async fn the_share_of_one_that_dies_is_taken_over_when_its_lease_ends() {
    let mut nodes = Nodes::new();
    let dead = uuid::Uuid::from_u128(7);
    let now = nodes.clock.now();
    // Somebody has a seat, and does nothing any more.
    let seat = nodes.store.acquire_lease("outbox seat 0", dead, now, now.plus(Duration::from_secs(3_600)));
    assert_eq!(seat.await.unwrap(), Lease::Held);
    let app = nodes.start(0).await;
    for n in 0..20 {
        app.dispatch(add("a", 1)).await.unwrap();
        app.dispatch(carry("a", "b", 1, &format!("s{n}"))).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (counts, _) = nodes.counts();
    assert!(counts[&0] < 20, "the share of the other is left to it: {counts:?}");
    nodes.store.release_lease("outbox seat 0", dead).await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(nodes.counts(), (HashMap::from([(0, 20)]), 0));
    nodes.transfer(&app).await;
}
