//! What the metrics and the status say of a handler.

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use metrics_util::debugging::DebuggingRecorder;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::common::{add, measured, metrics_here};
use crate::probe::{NAME, Pots, Probe, once};

#[tokio::test(start_paused = true)]
async fn the_metrics_count_every_delivery_by_what_came_of_it() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, _here) = metrics_here(&recorder);
    let probe = Probe::new(async |(pot, _)| if pot == "fine" { Ok(()) } else { Err(pot.into()) });
    let probe = probe.saying(|failure| match (failure.stream.key(), failure.attempts) {
        ("skipped", _) => Policy::Skip,
        (_, 1) => Policy::Retry,
        _ => Policy::Park,
    });
    let app = App::builder(MemoryStore::new()).event_handler(probe).start().await.unwrap();
    for pot in ["fine", "fine", "skipped", "parked"] {
        app.dispatch(add(pot, 1)).wait_for([NAME]).await.unwrap();
    }
    let found = measured(&snapshotter);
    let counted = |outcome| found[&format!("cqrs_handler_events_total {NAME} {outcome}")][0];
    assert_eq!(["handled", "parked", "retried", "skipped"].map(counted), [2.0, 1.0, 1.0, 1.0]);
    assert_eq!(found[&format!("cqrs_handler_duration_seconds {NAME}")].len(), 5);
    let gauge = |what| found[&format!("cqrs_subscriber_{what} {NAME}")][0];
    assert_eq!(["position", "lag_events", "lag_seconds", "parked_keys"].map(gauge), [4.0, 0.0, 0.0, 1.0]);
}

/// The lag of a handler was that of its last success for as long as a key failed, in events; in time there was none.
#[tokio::test(start_paused = true)]
async fn the_status_tells_how_far_behind_a_failing_handler_is() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, _here) = metrics_here(&recorder);
    let pots = Pots::of(&["down"]);
    let mut options = HandlerOptions::default();
    options.max_attempts = u32::MAX;
    let builder = App::builder(MemoryStore::new()).event_handler_with(Probe::failing(&pots), options);
    let app = builder.start().await.unwrap();
    app.dispatch(add("fine", 1)).wait_for([NAME]).await.unwrap();
    app.dispatch(add("down", 1)).await.unwrap();
    for _ in 0..3 {
        app.dispatch(add("fine", 1)).await.unwrap();
    }
    let mut status = app.watch_status(NAME).unwrap();
    let told = |status: &SubscriberStatus| status.lag() == 4 && status.oldest_waiting.is_some();
    let found = status.wait_for(told).await.unwrap().clone();
    assert_eq!((found.position.as_u64(), found.parked), (1, 1));
    let recorded = app.store().read_log(Position::new(1), &EventFilter::all(), 1).await.unwrap();
    assert_eq!(found.oldest_waiting, Some(recorded.events[0].recorded_at));
    assert_eq!(measured(&snapshotter)[&format!("cqrs_subscriber_lag_events {NAME}")], [4.0]);
    pots.heal();
    let done = status.wait_for(|status| status.lag() == 0).await.unwrap().clone();
    assert_eq!((done.oldest_waiting, done.parked), (None, 0));
    assert_eq!(measured(&snapshotter)[&format!("cqrs_subscriber_lag_seconds {NAME}")], [0.0]);
}

/// The rate of a handler that had nothing more to do stayed what it was for ever.
#[tokio::test(start_paused = true)]
async fn the_rate_of_a_handler_falls_when_it_rests() {
    let app = App::builder(MemoryStore::new()).event_handler(Probe::quick()).start().await.unwrap();
    let mut status = app.watch_status(NAME).unwrap();
    for _ in 0..20 {
        app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!((5..=15).contains(&status.borrow().rate), "{}", status.borrow().rate);
    status.wait_for(|status| status.rate == 0).await.unwrap();
}

/// Where its memory is full a handler reads no further, and did not know that the log goes on.
#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_read_looks_how_far_the_log_has_come() {
    let (store, mut options) = (MemoryStore::new(), HandlerOptions::default());
    options.in_flight = 2;
    let slow = Probe::new(async |_| std::future::pending().await);
    let app = App::builder(store.clone()).event_handler_with(slow, options).start().await.unwrap();
    let mut status = app.watch_status(NAME).unwrap();
    for pot in 0..10 {
        app.dispatch(add(&pot.to_string(), 1)).await.unwrap();
    }
    status.wait_for(|status| status.head == Position::new(10) && status.lag() == 10).await.unwrap();
}

/// The status of a handler told position 0 until its first step; who asked at once took it for one that had all to do.
#[tokio::test(start_paused = true)]
async fn the_status_of_a_handler_is_right_from_the_start() {
    let store = MemoryStore::new();
    let pots = Pots::of(&["parked", "failing"]);
    let probe = Probe::failing(&pots).saying(|failure| match failure.stream.key() {
        "parked" => Policy::Park,
        _ => Policy::RetryAfter(Duration::from_secs(3_600)),
    });
    let start = || App::builder(store.clone()).event_handler_with(probe.clone(), once()).start();
    let stands = |app: &App| {
        let status = app.status().remove(0);
        (status.position.as_u64(), status.head.as_u64(), status.parked)
    };
    let app = start().await.unwrap();
    assert_eq!(stands(&app), (0, 0, 0));
    app.dispatch(add("fine", 1)).await.unwrap();
    app.dispatch(add("parked", 1)).wait_for([NAME]).await.unwrap();
    app.shutdown().await;
    let app = start().await.unwrap();
    assert_eq!(stands(&app), (2, 2, 1), "what is given up counts as worked on");
    app.dispatch(add("fine", 1)).wait_for([NAME]).await.unwrap();
    app.dispatch(add("failing", 1)).await.unwrap();
    app.dispatch(add("fine", 1)).await.unwrap();
    probe.until_ended(3).await;
    app.shutdown().await;
    let app = start().await.unwrap();
    assert_eq!(stands(&app), (3, 5, 2), "what is tried again does not");
}

/// A parked event that could not be read was tried again and again, and the status said that all is well.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_again_is_told() {
    let store = MemoryStore::new();
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let pots = Pots::of(&["a"]);
    let probe = Probe::failing(&pots);
    let app = App::builder(faulty.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    pots.heal();
    let mut status = app.watch_status(NAME).unwrap();
    faulty.inject(Operation::ReadLog, std::iter::repeat_n(Fault::Fail, 3));
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    let told =
        |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { attempts: 2.., .. });
    let found = status.wait_for(told).await.unwrap().clone();
    assert!(found.last_error.is_some_and(|(_, error)| error.contains("injected")), "it says why");
    probe.until_ended(1).await;
    status.wait_for(|status| status.state == SubscriberState::Running).await.unwrap();
}

thread_local! {
    static TRAPPED: Cell<bool> = const { Cell::new(false) };
}

/// A pot's event as a program reads it that panics over it, while a test says so.
#[derive(Clone, Debug, Serialize)]
enum Trap {
    Added {},
}

impl<'de> Deserialize<'de> for Trap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!TRAPPED.get(), "it fell into the trap");
        IgnoredAny::deserialize(deserializer)?;
        Ok(Self::Added {})
    }
}

impl Event for Trap {
    const CATEGORY: &'static str = "pot";
}

struct Trapper(Pots);

#[async_trait]
impl EventHandler for Trapper {
    const NAME: &'static str = NAME;
    type Event = Trap;

    async fn handle(&self, event: &RecordedEvent<Trap>) -> Result<(), BoxError> {
        match self.0.has(event.stream.key()) {
            true => Err("it is down".into()),
            false => Ok(()),
        }
    }
}

/// A parked event that panicked whoever decoded it stopped the deliveries of all other keys, over and over.
#[tokio::test(start_paused = true)]
async fn a_parked_event_that_panics_when_it_is_read_again_holds_up_its_key_alone() {
    let pots = Pots::of(&["a"]);
    let store = MemoryStore::new();
    let app = App::builder(store).event_handler_with(Trapper(pots.clone()), once()).start().await.unwrap();
    app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    pots.heal();
    TRAPPED.set(true);
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    let mut status = app.watch_status(NAME).unwrap();
    let told =
        |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { attempts: 3.., .. });
    let found = status.wait_for(told).await.unwrap().clone();
    assert!(found.last_error.is_some_and(|(_, error)| error.contains("trap")), "it says why");
    TRAPPED.set(false);
    status.wait_for(|status| status.parked == 0).await.unwrap();
    status.wait_for(|status| status.state == SubscriberState::Running).await.unwrap();
}
