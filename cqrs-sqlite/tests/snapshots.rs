//! Snapshots that somebody has tampered with: the events are what counts.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::convert::Infallible;
use std::path::Path;

use common::{outsider, place};
use cqrs_core::{Aggregate, App, Command, Event, EventStore, Handle, SnapshotStore, Snapshots, Version};
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Serialize, Deserialize)]
enum CounterEvent {
    Counted,
}

impl Event for CounterEvent {
    const CATEGORY: &'static str = "counter";
}

impl Aggregate for Counter {
    type Id = String;
    type Event = CounterEvent;

    fn apply(&mut self, _: &CounterEvent) {
        self.count += 1;
    }

    fn snapshots() -> Option<Snapshots<Self>> {
        Some(Snapshots::every(5))
    }
}

#[derive(Serialize, Deserialize)]
struct Count {
    counter: String,
}

impl Command for Count {
    const NAME: &'static str = "Count";
    type Aggregate = Counter;

    fn aggregate_id(&self) -> &String {
        &self.counter
    }
}

impl Handle<Count> for Counter {
    type Error = Infallible;

    fn handle(&self, _: &Count) -> Result<Vec<CounterEvent>, Infallible> {
        Ok(vec![CounterEvent::Counted])
    }
}

/// Counts so often, and tells what the state has counted by then.
async fn count(path: &Path, times: u64) -> u64 {
    let app = App::builder(SqliteStore::open(path).await.unwrap()).start().await.unwrap();
    let mut seen = 0;
    for _ in 0..times {
        let counted = app.dispatch(Count { counter: "c".to_owned() }).state(|counter| counter.count).await;
        seen = counted.unwrap().1;
    }
    app.shutdown().await;
    seen
}

#[tokio::test]
async fn a_snapshot_that_was_tampered_with_is_not_believed() {
    for tampering in [
        "UPDATE snapshots SET version = 99",
        "UPDATE snapshots SET version = -1",
        "UPDATE snapshots SET version = 'seven'",
        "UPDATE snapshots SET schema_version = 5000000000",
        "UPDATE snapshots SET state = '{\"count\":'",
        "UPDATE snapshots SET state = '{\"total\":9}'",
        "UPDATE snapshots SET state = x'00ff'",
    ] {
        let (_directory, path) = place();
        assert_eq!(count(&path, 12).await, 12);
        let store = SqliteStore::open(&path).await.unwrap();
        let stream = Counter::stream(&"c".to_owned()).unwrap();
        assert!(store.snapshot(&stream).await.unwrap().unwrap().version >= Version::new(5));
        store.close().await;
        let mut outsider = outsider(&path).await;
        outsider.execute(tampering).await.unwrap();
        outsider.close().await.unwrap();
        assert_eq!(count(&path, 1).await, 13, "after {tampering}");
    }
}
