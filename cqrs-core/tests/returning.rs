//! Dispatches that return events, or what is seen in the state.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use uuid::Uuid;

fn id() -> CommandId {
    CommandId::new(Uuid::now_v7())
}

async fn app(store: &MemoryStore) -> App {
    App::builder(store.clone()).start().await.unwrap()
}

#[tokio::test]
async fn events_are_returned_as_they_are_stored_also_by_a_duplicate() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    app.dispatch(add("a", 1)).await.unwrap();
    let id = id();
    for duplicate in [false, true] {
        let (dispatched, events) = app.dispatch(add("a", 5)).command_id(id).events().await.unwrap();
        assert_eq!((dispatched.duplicate, events.len()), (duplicate, 1));
        assert_eq!(events[0].data, PotEvent::Added { pot: "a".to_owned(), amount: 5 });
        assert_eq!((events[0].version, events[0].position), (Version::new(2), Position::new(2)));
        assert_eq!(events[0].id, stream(&store, "a").await[1].id);
        app.dispatch(add("a", 100)).await.unwrap();
    }
    let (_, events) = app.dispatch(Touch { pot: "a".to_owned() }).events().await.unwrap();
    assert!(events.is_empty());
    let refused = app.dispatch(add("a", -999)).events().await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refused::NotEnough(206)));
}

#[tokio::test]
async fn the_state_is_seen_right_after_the_commands_own_events() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let amounts =
        (1..=100).map(|amount| app.dispatch(add("hot", amount)).state(|pot| pot.amount).into_future());
    let seen = futures::future::try_join_all(amounts).await.unwrap();
    let mut sum = 0;
    for (amount, (_, seen)) in (1..=100).zip(seen) {
        sum += amount;
        assert_eq!(seen, sum, "the state with all commands before, and none after");
    }
}

#[tokio::test]
async fn a_duplicate_sees_the_state_of_its_first_outcome() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let id = id();
    app.dispatch(add("a", 1)).await.unwrap();
    assert_eq!(app.dispatch(add("a", 5)).command_id(id).state(|pot| pot.amount).await.unwrap().1, 6);
    app.dispatch(add("a", 100)).await.unwrap();
    let (dispatched, seen) =
        app.dispatch(add("a", 5)).command_id(id).state(|pot| pot.amount).await.unwrap();
    assert!(dispatched.duplicate);
    assert_eq!(seen, 6);
}

/// Two applications on one store: what is seen is the state that the command was finally decided on.
#[tokio::test]
async fn after_a_conflict_the_state_is_seen_anew() {
    let store = MemoryStore::new();
    let (one, two) = (app(&store).await, app(&store).await);
    one.dispatch(add("a", 1)).await.unwrap();
    two.dispatch(add("a", 10)).await.unwrap();
    assert_eq!(one.dispatch(add("a", 100)).state(|pot| pot.amount).await.unwrap().1, 111);
    assert_eq!(one.dispatch(add("a", 0)).state(|pot| pot.applied).await.unwrap().1, 4);
}

#[tokio::test]
async fn what_cannot_be_returned_is_told_apart_from_what_did_not_happen() {
    let faults = Faults::default().script(Operation::ReadStream, 2, Fault::Fail);
    let app = App::builder(FaultyStore::new(MemoryStore::new(), faults)).start().await.unwrap();
    let error = app.dispatch(add("a", 5)).events().await.unwrap_err();
    assert!(
        matches!(&error, DispatchError::NotReturned { dispatched, .. } if dispatched.version == Version::new(1)),
        "{error:?}"
    );
}
