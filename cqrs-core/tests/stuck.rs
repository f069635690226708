//! An instance that cannot go on stalls nobody else, and loses nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::cell::Cell;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Faults, FaultyStore, Operation};
use serde::{Deserialize, Serialize};

thread_local! {
    /// What the code of today does wrong, with instances whose id begins with `bad`.
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Handle,
    Apply,
    Write,
    Read,
    Route,
}

fn has(fault: Fault, id: &str) -> bool {
    id.starts_with("bad") && FAULT.get() == fault
}

/// Adds one to pot `sum` for each event of an instance, and tells how many there were.
#[derive(Default, Debug)]
struct Count {
    id: String,
    seen: u32,
}

/// Its state, as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored(String, u32);

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if has(Fault::Write, &self.id) {
            return Err(serde::ser::Error::custom("it cannot be written"));
        }
        Stored(self.id.clone(), self.seen).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored(id, seen) = Stored::deserialize(deserializer)?;
        match has(Fault::Read, &id) {
            true => Err(serde::de::Error::custom("it cannot be read")),
            false => Ok(Self { id, seen }),
        }
    }
}

/// A command that the router does not know.
#[derive(Serialize, Deserialize)]
struct Lost {
    pot: String,
}

impl Command for Lost {
    const NAME: &'static str = "Lost";
    type Aggregate = Pot;

    fn aggregate_id(&self) -> &String {
        &self.pot
    }
}

impl Handle<Lost> for Pot {
    type Error = std::convert::Infallible;

    fn handle(&self, _: &Lost) -> Result<Vec<PotEvent>, Self::Error> {
        Ok(Vec::new())
    }
}

impl ProcessManager for Count {
    const NAME: &'static str = "count";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Added { pot, .. } if !pot.starts_with("sum") => Interest::start(pot),
            PotEvent::Moved { pot, .. } => Interest::stop(pot),
            _ => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        let id = event.stream.key();
        let unlucky = matches!(event.data, PotEvent::Added { amount: 13, .. });
        assert!(!(unlucky && has(Fault::Handle, id)), "handle fell into the trap");
        match has(Fault::Route, id) {
            true => vec![Outgoing::command(Lost { pot: id.to_owned() })],
            false => vec![Outgoing::command(add(&format!("sum-{id}"), i64::from(self.seen) + 1))],
        }
    }

    fn apply(&mut self, event: &PotEvent) {
        if let PotEvent::Added { pot, .. } | PotEvent::Moved { pot, .. } = event {
            assert!(!has(Fault::Apply, pot), "apply fell into the trap");
            self.id = pot.clone();
            self.seen += 1;
        }
    }
}

impl Count {
    async fn start(store: &(impl Store + Clone)) -> App {
        let mut options = SubscribeOptions::default();
        // So small that a retry takes several pages.
        options.batch_events = 4;
        let builder = App::builder(store.clone()).router(router()).subscribe_options(options);
        builder.process_manager::<Self>().start().await.unwrap()
    }
}

fn id(id: &str) -> InstanceId {
    InstanceId::new(id).unwrap()
}

async fn sums(store: &MemoryStore, pot: &str) -> Vec<String> {
    stream(store, &format!("sum-{pot}")).await.iter().map(|event| event.data.as_str().to_owned()).collect()
}

fn counted(pot: &str, upto: i64) -> Vec<String> {
    (1..=upto).map(|n| format!(r#"{{"pot":"sum-{pot}","amount":{n}}}"#)).collect()
}

fn process(app: &App) -> ProcessHandle {
    app.process("count").unwrap()
}

async fn stuck(app: &App, instance: &str) -> Option<Stuck> {
    process(app).instance(&id(instance)).await.unwrap()?.stuck
}

#[tokio::test]
async fn whatever_is_wrong_with_an_instance_it_stalls_nobody_else_and_goes_on_when_retried() {
    for fault in [Fault::Handle, Fault::Apply, Fault::Write, Fault::Read, Fault::Route] {
        FAULT.set(Fault::None);
        let store = MemoryStore::new();
        let app = Count::start(&store).await;
        app.dispatch(add("bad", 1)).settled().await.unwrap();
        FAULT.set(fault);
        let second = app.dispatch(add("bad", 13)).settled().await.unwrap();
        assert_eq!(second.consistency, Consistency::Stuck, "{fault:?}");
        app.dispatch(add("bad", 1)).await.unwrap();
        for n in 0..6 {
            let other = app.dispatch(add(if n % 2 == 0 { "good" } else { "better" }, 1)).settled().await;
            assert_eq!(other.unwrap().consistency, Consistency::Reached, "{fault:?}");
        }
        assert_eq!(app.settle().await.unwrap(), Consistency::Stuck, "{fault:?}");
        assert_eq!(sums(&store, "good").await, counted("good", 3), "{fault:?}");
        assert_eq!(sums(&store, "bad").await, counted("bad", 1), "{fault:?}");
        assert_eq!(stuck(&app, "bad").await.unwrap().at, second.position, "{fault:?}");
        let again = process(&app).retry_instance(&id("bad")).await.unwrap();
        assert!(matches!(again, Mended::Stuck(_)), "{fault:?}: {again:?}");

        FAULT.set(Fault::None);
        assert_eq!(process(&app).retry_instance(&id("bad")).await.unwrap(), Mended::GoesOn);
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        assert_eq!(sums(&store, "bad").await, counted("bad", 3), "{fault:?}");
        app.dispatch(add("bad", 1)).settled().await.unwrap();
        assert_eq!(sums(&store, "bad").await, counted("bad", 4), "{fault:?}");
        assert_eq!(process(&app).retry_instance(&id("bad")).await.unwrap(), Mended::WasNotStuck);
        assert_eq!(process(&app).retry_instance(&id("nobody")).await.unwrap(), Mended::Unknown);
    }
}

/// The step that finds the fault has turns of the instance before it, and after it.
#[tokio::test]
async fn what_an_instance_took_before_it_got_stuck_holds() {
    let store = MemoryStore::new();
    let before = App::builder(store.clone()).router(router()).start().await.unwrap();
    for amount in [1, 1, 13, 1] {
        before.dispatch(add("bad", amount)).await.unwrap();
    }
    FAULT.set(Fault::Handle);
    let app = Count::start(&store).await;
    assert_eq!(app.settle().await.unwrap(), Consistency::Stuck);
    assert_eq!(sums(&store, "bad").await, counted("bad", 2));
    let record = process(&app).instance(&id("bad")).await.unwrap().unwrap();
    assert_eq!(record.state.unwrap().as_str(), r#"["bad",2]"#);
    assert_eq!((record.first, record.last), (Position::new(1), Position::new(2)));
    assert_eq!(record.stuck.unwrap().at, Position::new(3));
    FAULT.set(Fault::None);
}

#[tokio::test]
async fn an_instance_that_is_stuck_at_its_first_event_begins_with_it_when_it_is_retried() {
    let store = MemoryStore::new();
    let app = Count::start(&store).await;
    FAULT.set(Fault::Apply);
    app.dispatch(add("bad", 1)).settled().await.unwrap();
    app.dispatch(add("bad", 1)).settled().await.unwrap();
    let record = process(&app).instance(&id("bad")).await.unwrap().unwrap();
    assert_eq!((record.state, record.first, record.last), (None, Position::ZERO, Position::ZERO));
    FAULT.set(Fault::None);
    assert_eq!(process(&app).retry_instance(&id("bad")).await.unwrap(), Mended::GoesOn);
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(sums(&store, "bad").await, counted("bad", 2));
    assert_eq!(process(&app).instance(&id("bad")).await.unwrap().unwrap().first, Position::new(1));
}

/// New code may have mended it.
#[tokio::test]
async fn stuck_instances_are_retried_when_the_application_starts() {
    let store = MemoryStore::new();
    let first = Count::start(&store).await;
    FAULT.set(Fault::Apply);
    for n in 0..150 {
        first.dispatch(add(&format!("bad{n}"), 1)).await.unwrap();
    }
    assert_eq!(first.settle().await.unwrap(), Consistency::Stuck);
    drop(first);
    let second = Count::start(&store).await;
    assert_eq!(second.settle().await.unwrap(), Consistency::Stuck, "it is no better yet");
    drop(second);
    FAULT.set(Fault::None);
    let third = Count::start(&store).await;
    assert_eq!(third.settle().await.unwrap(), Consistency::Reached);
    for n in 0..150 {
        assert_eq!(sums(&store, &format!("bad{n}")).await.len(), 1, "bad{n}");
    }
}

/// A retry is many steps, and each may be the last of a process, or be taken twice.
#[tokio::test]
async fn a_retry_that_is_interrupted_is_completed_by_the_next_and_does_nothing_twice() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let app = Count::start(&store).await;
    FAULT.set(Fault::Apply);
    for _ in 0..20 {
        app.dispatch(add("bad", 1)).await.unwrap();
        app.dispatch(add("good", 1)).await.unwrap();
    }
    assert_eq!(app.settle().await.unwrap(), Consistency::Stuck);
    FAULT.set(Fault::None);
    let mut attempts = 0;
    loop {
        attempts += 1;
        // A page is taken, and the answer is lost.
        store.inject(Operation::CommitStep, [cqrs_testing::Fault::LoseAnswer]);
        match process(&app).retry_instance(&id("bad")).await {
            Ok(mended) => {
                assert_eq!(mended, Mended::WasNotStuck, "the answer of the last step was lost too");
                break;
            }
            Err(error) => assert!(matches!(error, ProcessError::Store(_)), "{error}"),
        }
    }
    store.inject(Operation::CommitStep, []);
    assert!(attempts > 5, "there were pages: {attempts}");
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(sums(store.inner(), "bad").await, counted("bad", 20));
}

#[tokio::test]
async fn an_event_that_is_skipped_is_never_taken_and_the_others_are() {
    let store = MemoryStore::new();
    let app = Count::start(&store).await;
    FAULT.set(Fault::Handle);
    for amount in [1, 13, 1, 13, 1] {
        app.dispatch(add("bad", amount)).await.unwrap();
    }
    assert_eq!(app.settle().await.unwrap(), Consistency::Stuck);
    let again = process(&app).skip_event(&id("bad")).await.unwrap();
    assert!(matches!(again, Mended::Stuck(Stuck { at, .. }) if at == stuck(&app, "bad").await.unwrap().at));
    assert_eq!(process(&app).skip_event(&id("bad")).await.unwrap(), Mended::GoesOn);
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(sums(&store, "bad").await, counted("bad", 3));
    FAULT.set(Fault::None);
}

#[tokio::test]
async fn an_instance_that_an_operator_ends_takes_no_more_stuck_or_not() {
    let store = MemoryStore::new();
    let app = Count::start(&store).await;
    app.dispatch(add("good", 1)).settled().await.unwrap();
    FAULT.set(Fault::Apply);
    app.dispatch(add("bad", 1)).settled().await.unwrap();
    assert!(process(&app).end_instance(&id("good")).await.unwrap());
    assert!(process(&app).end_instance(&id("bad")).await.unwrap());
    assert!(!process(&app).end_instance(&id("nobody")).await.unwrap());
    FAULT.set(Fault::None);
    for pot in ["good", "bad"] {
        app.dispatch(add(pot, 1)).settled().await.unwrap();
    }
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!((sums(&store, "good").await.len(), sums(&store, "bad").await.len()), (1, 0));
    let ended = InstanceQuery::all(9).standing(InstanceState::Finished);
    let ended = process(&app).instances(&ended).await.unwrap();
    assert_eq!(ended.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [id("bad"), id("good")]);
}

#[tokio::test]
async fn a_history_tells_events_and_tasks_of_an_instance_and_for_which_it_is_stuck() {
    let store = MemoryStore::new();
    let app = Count::start(&store).await;
    for pot in ["bad", "good", "bad", "good"] {
        app.dispatch(add(pot, 1)).settled().await.unwrap();
    }
    FAULT.set(Fault::Apply);
    for pot in ["bad", "good", "bad"] {
        app.dispatch(add(pot, 1)).settled().await.unwrap();
    }
    FAULT.set(Fault::None);
    let history = process(&app).history(&id("bad")).await.unwrap().unwrap();
    let keys: Vec<_> = history.events.iter().map(|event| event.stream.key()).collect();
    assert_eq!(keys, ["bad"; 4]);
    assert_eq!(history.events[2].position, history.record.stuck.unwrap().at);
    let states: Vec<_> = history.tasks.iter().map(|task| task.state).collect();
    assert_eq!(states, [OutboxState::Done; 2]);
    let other = process(&app).history(&id("good")).await.unwrap().unwrap();
    assert_eq!((other.events.len(), other.tasks.len()), (3, 3));
    assert!(process(&app).history(&id("nobody")).await.unwrap().is_none());
}
