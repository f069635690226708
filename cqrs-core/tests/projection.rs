//! Projections: each event counts once, whatever fails.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};

type Sums = BTreeMap<String, i64>;

/// Sums up pots; fails, or panics, as often as it is told to, after it has changed something.
#[derive(Clone, Default)]
struct PotSums {
    failures: Arc<AtomicU32>,
    panics: Arc<AtomicU32>,
}

fn take(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl Projection for PotSums {
    const NAME: &'static str = "pot-sums";
    type Event = PotEvent;
    type Target = Sums;

    async fn project(&self, event: &RecordedEvent<PotEvent>, sums: &mut Sums) -> Result<(), BoxError> {
        if let PotEvent::Added { pot, amount } = &event.data {
            *sums.entry(pot.clone()).or_default() += amount;
        }
        if take(&self.failures) {
            return Err("the projection fell into the trap".into());
        }
        assert!(!take(&self.panics), "the projection panicked into the trap");
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn failures_and_panics_in_the_middle_of_a_batch_neither_skip_nor_double() {
    let store = MemoryStore::new();
    let sums = InMemory::<Sums>::default();
    let trap = PotSums::default();
    trap.failures.store(3, Ordering::SeqCst);
    trap.panics.store(3, Ordering::SeqCst);
    let app = App::builder(store).projection(trap, sums.clone()).start().await.unwrap();
    for n in 0..50 {
        app.dispatch(add(&(n % 5).to_string(), 1)).await.unwrap();
    }
    let last = app.dispatch(add("0", 1)).strong().await.unwrap();
    assert_eq!(last.consistency, Consistency::Reached);
    let expected = BTreeMap::from([("0", 11), ("1", 10), ("2", 10), ("3", 10), ("4", 10)]);
    let found = sums.read(Clone::clone).await;
    assert_eq!(found, expected.into_iter().map(|(pot, sum)| (pot.to_owned(), sum)).collect());
}

/// A peer's runner stopped after its first page of 1,000.
#[tokio::test]
async fn catching_up_goes_on_after_the_first_page() {
    let store = MemoryStore::new();
    let writer = App::builder(store.clone()).start().await.unwrap();
    let commands = (0..3_500).map(|n| writer.dispatch(add(&(n % 7).to_string(), 1)).into_future());
    for answer in futures::future::join_all(commands).await {
        answer.unwrap();
    }
    let sums = InMemory::<Sums>::default();
    let app = App::builder(store).projection(PotSums::default(), sums.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(sums.read(|sums| sums.values().sum::<i64>()).await, 3_500);
    assert_eq!(app.status()[0].position, Position::new(3_500));
}

/// Two runners of one projection fence each other: each event counts once, and neither claims to be where it
/// is not.
#[tokio::test]
async fn two_applications_on_one_read_model_count_each_event_once() {
    let store = MemoryStore::new();
    let sums = InMemory::<Sums>::default();
    let mut apps = Vec::new();
    for _ in 0..2 {
        let builder = App::builder(store.clone()).projection(PotSums::default(), sums.clone());
        apps.push(builder.start().await.unwrap());
    }
    for n in 1..=200 {
        let done = apps[n % 2].dispatch(add("a", 1)).strong().await.unwrap();
        assert_eq!(done.consistency, Consistency::Reached);
        assert_eq!(sums.read(|sums| sums["a"]).await, n as i64);
    }
}

/// Strong consistency of a peer times out when the subscriber's filter passes the command's events over.
#[tokio::test]
async fn strong_does_not_wait_for_events_that_a_projection_does_not_want() {
    #[derive(serde::Serialize, serde::Deserialize)]
    enum Other {}
    impl Event for Other {
        const CATEGORY: &'static str = "other";
    }
    struct Others;
    #[async_trait]
    impl Projection for Others {
        const NAME: &'static str = "others";
        type Event = Other;
        type Target = ();

        async fn project(&self, _: &RecordedEvent<Other>, (): &mut ()) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let builder = App::builder(MemoryStore::new()).projection(Others, InMemory::default());
    let app = builder.start().await.unwrap();
    let done = app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(done.consistency, Consistency::Reached);
    assert_eq!(
        app.dispatch(add("a", 1)).wait_for(["nobody"]).await.unwrap().consistency,
        Consistency::Stopped
    );
}

/// A strong wait of a peer runs into its timeout once the handler has stopped.
#[tokio::test]
async fn waiting_for_a_stopped_subscriber_ends_at_once() {
    let builder = App::builder(MemoryStore::new()).projection(PotSums::default(), InMemory::default());
    let app = builder.start().await.unwrap();
    let trap = app.clone();
    let mut waiting = app.dispatch(add("a", 1)).strong().into_future();
    assert!(futures::poll!(&mut waiting).is_pending());
    trap.shutdown().await;
    let done = waiting.await.unwrap();
    assert!(matches!(done.consistency, Consistency::Reached | Consistency::Stopped));
    assert_eq!(app.status()[0].state, SubscriberState::Stopped { error: None });
}

#[tokio::test]
async fn two_subscribers_of_one_name_and_two_commands_of_one_name_do_not_start() {
    let builder = App::builder(MemoryStore::new())
        .projection(PotSums::default(), InMemory::default())
        .projection(PotSums::default(), InMemory::default());
    assert_eq!(builder.start().await.unwrap_err().to_string(), "two subscribers are named \"pot-sums\"");
    let builder = App::builder(MemoryStore::new()).router(Router::new().route::<Add>().route::<Add>());
    assert_eq!(builder.start().await.unwrap_err().to_string(), "the command name \"Add\" is routed twice");
}

/// Peers drop what they cannot read, or put a default in its place.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_stops_the_projection_and_its_aggregate_with_its_name() {
    let store = MemoryStore::new();
    let stream = StreamId::new("pot", "a").unwrap();
    let event = NewEvent {
        id: EventId::new(uuid::Uuid::now_v7()),
        event_type: "Melted".into(),
        data: Json::parse("{}").unwrap(),
        metadata: Metadata::default(),
    };
    let write = StreamWrite { stream, expected: ExpectedVersion::NoStream, events: vec![event] };
    let recorded_at = Timestamp::from_micros(0);
    let append = Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false };
    store.append(vec![append]).await.unwrap().remove(0).unwrap();
    let sums = InMemory::<Sums>::default();
    let app = App::builder(store).projection(PotSums::default(), sums.clone()).start().await.unwrap();
    let refused = app.dispatch(add("a", 1)).await.unwrap_err();
    assert!(matches!(refused, DispatchError::Store(_)), "{refused:?}");
    let error = failure(&app, "pot-sums").await;
    assert!(error.starts_with("event \"Melted\" at version 1 of stream pot-a (position 1)"), "{error}");
    assert!(error.contains("unknown variant `Melted`"), "{error}");
    assert_eq!(app.status()[0].position, Position::ZERO);
}
