//! Process managers: each command takes effect once, and what is refused is compensated.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use serde::{Deserialize, Serialize};

async fn app(store: impl Store) -> App {
    let mut options = ProcessOptions::default();
    options.first_retry = Duration::from_millis(1);
    let builder = App::builder(store).router(router()).process_options(options);
    builder.process_manager::<Carry>().start().await.unwrap()
}

async fn types(store: &dyn Store, pot: &str) -> Vec<String> {
    stream(store, pot).await.into_iter().map(|event| event.event_type.to_string()).collect()
}

#[tokio::test]
async fn settled_returns_when_the_other_aggregate_has_it() {
    let store = MemoryStore::new();
    let app = app(store.clone()).await;
    app.dispatch(add("a", 5)).await.unwrap();
    let moved = app.dispatch(carry("a", "b", 3, "t1")).settled().await.unwrap();
    assert_eq!(moved.consistency, Consistency::Reached);
    let events = stream(&store, "b").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data.as_str(), r#"{"pot":"b","amount":3,"via":"t1"}"#);
    assert_eq!(events[0].metadata.correlation_id, Some(moved.command_id.into()));
    assert_ne!(events[0].metadata.causation_id, Some(moved.command_id.into()));
}

#[tokio::test]
async fn a_refused_command_is_compensated_once() {
    let store = MemoryStore::new();
    let app = app(store.clone()).await;
    app.dispatch(add("a", 5)).await.unwrap();
    let moved = app.dispatch(carry("a", "closed", 3, "t1")).settled().await.unwrap();
    assert_eq!(moved.consistency, Consistency::Reached);
    assert_eq!(types(&store, "a").await, ["Added", "Moved", "Returned"]);
    assert!(types(&store, "closed").await.is_empty());
    app.dispatch(add("a", -5)).await.unwrap();
}

#[tokio::test]
async fn a_start_that_comes_again_after_the_end_begins_nothing() {
    let store = MemoryStore::new();
    let app = app(store.clone()).await;
    app.dispatch(add("a", 9)).await.unwrap();
    app.dispatch(carry("a", "b", 3, "t1")).settled().await.unwrap();
    app.dispatch(carry("a", "b", 3, "t1")).settled().await.unwrap();
    assert_eq!(types(&store, "b").await, ["Arrived"]);
}

/// Commanded repeats a process manager's commands when it dies between dispatch and acknowledgement; here
/// every answer of the store is lost once, so each command is dispatched at least twice.
#[tokio::test]
async fn a_command_whose_answer_is_lost_takes_effect_once() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let app = app(store.clone()).await;
    app.dispatch(add("a", 100)).await.unwrap();
    for n in 0..20 {
        let dispatched = app.dispatch(carry("a", "b", 1, &format!("t{n}"))).await.unwrap();
        store.inject(Operation::Append, [Fault::LoseAnswer, Fault::Fail, Fault::Panic]);
        assert_eq!(dispatched.consistency, Consistency::NotAwaited);
        while stream(store.inner(), "b").await.len() <= n {
            store.inner().wait_beyond(dispatched.position).await.unwrap();
        }
        let id = CorrelationId::from(dispatched.command_id);
        while store.inner().chain(id).await.unwrap().pending > 0 {
            tokio::task::yield_now().await;
        }
        store.inject(Operation::Append, []);
    }
    assert_eq!(stream(store.inner(), "b").await.len(), 20);
}

/// What one process has left undone the next one does, and what both do counts once.
#[tokio::test]
async fn a_transfer_that_was_left_half_done_is_completed_by_the_next_application() {
    let store = MemoryStore::new();
    let without = App::builder(store.clone()).router(router()).start().await.unwrap();
    without.dispatch(add("a", 5)).await.unwrap();
    without.dispatch(carry("a", "b", 3, "t1")).await.unwrap();
    assert!(stream(&store, "b").await.is_empty());
    let (one, two) = tokio::join!(app(store.clone()), app(store.clone()));
    assert_eq!(one.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(two.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(types(&store, "b").await, ["Arrived"]);
}

/// Gives up on a transfer that takes too long.
#[derive(Default, Serialize, Deserialize)]
struct Watchdog {
    pot: Option<String>,
    via: String,
}

impl ProcessManager for Watchdog {
    const NAME: &'static str = "watchdog";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Moved { via, .. } => Interest::start(via),
            PotEvent::Arrived { via, .. } | PotEvent::Returned { via, .. } => Interest::stop(via),
            _ => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        match event.data {
            PotEvent::Moved { .. } => vec![Outgoing::deadline("too-long", Duration::from_secs(60))],
            _ => Vec::new(),
        }
    }

    fn apply(&mut self, event: &PotEvent) {
        if let PotEvent::Moved { pot, via, .. } = event {
            (self.pot, self.via) = (Some(pot.clone()), via.clone());
        }
    }

    fn deadline(&self, name: &str) -> Vec<Outgoing> {
        assert_eq!(name, "too-long");
        let give_back = |pot| Outgoing::command(GiveBack { pot, amount: 1, via: self.via.clone() });
        self.pot.clone().map(give_back).into_iter().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_fires_when_it_is_due_also_after_a_restart_and_not_after_the_end() {
    let store = MemoryStore::new();
    let clock = Hand::new();
    let start = || async {
        let builder = App::builder(store.clone()).router(router()).clock(clock.clone());
        builder.process_manager::<Watchdog>().start().await.unwrap()
    };
    let first = start().await;
    first.dispatch(add("a", 5)).await.unwrap();
    first.dispatch(carry("a", "b", 1, "t1")).await.unwrap();
    first.dispatch(carry("a", "b", 1, "t2")).await.unwrap();
    first.dispatch(Arrive { pot: "b".into(), amount: 1, via: "t2".into() }).await.unwrap();
    assert_eq!(first.settle().await.unwrap(), Consistency::Reached);
    clock.put(59);
    assert_eq!(first.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(types(&store, "a").await, ["Added", "Moved", "Moved"]);
    drop(first);
    clock.put(60);
    let second = start().await;
    assert_eq!(second.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(types(&store, "a").await, ["Added", "Moved", "Moved", "Returned"]);
    assert_eq!(store.next_due(Timestamp::from_micros(0)).await.unwrap(), None);
}

/// The outbox slept by the machine's clock once, whatever the application's clock said, and found at its next
/// look, half a second later, what was due.
#[tokio::test(start_paused = true)]
async fn a_deadline_fires_at_once_when_the_clock_comes_to_it() {
    let store = MemoryStore::new();
    let clock = Hand::new();
    let builder = App::builder(store.clone()).router(router()).clock(clock.clone());
    let app = builder.process_manager::<Watchdog>().start().await.unwrap();
    app.dispatch(add("a", 5)).await.unwrap();
    app.dispatch(carry("a", "b", 1, "t1")).await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    let begin = tokio::time::Instant::now();
    clock.put(60);
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(types(&store, "a").await, ["Added", "Moved", "Returned"]);
    assert_eq!(begin.elapsed(), Duration::ZERO, "tokio's clock moves when nobody has anything to do");
}
