//! The store that goes wrong: it does so as planned, and is sound otherwise.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Fault, FaultRates, Faults, FaultyStore, Operation, StoreFactory};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, poll};
use uuid::Uuid;

/// Makes stores with nothing to go wrong.
struct Sound;

#[async_trait]
impl StoreFactory for Sound {
    type Store = FaultyStore<MemoryStore>;

    async fn make(&self) -> Self::Store {
        FaultyStore::new(MemoryStore::new(), Faults::default())
    }

    async fn again(&self, store: &Self::Store) -> Self::Store {
        store.restart_on(store.inner().clone())
    }

    async fn reopen(&self, store: Self::Store) -> Self::Store {
        store.close().await;
        store.restart()
    }
}

mod sound {
    use super::Sound;
    cqrs_testing::store_contract!(Sound, lacks { damage: "the store in memory has none" });
}

fn faulty(faults: Faults) -> FaultyStore<MemoryStore> {
    FaultyStore::new(MemoryStore::new(), faults)
}

/// Writes one event.
fn write() -> Vec<Append> {
    let event = NewEvent {
        id: EventId::new(Uuid::now_v7()),
        event_type: "Happened".into(),
        data: Json::parse("{}").unwrap(),
        metadata: Metadata::default(),
    };
    let stream = StreamId::new("a", "b").unwrap();
    let write = StreamWrite { stream, expected: ExpectedVersion::Any, events: vec![event] };
    let recorded_at = Timestamp::from_micros(0);
    vec![Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false }]
}

/// How many events were stored.
async fn stored(store: &FaultyStore<MemoryStore>) -> u64 {
    store.inner().head().await.unwrap().as_u64()
}

#[tokio::test]
async fn a_call_that_fails_changes_nothing_and_says_so() {
    let store = faulty(Faults::default().script(Operation::Append, 2, Fault::Fail));
    store.append(write()).await.unwrap();
    let error = store.append(write()).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { action: "append", .. }), "{error:?}");
    assert_eq!(stored(&store).await, 1);
    store.append(write()).await.unwrap();
    assert_eq!(stored(&store).await, 2);
    assert_eq!(store.report(), "faults of seed 0: append 2 failed");
}

#[tokio::test]
async fn a_write_that_loses_its_answer_is_stored_and_its_outcome_is_unknown() {
    let store = faulty(Faults::default());
    store.inject(Operation::Append, [Fault::LoseAnswer]);
    let error = store.append(write()).await.unwrap_err();
    assert!(matches!(error, StoreError::OutcomeUnknown { .. }), "{error:?}");
    assert_eq!(stored(&store).await, 1);
    store.inject(Operation::SettleTasks, [Fault::LoseAnswer]);
    let error = store.settle_tasks(vec![], Timestamp::from_micros(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::OutcomeUnknown { .. }), "{error:?}");
    assert_eq!(
        store.report(),
        "faults of seed 0: append 1 lost its answer, settle_tasks 1 lost its answer"
    );
}

#[tokio::test]
async fn a_read_that_loses_its_answer_fails() {
    let store = faulty(Faults::default().script(Operation::Head, 1, Fault::LoseAnswer));
    let error = store.head().await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { action: "read the head", .. }), "{error:?}");
    assert_eq!(store.head().await.unwrap(), Position::ZERO);
}

#[tokio::test]
async fn a_call_that_panics_changes_nothing() {
    let store = faulty(Faults::default().script(Operation::Append, 1, Fault::Panic));
    let panic = std::panic::AssertUnwindSafe(store.append(write())).catch_unwind().await.unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert_eq!(message, "injected: append 1 was made to panic");
    assert_eq!(stored(&store).await, 0);
}

/// What happens at once, or never.
async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    for _ in 0..100 {
        if let std::task::Poll::Ready(output) = poll!(&mut future) {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn after_a_crash_nothing_happens_until_the_restart() {
    for (crash, survives) in [(Fault::CrashBefore, 0), (Fault::CrashAfter, 1)] {
        let store = faulty(Faults::default().script(Operation::Append, 1, crash));
        let read_model = store.read_model(InMemory::<u32>::default());
        let mut waits = Box::pin(store.wait_beyond(Position::new(7)));
        assert!(poll!(&mut waits).is_pending());
        assert!(!store.has_crashed());
        let crashed = store.until_crash(store.append(write())).await;
        assert!(crashed.is_none() && store.has_crashed() && store.clone().has_crashed());
        assert_eq!(stored(&store).await, survives);
        assert!(at_once(store.append(write())).await.is_none());
        assert!(at_once(store.clone().head()).await.is_none());
        assert!(at_once(store.close()).await.is_none());
        assert!(at_once(read_model.begin("p", None)).await.is_none());
        assert_eq!(stored(&store).await, survives);
        let next = store.restart();
        next.append(write()).await.unwrap();
        assert_eq!(next.head().await.unwrap().as_u64(), survives + 1);
        for _ in 0..7 {
            next.append(write()).await.unwrap();
        }
        assert!(at_once(waits).await.is_none(), "the dead do not wake");
        assert!(store.has_crashed() && !next.has_crashed());
    }
}

/// A call that was on its way when the process died does not come through after the restart.
#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_dies_in_the_crash() {
    let mut late = FaultRates::default();
    (late.delay, late.longest_delay) = (1.0, Duration::from_secs(1));
    let plan = Faults::seeded(1).rates_of(Operation::Append, late);
    let store = faulty(plan.script(Operation::Head, 1, Fault::CrashBefore));
    let mut writes: FuturesUnordered<_> = (0..100).map(|_| store.append(write())).collect();
    assert!(poll!(writes.next()).is_pending());
    let before = stored(&store).await;
    assert!((1..100).contains(&before), "{before} are in the store and wait for their answers");
    assert!(store.until_crash(store.head()).await.is_none());
    assert!(tokio::time::timeout(Duration::from_secs(10), writes.next()).await.is_err(), "no answer comes");
    assert_eq!(stored(&store).await, before);
}

/// The fates of some calls, as those who call see them.
async fn fates(faults: Faults, mixed: bool) -> Vec<String> {
    let mut store = faulty(faults);
    let mut fates = Vec::new();
    for _ in 0..200 {
        if mixed {
            let _ = store.until_crash(store.checkpoint("p")).await;
        }
        if store.has_crashed() {
            store = store.restart();
        }
        fates
            .push(format!("{:?}", store.until_crash(store.append(write())).await.map(|done| done.is_ok())));
    }
    fates
}

#[tokio::test(start_paused = true)]
async fn a_seed_repeats_itself_whatever_else_is_called() {
    let first = fates(Faults::storm(5), false).await;
    assert_eq!(first, fates(Faults::storm(5), false).await);
    assert_eq!(first, fates(Faults::storm(5), true).await);
    assert_ne!(first, fates(Faults::storm(6), false).await);
}

#[tokio::test(start_paused = true)]
async fn calls_overtake_each_other() {
    let mut rates = FaultRates::default();
    rates.reorder = 0.5;
    let store = faulty(Faults::seeded(3).rates(rates));
    let calls = (0..50).map(|n| {
        let mut batch = write();
        batch[0].writes[0].stream = StreamId::new("a", n).unwrap();
        store.append(batch)
    });
    futures::future::join_all(calls).await;
    let page = store.inner().read_log(Position::ZERO, &EventFilter::all(), 100).await.unwrap();
    let order: Vec<u32> = page.events.iter().map(|event| event.stream.key().parse().unwrap()).collect();
    assert_eq!(order.len(), 50);
    assert!(!order.is_sorted(), "{order:?}");
}

#[tokio::test]
async fn after_the_storm_nothing_goes_wrong_but_what_is_injected() {
    let mut rates = FaultRates::default();
    rates.fail = 1.0;
    let store = faulty(Faults::seeded(3).rates(rates));
    store.head().await.unwrap_err();
    store.calm();
    store.head().await.unwrap();
    store.restart().head().await.unwrap();
    store.inject(Operation::Head, [Fault::Fail]);
    store.head().await.unwrap_err();
    assert_eq!(store.calls(Operation::Head), 4);
    assert_eq!(store.injected().len(), 2);
}

#[tokio::test]
async fn what_was_injected_can_be_taken_back() {
    let store = faulty(Faults::default());
    store.inject(Operation::Head, [Fault::Fail, Fault::Fail]);
    store.head().await.unwrap_err();
    store.inject(Operation::Head, []);
    store.head().await.unwrap();
}

fn at(position: u64) -> Checkpoint {
    Checkpoint { position: Position::new(position), version: 1 }
}

#[tokio::test]
async fn a_read_model_goes_wrong_by_the_plan_of_its_store() {
    let store = faulty(Faults::default().script(Operation::ReadModelCommit, 2, Fault::Fail));
    let value = InMemory::<u64>::default();
    let read_model = store.read_model(value.clone());
    for (to, ends_well) in [(1, true), (2, false), (2, true)] {
        let from = read_model.checkpoint("p").await.unwrap();
        let mut transaction = read_model.begin("p", from).await.unwrap();
        *cqrs_testing::FaultyReadModel::<InMemory<u64>>::target(&mut transaction) = to;
        let commit = read_model.commit(transaction, at(to)).await;
        assert_eq!(commit.is_ok(), ends_well);
    }
    assert_eq!(value.read(|value| *value).await, 2);
    store.inject(Operation::ReadModelCommit, [Fault::LoseAnswer]);
    let transaction = read_model.begin("p", Some(at(2))).await.unwrap();
    let lost = read_model.commit(transaction, at(3)).await;
    assert!(matches!(lost, Err(StepError::Store(StoreError::OutcomeUnknown { .. }))), "{lost:?}");
    assert_eq!(value.position().await, Position::new(3));
}

/// A dead process kept its transaction, and with it the lock of its read model, for ever.
#[tokio::test]
async fn a_transaction_ends_with_its_process() {
    let store = faulty(Faults::default().script(Operation::ReadModelCommit, 1, Fault::CrashBefore));
    let value = InMemory::<u64>::default();
    let read_model = store.read_model(value.clone());
    let transaction = read_model.begin("p", None).await.unwrap();
    let mut commit = Box::pin(read_model.commit(transaction, at(1)));
    assert!(poll!(&mut commit).is_pending());
    assert!(store.has_crashed());
    assert_eq!(at_once(value.position()).await, Some(Position::ZERO));
}
