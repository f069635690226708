//! What an operator sees of process managers, and what his decisions come to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use serde::{Deserialize, Serialize};

/// For each coin that is moved, two commands: the first may be refused, and is parked then.
#[derive(Default, Serialize, Deserialize)]
struct Pair {}

impl ProcessManager for Pair {
    const NAME: &'static str = "pair";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Moved { via, .. } => Interest::start(via),
            _ => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        let PotEvent::Moved { to, amount, via, .. } = event.data.clone() else { return Vec::new() };
        let refused_while_empty = add(&format!("{to}-limit"), -amount);
        vec![
            Outgoing::command(refused_while_empty),
            Outgoing::command(Arrive { pot: to, amount, via: via.clone() }),
        ]
    }
}

async fn start(store: impl Store) -> App {
    App::builder(store).router(router()).process_manager::<Pair>().start().await.unwrap()
}

async fn arrived(store: &MemoryStore, pot: &str) -> usize {
    stream(store, pot).await.len()
}

/// Moves something that does not arrive, as its first command is refused.
async fn parked(app: &App) -> OutboxEntry {
    app.dispatch(add("a", 5)).await.unwrap();
    let moved = app.dispatch(carry("a", "b", 3, "t1")).settled().await.unwrap();
    assert_eq!(moved.consistency, Consistency::Parked, "and not for ever");
    let tasks = process(app).tasks(TaskQuery::all(9).standing(OutboxState::Parked)).await.unwrap().tasks;
    assert_eq!(tasks.len(), 1);
    tasks[0].clone()
}

fn process(app: &App) -> ProcessHandle {
    app.process("pair").unwrap()
}

#[tokio::test]
async fn a_parked_command_is_found_and_retried_and_what_waits_behind_it_goes_on() {
    let store = MemoryStore::new();
    let app = start(store.clone()).await;
    let task = parked(&app).await;
    assert_eq!(app.settle().await.unwrap(), Consistency::Parked);
    assert_eq!(task.last_error.as_deref(), Some("the pot has 0"));
    assert_eq!(process(&app).task(task.id).await.unwrap(), Some(task.clone()));
    assert_eq!(arrived(&store, "b").await, 0);

    app.dispatch(add("b-limit", 3)).await.unwrap();
    assert!(process(&app).retry(task.id).await.unwrap());
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(arrived(&store, "b").await, 1);
    assert!(!process(&app).retry(task.id).await.unwrap(), "it is done");
    assert!(!process(&app).drop_task(task.id).await.unwrap(), "it is done");
}

#[tokio::test]
async fn a_command_that_is_dropped_never_takes_effect_and_lets_the_others_pass() {
    let store = MemoryStore::new();
    let app = start(store.clone()).await;
    let task = parked(&app).await;
    let (waits, chain) = (app.clone(), task.metadata.correlation_id.unwrap());
    assert!(process(&app).drop_task(task.id).await.unwrap());
    let look = waits.dispatch(Touch { pot: "a".into() }).correlation_id(chain).settled().await.unwrap();
    assert_eq!(look.consistency, Consistency::Reached);
    assert_eq!((arrived(&store, "b").await, arrived(&store, "b-limit").await), (1, 0));
    let states = process(&app).history(&task.instance).await.unwrap().unwrap().tasks;
    let states: Vec<_> = states.into_iter().map(|task| task.state).collect();
    assert_eq!(states, [OutboxState::Dropped, OutboxState::Done]);
}

/// What is decided by one process is noticed by the one that works.
#[tokio::test(start_paused = true)]
async fn a_decision_of_another_application_is_noticed() {
    let store = MemoryStore::new();
    let app = start(store.clone()).await;
    let task = parked(&app).await;
    store.decide_task(task.id, TaskDecision::Drop, SystemClock.now()).await.unwrap();
    while arrived(&store, "b").await == 0 {
        store.wait_beyond(store.head().await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_manager_that_does_not_run_here_has_no_handle() {
    let app = start(MemoryStore::new()).await;
    assert!(app.process("nobody").is_none());
    assert_eq!(app.processes().iter().map(ProcessHandle::name).collect::<Vec<_>>(), ["pair"]);
    let other = CommandId::new(uuid::Uuid::nil());
    assert!(!process(&app).retry(other).await.unwrap());
    assert_eq!(process(&app).task(other).await.unwrap(), None);
}

/// The outbox worked in rounds once: what one instance's slow command had to wait for, all others waited for as well.
#[tokio::test(start_paused = true)]
async fn a_slow_command_of_one_instance_delays_no_other() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let app = start(store.clone()).await;
    app.dispatch(add("a", 100)).await.unwrap();
    for pot in ["b-limit", "c-limit"] {
        app.dispatch(add(pot, 100)).await.unwrap();
    }
    // The stream of pot `c` cannot be read for a while.
    let slow = app.clone();
    store.inject(Operation::ReadStream, [Fault::Fail; 3]);
    slow.dispatch(carry("a", "c", 1, "slow")).await.unwrap();
    for n in 0..600 {
        let moved = app.dispatch(carry("a", "b", 0, &format!("t{n}"))).await.unwrap();
        assert_eq!(moved.consistency, Consistency::NotAwaited);
    }
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(arrived(store.inner(), "b").await, 600);
}

/// Someone else is always busy.
#[tokio::test(start_paused = true)]
async fn settling_waits_for_what_is_there_and_not_for_what_others_begin_meanwhile() {
    let store = MemoryStore::new();
    let app = start(store.clone()).await;
    app.dispatch(add("a", 1_000_000)).await.unwrap();
    for pot in ["b-limit", "c-limit"] {
        app.dispatch(add(pot, 1_000_000)).await.unwrap();
    }
    let busy = app.clone();
    let others = tokio::spawn(async move {
        for n in 0.. {
            busy.dispatch(carry("a", "b", 1, &format!("busy{n}"))).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    for n in 0..20 {
        app.dispatch(carry("a", "c", 1, &format!("mine{n}"))).await.unwrap();
    }
    let settled = tokio::time::timeout(Duration::from_secs(600), app.settle()).await;
    assert_eq!(settled.unwrap().unwrap(), Consistency::Reached);
    assert_eq!(arrived(&store, "c").await, 20);
    others.abort();
}
