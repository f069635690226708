//! A step that cancels a deadline, and one that asks for it again at the same moment: as if one came after the other.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use common::{Scratch, command};
use cqrs_core::{
    InstanceId, Metadata, OutboxEntry, OutboxState, OutboxTask, Position, ProcessStep, ProcessStore,
    StepCause, StepError, TaskQuery, Timestamp,
};
use cqrs_postgres::PostgresStore;
use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row};

const NOW: Timestamp = Timestamp::from_micros(1);

fn order() -> InstanceId {
    InstanceId::new("order").unwrap()
}

fn deadline() -> OutboxEntry {
    OutboxEntry {
        id: command(),
        process: "orders".into(),
        instance: order(),
        task: OutboxTask::Deadline("late".into()),
        metadata: Metadata::default(),
        due_at: NOW,
        retry_at: NOW,
        attempts: 0,
        last_error: None,
        state: OutboxState::Pending,
    }
}

fn step(cause: StepCause) -> ProcessStep {
    ProcessStep {
        process: "orders".into(),
        cause,
        instances: Vec::new(),
        cancels: Vec::new(),
        tasks: Vec::new(),
        at: NOW,
    }
}

fn events(from: u64) -> StepCause {
    StepCause::Events { from: Position::new(from), to: Position::new(from + 1) }
}

/// An event comes, and asks for the deadline.
fn asks(from: u64, deadline: &OutboxEntry) -> ProcessStep {
    ProcessStep { tasks: vec![deadline.clone()], ..step(events(from)) }
}

/// The deadline comes, and asks for another one.
fn asks_again(deadline: &OutboxEntry, again: OutboxEntry) -> ProcessStep {
    ProcessStep { tasks: vec![again], ..step(StepCause::Task { id: deadline.id, error: None }) }
}

/// An event comes after which the deadline is not wanted.
fn cancels(from: u64) -> ProcessStep {
    ProcessStep { cancels: vec![(order(), "late".into())], ..step(events(from)) }
}

async fn states(store: &PostgresStore) -> Vec<OutboxState> {
    store
        .list_tasks(&TaskQuery::all(1_000))
        .await
        .unwrap()
        .tasks
        .into_iter()
        .map(|task| task.state)
        .collect()
}

/// Waits until a step waits for a lock.
async fn until_it_waits(outsider: &mut PgConnection) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while outsider.fetch_one(waiting).await.unwrap().get::<i64, _>(0) == 0 {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_step_that_cancels_waits_for_one_that_asks_and_sees_what_it_has_asked_for() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    store.commit_step(asks(0, &deadline())).await.unwrap();
    let (mut asking, mut outsider) = (scratch.outsider().await, scratch.outsider().await);
    let begun = "BEGIN;
         SELECT FROM process_checkpoints FOR UPDATE;
         INSERT INTO outbox (id, process, instance, kind, name, metadata, due_at, retry_at, attempts, state)
         SELECT gen_random_uuid(), process, instance, kind, name, metadata, due_at, retry_at, attempts, state FROM outbox";
    asking.execute(begun).await.unwrap();
    let cancelling = tokio::spawn({
        let store = store.clone();
        async move { store.commit_step(cancels(1)).await }
    });
    until_it_waits(&mut outsider).await;
    asking.execute("COMMIT").await.unwrap();
    cancelling.await.unwrap().unwrap();
    assert_eq!(states(&store).await, [OutboxState::Dropped; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_step_that_asks_waits_for_one_that_cancels_and_is_fenced() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let late = deadline();
    store.commit_step(asks(0, &late)).await.unwrap();
    let (mut cancelling, mut outsider) = (scratch.outsider().await, scratch.outsider().await);
    cancelling.execute("BEGIN; SELECT FROM process_checkpoints FOR UPDATE").await.unwrap();
    let mut asking = tokio::spawn({
        let store = store.clone();
        async move { store.commit_step(asks_again(&late, deadline())).await }
    });
    tokio::select! {
        () = until_it_waits(&mut outsider) => {}
        taken = &mut asking => panic!("it has not waited: {taken:?}"),
    }
    cancelling.execute("UPDATE outbox SET state = 3; COMMIT").await.unwrap();
    assert!(matches!(asking.await.unwrap(), Err(StepError::Fenced)));
    assert_eq!(states(&store).await, [OutboxState::Dropped]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn no_deadline_is_left_by_steps_of_two_nodes_that_race() {
    let scratch = Scratch::new().await;
    let (one, other) = (scratch.store().await, scratch.store().await);
    for round in 0..100 {
        let late = deadline();
        one.commit_step(asks(2 * round, &late)).await.unwrap();
        let (asked, cancelled) = futures::join!(
            one.commit_step(asks_again(&late, deadline())),
            other.commit_step(cancels(2 * round + 1)),
        );
        cancelled.unwrap();
        assert!(matches!(asked, Ok(()) | Err(StepError::Fenced)), "{asked:?}");
        assert!(!states(&one).await.contains(&OutboxState::Pending), "round {round}");
    }
}
