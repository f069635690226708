//! Where subscribers begin, how they batch, what their status tells; and the log as a stream.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use futures::StreamExt;

/// Keeps the positions of what it is given, and how they were cut.
#[derive(Clone, Default)]
struct Positions(Arc<Mutex<Vec<usize>>>);

#[async_trait]
impl Projection for Positions {
    const NAME: &'static str = "positions";
    type Event = PotEvent;
    type Target = Vec<u64>;

    /// Only what was added to one pot.
    fn filter(&self) -> EventFilter {
        PotEvent::filter().and_event_types(["Added"]).and_streams([StreamId::new("pot", "a").unwrap()])
    }

    async fn project(&self, event: &RecordedEvent<PotEvent>, seen: &mut Vec<u64>) -> Result<(), BoxError> {
        seen.push(event.position.as_u64());
        Ok(())
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<PotEvent>],
        seen: &mut Vec<u64>,
    ) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(events.len());
        for event in events {
            self.project(event, seen).await?;
        }
        Ok(())
    }
}

async fn app(
    store: &MemoryStore,
    projection: Positions,
    change: impl FnOnce(&mut SubscribeOptions),
) -> (App, InMemory<Vec<u64>>) {
    let (seen, mut options) = (InMemory::default(), SubscribeOptions::default());
    change(&mut options);
    let builder = App::builder(store.clone()).projection_with(projection, seen.clone(), options);
    (builder.start().await.unwrap(), seen)
}

async fn store_with(events: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let (app, _) = app(&store, Positions::default(), |_| {}).await;
    for _ in 0..events {
        app.dispatch(add("a", 1)).await.unwrap();
    }
    store
}

#[tokio::test]
async fn a_projection_begins_at_the_origin_now_or_after_a_position() {
    for (start, wanted) in [
        (StartFrom::Origin, vec![1, 2, 3, 4, 5]),
        (StartFrom::Now, vec![4, 5]),
        (StartFrom::Position(Position::new(2)), vec![3, 4, 5]),
    ] {
        let store = store_with(3).await;
        let (app, seen) = app(&store, Positions::default(), |options| options.start = start).await;
        app.dispatch(add("a", 1)).await.unwrap();
        let done = app.dispatch(add("a", 1)).strong().await.unwrap();
        assert_eq!(done.consistency, Consistency::Reached);
        assert_eq!(seen.read(Clone::clone).await, wanted, "{start:?}");
        // Where it began stays where it was.
        app.reset("positions").await.unwrap();
        app.settle().await.unwrap();
        assert_eq!(seen.read(Clone::clone).await, wanted, "{start:?}, after a reset");
        app.rebuild("positions").await.unwrap();
        assert_eq!(seen.read(Clone::clone).await, wanted, "{start:?}, after a rebuild");
    }
}

#[tokio::test]
async fn a_batch_has_one_event_at_least() {
    let store = store_with(3).await;
    let (app, seen) = app(&store, Positions::default(), |options| options.batch_events = 0).await;
    app.settle().await.unwrap();
    app.rebuild("positions").await.unwrap();
    assert_eq!(seen.read(Clone::clone).await, [1, 2, 3]);
}

/// A log that was restored from a backup lacks what a read model elsewhere has seen; what is appended then at the same
/// positions it would miss.
#[tokio::test(start_paused = true)]
async fn a_read_model_that_is_beyond_the_log_says_so_and_can_be_rebuilt() {
    let seen = InMemory::default();
    let start =
        |store: MemoryStore| App::builder(store).projection(Positions::default(), seen.clone()).start();
    start(store_with(5).await).await.unwrap().settle().await.unwrap();
    let app = start(store_with(2).await).await.unwrap();
    let dispatched = app.dispatch(add("a", 1)).strong().timeout(Duration::from_millis(300)).await.unwrap();
    assert_eq!(dispatched.consistency, Consistency::TimedOut);
    let mut status = app.watch_status("positions").unwrap();
    let found =
        status.wait_for(|it| matches!(it.state, SubscriberState::Retrying { .. })).await.unwrap().clone();
    let SubscriberState::Retrying { error, .. } = &found.state else { unreachable!() };
    assert!(error.contains("at position 5, and the log ends at"), "{error}");
    // That the log has as much again changes nothing.
    for _ in 0..4 {
        app.dispatch(add("a", 1)).await.unwrap();
    }
    let mut status = app.watch_status("positions").unwrap();
    let attempts = |it: &SubscriberStatus| match it.state {
        SubscriberState::Retrying { attempts, .. } => attempts,
        _ => 0,
    };
    let before = attempts(&status.borrow());
    status.wait_for(|it| attempts(it) > before).await.unwrap();
    app.rebuild("positions").await.unwrap();
    app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(seen.read(Clone::clone).await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_process_manager_that_begins_now_asks_for_nothing_because_of_what_was() {
    let start = |store: MemoryStore, start| {
        let mut options = SubscribeOptions::default();
        options.start = start;
        let builder = App::builder(store).router(router()).subscribe_options(options);
        builder.process_manager::<Carry>().start()
    };
    let store = MemoryStore::new();
    let before = App::builder(store.clone()).router(router()).start().await.unwrap();
    before.dispatch(add("a", 9)).await.unwrap();
    before.dispatch(carry("a", "b", 1, "t1")).await.unwrap();
    let app = start(store.clone(), StartFrom::Now).await.unwrap();
    app.settle().await.unwrap();
    assert!(stream(&store, "b").await.is_empty());
    app.dispatch(carry("a", "b", 1, "t2")).settled().await.unwrap();
    assert_eq!(stream(&store, "b").await.len(), 1);

    // What came after its first start is its business, whatever it has seen.
    let store = MemoryStore::new();
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    faulty.inject(Operation::CommitStep, vec![Fault::Fail; 1_000]);
    let mut options = SubscribeOptions::default();
    options.start = StartFrom::Now;
    let builder = App::builder(faulty).router(router()).subscribe_options(options);
    let first = builder.process_manager::<Carry>().start().await;
    assert!(matches!(first, Err(StartError::Begin { subscriber: "carry", .. })));
    let before = App::builder(store.clone()).router(router()).start().await.unwrap();
    before.dispatch(add("a", 9)).await.unwrap();
    before.dispatch(carry("a", "b", 1, "t1")).await.unwrap();
    let app = start(store.clone(), StartFrom::Now).await.unwrap();
    app.settle().await.unwrap();
    assert_eq!(stream(&store, "b").await.len(), 1);
}

/// A value in memory that begins anew once looked for now again, and lost what came in between.
#[tokio::test(start_paused = true)]
async fn now_is_when_the_application_started_also_after_a_failure() {
    #[derive(Default)]
    struct Fails(Mutex<u32>);
    #[async_trait]
    impl Projection for Fails {
        const NAME: &'static str = "fails";
        type Event = PotEvent;
        type Target = Vec<u64>;
        async fn project(
            &self,
            event: &RecordedEvent<PotEvent>,
            seen: &mut Vec<u64>,
        ) -> Result<(), BoxError> {
            seen.push(event.position.as_u64());
            *self.0.lock().unwrap() += 1;
            if *self.0.lock().unwrap() == 2 { Err("once".into()) } else { Ok(()) }
        }
    }
    let store = store_with(3).await;
    let (seen, mut options) = (InMemory::default(), SubscribeOptions::default());
    options.start = StartFrom::Now;
    let builder = App::builder(store).projection_with(Fails::default(), seen.clone(), options);
    let app = builder.start().await.unwrap();
    for _ in 0..3 {
        app.dispatch(add("a", 1)).strong().await.unwrap();
    }
    assert_eq!(seen.read(Clone::clone).await, [4, 5, 6]);
    let status = &app.status()[0];
    assert_eq!(status.state, SubscriberState::Running);
    assert_eq!(status.last_error.as_ref().unwrap().1, "once", "it stays when all is well again");
}

#[tokio::test]
async fn a_projection_is_given_what_its_filter_wants() {
    let store = MemoryStore::new();
    let (app, seen) = app(&store, Positions::default(), |_| {}).await;
    for (n, pot) in ["b", "a", "b", "a"].into_iter().enumerate() {
        let done = app.dispatch(add(pot, 1)).strong().await.unwrap();
        assert_eq!((done.consistency, done.position), (Consistency::Reached, Position::new(n as u64 + 1)));
    }
    assert_eq!(seen.read(Clone::clone).await, [2, 4]);
}

#[tokio::test(start_paused = true)]
async fn batches_fill_up_for_as_long_as_they_may_wait() {
    let store = MemoryStore::new();
    let projection = Positions::default();
    let began = tokio::time::Instant::now();
    let wait = Duration::from_secs(60);
    let (app, _) = app(&store, projection.clone(), |options| {
        (options.batch_events, options.batch_wait) = (5, wait);
    })
    .await;
    let taken = || projection.0.lock().unwrap().clone();
    for _ in 0..5 {
        app.dispatch(add("a", 1)).await.unwrap();
    }
    app.settle().await.unwrap();
    assert_eq!((taken(), began.elapsed() < wait), (vec![5], true), "a full batch does not wait");
    app.dispatch(add("a", 1)).await.unwrap();
    // A peer's strong consistency runs into its timeout while the batch fills up.
    let done = app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!((done.consistency, taken()), (Consistency::Reached, vec![5, 2]));
    assert!(began.elapsed() >= wait);
    app.dispatch(add("a", 1)).await.unwrap();
    app.shutdown().await;
    assert!(began.elapsed() < 2 * wait, "a shutdown does not wait");
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_how_far_behind_a_failing_subscriber_is() {
    struct Stuck;
    #[async_trait]
    impl Projection for Stuck {
        const NAME: &'static str = "stuck";
        type Event = PotEvent;
        type Target = ();
        async fn project(&self, event: &RecordedEvent<PotEvent>, (): &mut ()) -> Result<(), BoxError> {
            if event.position > Position::new(1) { Err("stuck".into()) } else { Ok(()) }
        }
    }
    let builder = App::builder(MemoryStore::new()).projection(Stuck, InMemory::default());
    let app = builder.start().await.unwrap();
    app.dispatch(add("a", 1)).strong().await.unwrap();
    for _ in 0..4 {
        app.dispatch(add("a", 1)).await.unwrap();
    }
    let mut status = app.watch_status("stuck").unwrap();
    // It looks for the head once a second, however often it fails meanwhile.
    let five = |status: &SubscriberStatus| status.head == Position::new(5) && status.lag() > 0;
    let retrying = |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { .. });
    let found = status.wait_for(|status| five(status) && retrying(status)).await.unwrap();
    assert_eq!(found.lag(), 5, "a value in memory begins anew");
    let SubscriberState::Retrying { attempts, error, next_attempt } = &found.state else {
        panic!("{found:?}");
    };
    assert!(*attempts > 0 && error == "stuck" && *next_attempt > found.last_error.as_ref().unwrap().0);
    let oldest = found.oldest_waiting.unwrap();
    assert_eq!(found.lag_time(oldest.plus(Duration::from_secs(3))), Duration::from_secs(3));
}

#[tokio::test]
async fn a_consumer_sees_every_event_once_from_the_past_to_the_present() {
    const WRITERS: u64 = 8;
    const EACH: u64 = 150;
    let store = MemoryStore::new();
    let app = App::builder(store).start().await.unwrap();
    for _ in 0..700 {
        app.dispatch(add("past", 1)).await.unwrap();
    }
    let (last, slow) = (700 + WRITERS * EACH, app.subscribe(StartFrom::Origin, EventFilter::all()));
    let consumers = (0..4).map(|n| {
        let events = app.subscribe(StartFrom::Position(Position::new(n * 100)), EventFilter::all());
        async move {
            let seen: Vec<_> = events
                .map(|event| event.unwrap().position.as_u64())
                .take_while(|position| std::future::ready(*position < last))
                .collect()
                .await;
            assert_eq!(seen, (n * 100 + 1..last).collect::<Vec<_>>());
        }
    });
    let writers = (0..WRITERS).map(|n| {
        let app = &app;
        async move {
            for _ in 0..EACH {
                app.dispatch(add(&n.to_string(), 1)).await.unwrap();
            }
        }
    });
    futures::join!(futures::future::join_all(consumers), futures::future::join_all(writers));
    let late: Vec<_> =
        slow.take(last as usize).map(|event| event.unwrap().position.as_u64()).collect().await;
    assert_eq!(late, (1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn consumers_filter_decode_and_end_with_the_application() {
    let store = store_with(2).await;
    let app = App::builder(store).start().await.unwrap();
    let only_b = EventFilter::all().and_streams([StreamId::new("pot", "b").unwrap()]);
    let mut b = app.subscribe(StartFrom::Origin, only_b);
    let mut now = app.subscribe(StartFrom::Now, EventFilter::all());
    let mut typed = app.subscribe_to::<PotEvent>(StartFrom::Origin);
    assert!(futures::poll!(now.next()).is_pending());
    app.dispatch(add("b", 3)).await.unwrap();
    assert_eq!(b.next().await.unwrap().unwrap().position, Position::new(3));
    assert_eq!(now.next().await.unwrap().unwrap().position, Position::new(3));
    for amount in [1, 1, 3] {
        let event = typed.next().await.unwrap().unwrap();
        assert!(matches!(event.data, PotEvent::Added { amount: found, .. } if found == amount));
    }
    let ends = async { app.shutdown().await };
    let (next, typed, ()) = futures::join!(b.next(), typed.next(), ends);
    assert!(next.is_none() && typed.is_none());
    assert!(now.next().await.is_none());
}

/// A status told position 0 until the subscriber had read its checkpoint; who asked at once took it for one that had all
/// to do.
#[tokio::test]
async fn a_status_is_right_from_the_start() {
    let (store, model) = (MemoryStore::new(), InMemory::default());
    let start = || async {
        let builder = App::builder(store.clone()).router(router());
        let builder = builder.projection(Positions::default(), model.clone());
        builder.process_manager::<Carry>().start().await.unwrap()
    };
    let app = start().await;
    app.dispatch(add("a", 5)).await.unwrap();
    app.dispatch(carry("a", "b", 3, "t1")).settled().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    app.shutdown().await;
    let without = App::builder(store.clone()).router(router()).start().await.unwrap();
    without.dispatch(add("a", 5)).await.unwrap();
    let app = start().await;
    for status in app.status() {
        assert_eq!((status.position.as_u64(), status.head.as_u64()), (3, 4), "{status:?}");
        assert_eq!(status.lag(), 1);
    }
}
