//! Read models are made anew beside the old ones, and nobody notices but by the answers.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use futures::StreamExt;
use tokio::sync::Notify;

type Sums = BTreeMap<String, i64>;

/// Where projections of a test wait, while they are told to.
#[derive(Default)]
struct Door {
    closed: AtomicBool,
    waiting: Notify,
    opens: Notify,
}

impl Door {
    async fn pass(&self) {
        while self.closed.load(Ordering::SeqCst) {
            let opens = self.opens.notified();
            self.waiting.notify_one();
            opens.await;
        }
    }

    fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
        self.opens.notify_waiters();
    }
}

/// Sums up pots; a version counts each amount as often as its number says.
#[derive(Clone, Default)]
struct Counting<const V: u32> {
    door: Arc<Door>,
    seen: Arc<AtomicU64>,
}

#[async_trait]
impl<const V: u32> Projection for Counting<V> {
    const NAME: &'static str = "sums";
    const VERSION: u32 = V;
    type Event = PotEvent;
    type Target = Sums;

    async fn project(&self, event: &RecordedEvent<PotEvent>, sums: &mut Sums) -> Result<(), BoxError> {
        self.seen.fetch_add(1, Ordering::SeqCst);
        if let PotEvent::Added { pot, amount } = &event.data {
            if *amount == 13 {
                return Err("thirteen is not to be counted".into());
            }
            *sums.entry(pot.clone()).or_default() += amount * i64::from(V);
        }
        self.door.pass().await;
        Ok(())
    }
}

struct World {
    store: MemoryStore,
    sums: InMemory<Sums>,
}

impl World {
    async fn with(events: i64) -> Self {
        let store = MemoryStore::new();
        let app = App::builder(store.clone()).start().await.unwrap();
        for _ in 0..events {
            app.dispatch(add("a", 1)).await.unwrap();
        }
        Self { store, sums: InMemory::default() }
    }

    async fn start<const V: u32>(&self, projection: Counting<V>) -> Result<App, StartError> {
        App::builder(self.store.clone()).projection(projection, self.sums.clone()).start().await
    }

    async fn sum(&self) -> i64 {
        self.sums.read(|sums| sums.get("a").copied().unwrap_or_default()).await
    }
}

async fn until(app: &App, reached: impl FnMut(&SubscriberStatus) -> bool) -> SubscriberStatus {
    app.watch_status("sums").unwrap().wait_for(reached).await.unwrap().clone()
}

/// A peer's rebuild deletes in its loop, and what had ten has one.
#[tokio::test]
async fn a_rebuild_comes_to_the_same_while_commands_and_queries_go_on() {
    let world = World::with(2_500).await;
    let app = world.start(Counting::<1>::default()).await.unwrap();
    app.settle().await.unwrap();
    // What is in the value and not in the log shows who has made it.
    let at = world.sums.checkpoint("sums").await.unwrap();
    let mut transaction = world.sums.begin("sums", at).await.unwrap();
    InMemory::target(&mut transaction).insert("b".to_owned(), 7);
    world.sums.commit(transaction, at.unwrap()).await.unwrap();
    let rebuild = app.rebuild("sums");
    let mut added = 2_500;
    let writing = async {
        loop {
            let done = app.dispatch(add("a", 1)).strong().await.unwrap();
            assert_eq!(done.consistency, Consistency::Reached);
            added += 1;
            assert_eq!(world.sum().await, added, "it never goes back");
        }
    };
    let rebuilt = tokio::select! {
        rebuilt = rebuild => rebuilt.unwrap(),
        () = writing => unreachable!("it writes for ever"),
    };
    assert!(rebuilt >= Position::new(2_500));
    assert_eq!(world.sums.read(|sums| sums.get("b").copied()).await, None);
    let last = app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(world.sum().await, last.position.as_u64() as i64);
    assert_eq!(app.status()[0].rebuild, None);
}

/// A peer empties the table first: a crash right after leaves it empty at the old checkpoint.
#[tokio::test]
async fn a_reset_begins_anew_at_once_and_comes_to_the_same() {
    let world = World::with(100).await;
    let projection = Counting::<1>::default();
    let app = world.start(projection.clone()).await.unwrap();
    app.settle().await.unwrap();
    assert_eq!(projection.seen.swap(0, Ordering::SeqCst), 100);
    app.reset("sums").await.unwrap();
    // Without another event, which would wake it anyway.
    until(&app, |status| {
        status.position == Position::new(100) && projection.seen.load(Ordering::SeqCst) == 100
    })
    .await;
    assert_eq!(world.sum().await, 100);
}

#[tokio::test]
async fn a_new_version_answers_as_the_old_one_until_it_has_caught_up() {
    let world = World::with(50).await;
    let old = world.start(Counting::<1>::default()).await.unwrap();
    old.settle().await.unwrap();
    old.shutdown().await;
    let world = World { store: MemoryStore::clone(&world.store), sums: world.sums };
    let new = Counting::<2>::default();
    new.door.closed.store(true, Ordering::SeqCst);
    let app = world.start(new.clone()).await.unwrap();
    new.door.waiting.notified().await;
    let status = until(&app, |status| status.rebuild.is_some()).await;
    assert_eq!(status.state, SubscriberState::Rebuilding);
    assert_eq!(status.rebuild.unwrap().percent(), 0.0);
    assert_eq!(world.sum().await, 50, "the old answer stays");
    new.door.open();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(world.sum().await, 100);
    app.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(world.sum().await, 102);
    assert_eq!(until(&app, |status| status.rebuild.is_none()).await.state, SubscriberState::Running);
}

#[tokio::test]
async fn an_old_program_stops_when_a_new_one_has_rebuilt_and_does_not_start_again() {
    let world = World::with(10).await;
    let old = world.start(Counting::<1>::default()).await.unwrap();
    old.settle().await.unwrap();
    let new = world.start(Counting::<2>::default()).await.unwrap();
    new.settle().await.unwrap();
    let waited = old.dispatch(add("a", 1)).strong().await.unwrap();
    assert_eq!(waited.consistency, Consistency::Stopped, "an answer at once, not a timeout");
    let SubscriberState::Stopped { error: Some(error) } = &old.status()[0].state else {
        panic!("{:?}", old.status());
    };
    assert_eq!(error, "version 2 has made the read model; this program has only version 1");
    new.settle().await.unwrap();
    assert_eq!(world.sum().await, 22, "and has written nothing");
    let refused = world.start(Counting::<1>::default()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the read model of projection \"sums\" is of version 2; this program has version 1"
    );
}

#[tokio::test]
async fn a_rebuild_that_fails_says_so_and_leaves_what_was_there() {
    let world = World::with(5).await;
    let app = world.start(Counting::<1>::default()).await.unwrap();
    app.settle().await.unwrap();
    // The projection cannot get past this one; neither can a rebuild.
    app.dispatch(add("a", 13)).await.unwrap();
    until(&app, |status| matches!(status.state, SubscriberState::Retrying { .. })).await;
    let error = app.rebuild("sums").await.unwrap_err();
    assert!(matches!(error, RebuildError::Failed(_)), "{error:?}");
    assert!(describe(&error).contains("thirteen is not to be counted"), "{}", describe(&error));
    let error = app.rebuild("nobody").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no projection \"nobody\"");
    assert!(matches!(app.reset("nobody").await, Err(RebuildError::Unknown(_))));
}

#[tokio::test]
async fn a_rebuild_can_be_cancelled_and_there_is_one_at_a_time() {
    let world = World::with(5).await;
    let projection = Counting::<1>::default();
    let app = world.start(projection.clone()).await.unwrap();
    app.settle().await.unwrap();
    projection.door.closed.store(true, Ordering::SeqCst);
    let first = app.rebuild("sums");
    projection.door.waiting.notified().await;
    assert!(matches!(app.rebuild("sums").await, Err(RebuildError::UnderWay(_))));
    assert!(matches!(app.reset("sums").await, Err(RebuildError::UnderWay(_))));
    first.cancel();
    assert!(matches!(first.await, Err(RebuildError::Cancelled)));
    projection.door.open();
    assert_eq!(world.sum().await, 5);
    assert_eq!(app.rebuild("sums").await.unwrap(), Position::new(5));
    // One that is dropped goes on, and the shutdown ends it.
    projection.door.closed.store(true, Ordering::SeqCst);
    drop(app.rebuild("sums"));
    projection.door.waiting.notified().await;
    app.shutdown().await;
    assert_eq!(world.sum().await, 5);
}

#[tokio::test]
async fn the_progress_of_a_rebuild_is_told() {
    let world = World::with(40).await;
    let projection = Counting::<1>::default();
    let mut options = SubscribeOptions::default();
    options.batch_events = 10;
    let builder =
        App::builder(world.store.clone()).projection_with(projection.clone(), world.sums.clone(), options);
    let app = builder.start().await.unwrap();
    app.settle().await.unwrap();
    let mut rebuild = app.rebuild("sums");
    let mut told = Vec::new();
    loop {
        tokio::select! {
            biased;
            done = &mut rebuild => break assert_eq!(done.unwrap(), Position::new(40)),
            () = async { projection.door.pass().await; tokio::task::yield_now().await } => {}
        }
        told.extend(
            rebuild.progress().map(|progress| (progress.position.as_u64(), progress.head.as_u64())),
        );
    }
    told.dedup();
    assert!(told.iter().all(|(position, head)| position % 10 == 0 && *head == 40), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
}

#[tokio::test]
async fn changes_of_status_are_a_stream_that_ends_with_the_application() {
    let world = World::with(3).await;
    let app = world.start(Counting::<1>::default()).await.unwrap();
    let changes = app.watch();
    app.settle().await.unwrap();
    app.shutdown().await;
    let told: Vec<_> = changes.collect().await;
    let last = told.last().unwrap();
    assert_eq!((last.position, last.lag()), (Position::new(3), 0));
    assert_eq!(last.state, SubscriberState::Stopped { error: None });
}

/// A read model in memory whose checkpoint takes its time on the way to the one who asks.
#[derive(Clone)]
struct Slow {
    model: InMemory<Sums>,
    door: Arc<Door>,
}

#[async_trait]
impl ReadModel for Slow {
    type Target = Sums;
    type Transaction = <InMemory<Sums> as ReadModel>::Transaction;

    async fn begin(
        &self,
        projection: &str,
        from: Option<Checkpoint>,
    ) -> Result<Self::Transaction, StepError> {
        self.model.begin(projection, from).await
    }

    fn target(transaction: &mut Self::Transaction) -> &mut Sums {
        InMemory::target(transaction)
    }

    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError> {
        let at = self.model.checkpoint(projection).await;
        self.door.pass().await;
        at
    }

    async fn commit(&self, transaction: Self::Transaction, to: Checkpoint) -> Result<(), StepError> {
        self.model.commit(transaction, to).await
    }

    /// The shadow is as quick as ever.
    async fn shadow(&self, projection: &str) -> Result<Self, StoreError> {
        Ok(Self { model: self.model.shadow(projection).await?, door: Arc::default() })
    }

    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError> {
        self.model.replace(projection, &shadow.model, up_to).await
    }

    fn place(&self) -> Option<String> {
        None
    }
}

/// A runner that had just looked where it was told that place after the reset, and whoever waited was answered before the
/// read model had come back.
#[tokio::test(start_paused = true)]
async fn whoever_waits_after_a_reset_waits_until_it_has_come_back() {
    let world = World::with(3).await;
    let before = world.start(Counting::<1>::default()).await.unwrap();
    before.settle().await.unwrap();
    before.shutdown().await;
    let store = FaultyStore::new(world.store.clone(), Faults::default());
    let slow = Slow { model: world.sums.clone(), door: Arc::default() };
    let builder = App::builder(store.clone()).projection(Counting::<1>::default(), slow.clone());
    let app = builder.start().await.unwrap();
    // Where the runner is, it is told after the reset; and then it fails, and is there for a while.
    slow.door.closed.store(true, Ordering::SeqCst);
    slow.door.waiting.notified().await;
    app.reset("sums").await.unwrap();
    assert_eq!(world.sum().await, 0);
    store.inject(Operation::ReadLog, [Fault::Fail]);
    slow.door.open();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(world.sum().await, 3);
}
