//! Snapshots: when they are made, when they are believed, and that a state is the same with them and without.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::cell::Cell;
use std::convert::Infallible;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use serde::{Deserialize, Serialize};

thread_local! {
    /// How many events were applied on this thread, and which schema its program has.
    static APPLIED: Cell<u64> = const { Cell::new(0) };
    static SCHEMA: Cell<u32> = const { Cell::new(1) };
}

#[derive(Default, Serialize, Deserialize)]
struct Tally {
    sum: u64,
}

#[derive(Serialize, Deserialize)]
enum TallyEvent {
    Added { number: u64 },
}

impl Event for TallyEvent {
    const CATEGORY: &'static str = "tally";
}

impl Aggregate for Tally {
    type Id = String;
    type Event = TallyEvent;

    fn apply(&mut self, event: &TallyEvent) {
        let TallyEvent::Added { number } = event;
        APPLIED.set(APPLIED.get() + 1);
        self.sum += number;
    }

    fn snapshots() -> Option<Snapshots<Self>> {
        Some(Snapshots::every(10).schema_version(SCHEMA.get()))
    }
}

/// Adds what brings the sum to a number; nothing when it is there.
#[derive(Serialize, Deserialize)]
struct BringTo {
    tally: String,
    sum: u64,
}

impl Command for BringTo {
    const NAME: &'static str = "BringTo";
    type Aggregate = Tally;

    fn aggregate_id(&self) -> &String {
        &self.tally
    }
}

impl Handle<BringTo> for Tally {
    type Error = Infallible;

    fn handle(&self, command: &BringTo) -> Result<Vec<TallyEvent>, Infallible> {
        let missing = command.sum.checked_sub(self.sum).filter(|missing| *missing > 0);
        Ok(missing.map(|number| TallyEvent::Added { number }).into_iter().collect())
    }
}

fn stream() -> StreamId {
    Tally::stream(&"t".to_owned()).unwrap()
}

async fn bring_to(app: &App, sum: u64) -> Dispatched {
    app.dispatch(BringTo { tally: "t".to_owned(), sum }).await.unwrap()
}

/// An application on the store, as after a restart, and how many events its first command reads.
async fn restarted(store: &MemoryStore) -> (App, u64) {
    let app = App::builder(store.clone()).start().await.unwrap();
    APPLIED.set(0);
    let found = bring_to(&app, 0).await;
    assert_eq!(found.events, 0);
    (app, APPLIED.get())
}

/// A store with a tally of so many events, each of 1.
async fn counted_to(events: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let app = App::builder(store.clone()).start().await.unwrap();
    for sum in 1..=events {
        bring_to(&app, sum).await;
    }
    app.shutdown().await;
    store
}

#[tokio::test]
async fn a_snapshot_is_made_every_so_many_events_and_saves_reading_the_others() {
    let store = counted_to(9).await;
    assert_eq!(store.snapshot(&stream()).await.unwrap(), None);
    let (app, read) = restarted(&store).await;
    assert_eq!(read, 9);
    bring_to(&app, 10).await;
    bring_to(&app, 11).await;
    app.shutdown().await;
    let snapshot = store.snapshot(&stream()).await.unwrap().unwrap();
    assert_eq!((snapshot.version, snapshot.schema_version), (Version::new(10), 1));
    assert_eq!(snapshot.state.as_str(), r#"{"sum":10}"#);
    let (app, read) = restarted(&store).await;
    assert_eq!(read, 1);
    assert_eq!(bring_to(&app, 11).await.events, 0, "the state is the same as of all events");
    assert_eq!(bring_to(&app, 12).await.version, Version::new(12));
}

/// A peer's snapshot had the new event applied twice: a sum of 20 after one `Added(10)`.
#[tokio::test]
async fn an_event_counts_once_whether_it_came_before_or_after_the_snapshot() {
    for events in 8..34 {
        let store = counted_to(events).await;
        let (app, read) = restarted(&store).await;
        assert_eq!(read, if events < 10 { events } else { events % 10 });
        assert_eq!(bring_to(&app, events).await.events, 0);
        assert_eq!(bring_to(&app, events + 1).await.events, 1);
    }
}

/// A peer decodes first and compares versions afterwards.
#[tokio::test]
async fn a_snapshot_of_another_schema_is_not_believed_though_it_can_be_read() {
    let store = counted_to(12).await;
    for schema in [2, 0] {
        SCHEMA.set(schema);
        let (app, read) = restarted(&store).await;
        assert_eq!(read, 12, "a program of schema {schema}");
        bring_to(&app, 12).await;
        app.shutdown().await;
    }
    SCHEMA.set(2);
    let (app, _) = restarted(&store).await;
    app.shutdown().await;
    let (_, read) = restarted(&store).await;
    assert_eq!(read, 0, "a long stream that is read whole is kept in the new shape");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_is_not_believed_and_is_replaced() {
    let store = counted_to(5).await;
    let state = Json::parse(r#"{"total":5}"#).unwrap();
    let odd = Snapshot { stream: stream(), version: Version::new(5), schema_version: 1, state };
    assert!(store.save_snapshot(odd).await.unwrap());
    let (app, read) = restarted(&store).await;
    assert_eq!(read, 5);
    for sum in 6..=15 {
        bring_to(&app, sum).await;
    }
    app.shutdown().await;
    assert_eq!(restarted(&store).await.1, 5, "the one at ten took its place");
}

/// The slow writer of an old snapshot must not bring it back, and what reads it must not care.
#[tokio::test]
async fn an_older_snapshot_is_as_good_as_a_newer_one() {
    let store = counted_to(30).await;
    let (app, read) = restarted(&store).await;
    assert_eq!(read, 0);
    let other = App::builder(store.clone()).start().await.unwrap();
    for sum in 31..=35 {
        bring_to(if sum % 2 == 0 { &app } else { &other }, sum).await;
    }
    assert_eq!(bring_to(&app, 35).await.version, Version::new(35));
    let snapshot = store.snapshot(&stream()).await.unwrap().unwrap();
    assert_eq!(snapshot.state, Json::of(&Tally { sum: snapshot.version.as_u64() }).unwrap());
}
