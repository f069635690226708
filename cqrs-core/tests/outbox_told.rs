//! What metrics tell of the outbox.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use metrics_util::debugging::DebuggingRecorder;
use tokio::sync::Semaphore;

async fn app(store: &FaultyStore<MemoryStore>, clock: PausedClock) -> App {
    let mut options = ProcessOptions::default();
    (options.max_attempts, options.first_retry) = (2, Duration::from_secs(8));
    let builder = App::builder(store.clone()).router(router()).process_options(options).clock(clock);
    builder.process_manager::<Carry>().start().await.unwrap()
}

/// Every attempt by what came of it: one at once, one at the second time, and one that is given up after two.
#[tokio::test(start_paused = true)]
async fn the_metrics_tell_what_became_of_tasks_and_how_long_it_took() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, _here) = metrics_here(&recorder);
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let clock = PausedClock::new();
    let app = app(&store, clock).await;
    // Whoever asks is not hit by what is to go wrong for the outbox.
    let writer = App::builder(store.inner().clone()).clock(clock).start().await.unwrap();
    writer.dispatch(add("a", 9)).await.unwrap();
    for (n, faults, wanted) in
        [(0, 0, Consistency::Reached), (1, 1, Consistency::Reached), (2, 2, Consistency::Parked)]
    {
        store.inject(Operation::Append, vec![Fault::Fail; faults]);
        let moved = writer.dispatch(carry("a", "b", 1, &format!("t{n}"))).await.unwrap();
        let chain = CorrelationId::from(moved.command_id);
        let rests = |chain: Chain| chain.pending == 0 && chain.parked + chain.last.as_u64() > 0;
        while !rests(store.inner().chain(chain).await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(app.settle().await.unwrap(), wanted);
    }
    let found = measured(&snapshotter);
    let counted = |outcome| found[&format!("cqrs_outbox_attempts_total carry {outcome}")][0];
    assert_eq!(["done", "retried", "parked"].map(counted), [2.0, 2.0, 1.0]);
    assert_eq!(found["cqrs_outbox_tries carry"], [1.0, 2.0, 2.0]);
    assert_eq!(found["cqrs_outbox_duration_seconds carry"].len(), 5);
    let delays = &found["cqrs_outbox_delay_seconds carry"];
    // Of what is not put off it is known only when it is tried again.
    assert!(
        delays.len() == 2 && delays.iter().all(|delay| *delay < 1.0),
        "not since it was asked for: {delays:?}"
    );
    store.inject(Operation::DueTasks, [Fault::Fail]);
    app.dispatch(carry("a", "b", 1, "t3")).settled().await.unwrap();
    assert_eq!(measured(&snapshotter)["cqrs_outbox_failures_total"], [1.0]);
}

/// Lets nothing through that a process manager asked for, until it is opened.
struct Door(Arc<Semaphore>);

#[async_trait]
impl Middleware for Door {
    async fn before(
        &self,
        command: &CommandView<'_>,
        _: &mut BTreeMap<String, serde_json::Value>,
    ) -> Result<(), BoxError> {
        if command.name() == "Arrive" {
            self.0.acquire().await?.forget();
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_gauge_of_due_tasks_counts_those_that_wait_and_those_under_way() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, _here) = metrics_here(&recorder);
    let door = Arc::new(Semaphore::new(0));
    let builder = App::builder(MemoryStore::new()).router(router()).middleware(Door(Arc::clone(&door)));
    let app = builder.process_manager::<Carry>().start().await.unwrap();
    app.dispatch(add("a", 9)).await.unwrap();
    for n in 0..4 {
        app.dispatch(carry("a", "b", 1, &format!("t{n}"))).await.unwrap();
    }
    while measured(&snapshotter).get("cqrs_outbox_due").is_none_or(|due| due != &[4.0]) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    door.add_permits(4);
    app.settle().await.unwrap();
    while measured(&snapshotter)["cqrs_outbox_due"] != [0.0] {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
