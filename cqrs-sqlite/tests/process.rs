//! What process managers keep in the file.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::BTreeMap;

use common::{command, place};
use cqrs_core::{
    BoxCommand, Chain, CommandId, CorrelationId, EventStore, InstanceChange, InstanceId, InstanceRecord,
    Json, Metadata, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, Position, ProcessStep,
    ProcessStore, Share, StepCause, StepError, Timestamp,
};
use cqrs_sqlite::SqliteStore;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() + micros)
}

fn task(id: CommandId, instance: &str, task: OutboxTask, correlation: CorrelationId) -> OutboxEntry {
    OutboxEntry {
        id,
        process: "transfer".into(),
        instance: InstanceId::new(instance).unwrap(),
        task,
        metadata: Metadata {
            causation_id: Some(Uuid::nil().into()),
            correlation_id: Some(correlation),
            extra: BTreeMap::from([("user".into(), "mé".into())]),
        },
        due_at: NOW,
        retry_at: NOW,
        attempts: 0,
        last_error: None,
        state: OutboxState::Pending,
    }
}

fn send() -> OutboxTask {
    OutboxTask::Command(BoxCommand::new("Send", Json::parse(r#"{"to":"\u0000"}"#).unwrap()))
}

fn step(from: u64, to: u64, tasks: Vec<OutboxEntry>) -> ProcessStep {
    ProcessStep {
        process: "transfer".into(),
        cause: StepCause::Events { from: Position::new(from), to: Position::new(to) },
        instances: vec![],
        cancels: vec![],
        tasks,
        at: NOW,
    }
}

fn change(id: &str, state: &str, finished: bool) -> InstanceChange {
    let record = InstanceRecord { finished, ..InstanceRecord::new(Json::parse(state).unwrap()) };
    InstanceChange { id: InstanceId::new(id).unwrap(), record }
}

fn ids(tasks: &[OutboxEntry]) -> Vec<CommandId> {
    tasks.iter().map(|task| task.id).collect()
}

#[tokio::test]
async fn a_step_is_all_or_nothing_and_fenced() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let chain = CorrelationId::new(Uuid::new_v4());
    let (one, two) = (command(), command());
    let mut first = step(
        0,
        5,
        vec![task(one, "a", send(), chain), task(two, "b", OutboxTask::Deadline("late".into()), chain)],
    );
    first.instances = vec![change("a", r#"{"x":1}"#, false), change("b", "null", true)];
    store.commit_step(first.clone()).await.unwrap();
    assert_eq!(store.checkpoint("transfer").await.unwrap(), Position::new(5));
    assert_eq!(store.checkpoint("other").await.unwrap(), Position::ZERO);
    let asked =
        [InstanceId::new("b").unwrap(), InstanceId::new("none").unwrap(), InstanceId::new("a").unwrap()];
    let found = store.instances("transfer", &asked).await.unwrap();
    assert_eq!(
        found,
        [Some(change("b", "null", true).record), None, Some(change("a", r#"{"x":1}"#, false).record)]
    );
    assert_eq!(store.due_tasks(NOW, Share::ALL, 10).await.unwrap(), first.tasks);

    for wrong in [(0, 6), (4, 6), (6, 7)] {
        let mut late = step(wrong.0, wrong.1, vec![task(command(), "a", send(), chain)]);
        late.instances = vec![change("a", "2", true)];
        assert!(matches!(store.commit_step(late).await, Err(StepError::Fenced)));
    }
    let unknown = ProcessStep { process: "other".into(), ..step(3, 4, vec![]) };
    assert!(matches!(store.commit_step(unknown).await, Err(StepError::Fenced)));
    assert_eq!(store.due_tasks(NOW, Share::ALL, 10).await.unwrap().len(), 2);
    assert_eq!(store.instances("transfer", &asked).await.unwrap(), found);

    // The same task again, in a later step, is left as it is.
    let again = OutboxEntry { attempts: 9, ..task(one, "a", send(), chain) };
    store.commit_step(step(5, 6, vec![again])).await.unwrap();
    assert_eq!(store.due_tasks(NOW, Share::ALL, 10).await.unwrap(), first.tasks);

    // Done by a step of its own, once.
    let cause = StepCause::Task { id: two, error: Some("rejected".into()) };
    let deadline = ProcessStep { cause, instances: vec![change("b", "3", true)], ..step(0, 0, vec![]) };
    store.commit_step(deadline.clone()).await.unwrap();
    assert!(matches!(store.commit_step(deadline).await, Err(StepError::Fenced)));
    assert_eq!(store.checkpoint("transfer").await.unwrap(), Position::new(6));
    assert_eq!(ids(&store.due_tasks(NOW, Share::ALL, 10).await.unwrap()), [one]);
    store.close().await;
    assert!(matches!(store.commit_step(step(6, 7, vec![])).await, Err(StepError::Store(_))));
}

#[tokio::test]
async fn commands_of_one_instance_keep_their_order_and_deadlines_wait_for_nobody() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let chain = CorrelationId::new(Uuid::new_v4());
    let [a1, a2, a3, b1, future] = [(); 5].map(|()| command());
    let mut later = task(future, "b", send(), chain);
    (later.due_at, later.retry_at) = (at(100), at(100));
    let tasks = vec![
        task(a1, "a", send(), chain),
        task(a2, "a", OutboxTask::Deadline("d".into()), chain),
        later,
        task(a3, "a", send(), chain),
        task(b1, "b", send(), chain),
    ];
    store.commit_step(step(0, 1, tasks)).await.unwrap();
    assert_eq!(
        ids(&store.due_tasks(NOW, Share::ALL, 10).await.unwrap()),
        [a1, a2, a3, b1],
        "what is not due holds up nobody"
    );
    assert_eq!(ids(&store.due_tasks(NOW, Share::ALL, 3).await.unwrap()), [a1, a2, a3]);
    assert_eq!(store.next_due(NOW).await.unwrap(), Some(at(100)));

    let retry = OutboxOutcome::Retry { at: at(50), error: "down".into() };
    store.settle_tasks(vec![(a1, retry)], NOW).await.unwrap();
    assert_eq!(ids(&store.due_tasks(NOW, Share::ALL, 10).await.unwrap()), [a2, b1]);
    assert_eq!(store.next_due(NOW).await.unwrap(), Some(at(50)));
    let due = store.due_tasks(at(50), Share::ALL, 1).await.unwrap().remove(0);
    assert_eq!(
        (due.id, due.attempts, due.last_error.as_deref(), due.retry_at),
        (a1, 1, Some("down"), at(50))
    );

    store.settle_tasks(vec![(a1, OutboxOutcome::Parked { error: "no".into() })], NOW).await.unwrap();
    assert_eq!(ids(&store.due_tasks(at(100), Share::ALL, 10).await.unwrap()), [a2, future, b1]);
    assert_eq!(store.chain(chain).await.unwrap(), Chain { pending: 3, parked: 1, ..Chain::default() });
    assert_eq!(store.next_due(at(100)).await.unwrap(), None);
}

#[tokio::test]
async fn outcomes_are_recorded_once_counted_in_the_chain_and_pruned() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let chain = CorrelationId::new(Uuid::new_v4());
    let [one, two, three] = [(); 3].map(|()| command());
    let tasks = [one, two, three].map(|id| task(id, "a", send(), chain)).to_vec();
    store.commit_step(step(0, 1, tasks)).await.unwrap();
    let retry = || OutboxOutcome::Retry { at: at(5), error: "down".into() };
    let done = |position| OutboxOutcome::Done { position: Position::new(position) };
    let outcomes = vec![
        (one, retry()),
        (two, done(8)),
        (one, retry()),
        (three, retry()),
        (one, done(7)),
        (one, OutboxOutcome::Parked { error: "too late".into() }),
        (command(), done(99)),
    ];
    store.settle_tasks(outcomes, at(1)).await.unwrap();
    assert_eq!(
        store.chain(chain).await.unwrap(),
        Chain { pending: 1, last: Position::new(8), ..Chain::default() }
    );
    assert_eq!(store.chain(CorrelationId::new(Uuid::nil())).await.unwrap(), Chain::default());
    store.settle_tasks(vec![(two, retry())], at(2)).await.unwrap();
    let due = store.due_tasks(at(5), Share::ALL, 10).await.unwrap();
    assert_eq!(due.iter().map(|task| (task.id, task.attempts)).collect::<Vec<_>>(), [(three, 1)]);
    assert_eq!(store.prune_tasks(at(1)).await.unwrap(), 0);
    assert_eq!(store.prune_tasks(at(2)).await.unwrap(), 2);
    assert_eq!(store.chain(chain).await.unwrap(), Chain { pending: 1, ..Chain::default() });
}
