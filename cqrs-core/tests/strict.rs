//! Interests that must hold, and states of former days.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One move for each id, and what arrives must have been moved.
#[derive(Default, Serialize, Deserialize)]
struct Strict {}

impl ProcessManager for Strict {
    const NAME: &'static str = "strict";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Moved { via, .. } => Interest::start_strict(via),
            PotEvent::Arrived { via, .. } => Interest::continue_strict(via),
            PotEvent::Returned { via, .. } => Interest::stop(via),
            _ => Interest::none(),
        }
    }

    fn handle(&self, _: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        Vec::new()
    }
}

async fn error(app: &App, process: &str, id: &str) -> Option<String> {
    let id = InstanceId::new(id).unwrap();
    let found = app.process(process).unwrap().instance(&id).await.unwrap().unwrap();
    found.stuck.map(|stuck| stuck.error)
}

#[tokio::test]
async fn a_strict_start_of_an_instance_that_is_there_by_another_event_is_an_error_also_after_its_end() {
    let store = MemoryStore::new();
    let app = App::builder(store).router(router()).process_manager::<Strict>().start().await.unwrap();
    app.dispatch(add("a", 9)).await.unwrap();
    for id in ["t1", "t2"] {
        let first = app.dispatch(carry("a", "b", 1, id)).settled().await.unwrap();
        assert_eq!(first.consistency, Consistency::Reached);
    }
    app.dispatch(GiveBack { pot: "a".into(), amount: 1, via: "t2".into() }).settled().await.unwrap();
    for (id, first) in [("t1", 2), ("t2", 3)] {
        let second = app.dispatch(carry("a", "b", 1, id)).settled().await.unwrap();
        assert_eq!(second.consistency, Consistency::Stuck);
        let error = error(&app, "strict", id).await.unwrap();
        let wanted = format!(
            "instance {id} of process manager \"strict\" was begun by the event at position {first}, and is begun again"
        );
        assert_eq!(error, wanted);
    }
    let id = InstanceId::new("t1").unwrap();
    assert_eq!(app.process("strict").unwrap().skip_event(&id).await.unwrap(), Mended::GoesOn);
}

#[tokio::test]
async fn an_event_that_must_find_an_instance_is_an_error_without_one_and_passed_over_after_its_end() {
    let store = MemoryStore::new();
    let app = App::builder(store).router(router()).process_manager::<Strict>().start().await.unwrap();
    let arrive = |via: &str| Arrive { pot: "b".into(), amount: 1, via: via.into() };
    let lost = app.dispatch(arrive("t1")).settled().await.unwrap();
    assert_eq!(lost.consistency, Consistency::Stuck);
    let told = error(&app, "strict", "t1").await.unwrap();
    assert_eq!(told, "instance t1 of process manager \"strict\" has not begun, and an event needs it");
    // Without that event, it is as if nothing had happened: it may begin.
    let id = InstanceId::new("t1").unwrap();
    assert_eq!(app.process("strict").unwrap().skip_event(&id).await.unwrap(), Mended::GoesOn);
    app.dispatch(add("a", 9)).await.unwrap();
    app.dispatch(carry("a", "b", 1, "t1")).settled().await.unwrap();
    app.dispatch(GiveBack { pot: "a".into(), amount: 1, via: "t1".into() }).settled().await.unwrap();
    let late = app.dispatch(arrive("t1")).settled().await.unwrap();
    assert_eq!(late.consistency, Consistency::Reached);
    assert_eq!(error(&app, "strict", "t1").await, None);
}

macro_rules! version {
    ($name:ident $version:literal { $field:ident: $type:ty } $migrate:expr) => {
        #[derive(Default, Serialize, Deserialize)]
        struct $name {
            $field: $type,
        }

        impl ProcessManager for $name {
            const NAME: &'static str = "versions";
            const SCHEMA_VERSION: u32 = $version;
            type Event = PotEvent;

            fn interested(event: &PotEvent) -> Interest {
                match event {
                    PotEvent::Added { pot, .. } if pot != "seen" => Interest::start(pot),
                    _ => Interest::none(),
                }
            }

            fn handle(&self, _: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
                let seen = Json::of(&self.$field).unwrap().as_str().len();
                vec![Outgoing::command(add("seen", seen as i64))]
            }

            fn apply(&mut self, _: &PotEvent) {
                self.$field = Default::default();
            }

            fn migrate(version: u32, state: Value) -> Result<Value, BoxError> {
                let migrate: fn(u32, Value) -> Result<Value, BoxError> = $migrate;
                migrate(version, state)
            }
        }
    };
}

version!(First 1 { count: u32 } |_, _| Err("there is none older".into()));
version!(Third 3 { counts: Vec<u32> } |version, state| match version {
    1 => Ok(json!({ "counts": [state["count"], 2, 3] })),
    _ => Err("no such version".into()),
});

async fn run<P: ProcessManager>(store: &MemoryStore) -> Option<String> {
    let app = App::builder(store.clone()).router(router()).process_manager::<P>().start().await.unwrap();
    app.settle().await.unwrap();
    app.dispatch(add("a", 1)).await.unwrap();
    app.settle().await.unwrap();
    let error = error(&app, "versions", "a").await;
    drop(app);
    error
}

#[tokio::test]
async fn an_older_state_is_migrated_and_a_newer_one_gets_its_instance_stuck() {
    let store = MemoryStore::new();
    assert_eq!(run::<First>(&store).await, None);
    assert_eq!(run::<Third>(&store).await, None);
    let seen: Vec<_> = stream(&store, "seen").await.iter().map(|event| event.data.to_string()).collect();
    assert_eq!(seen, [r#"{"pot":"seen","amount":1}"#, r#"{"pot":"seen","amount":7}"#], "[0,2,3]");
    let error = run::<First>(&store).await.unwrap();
    let wanted = "the state of instance a of process manager \"versions\" has schema version 3, newer than this program's 1";
    assert_eq!(error, wanted);
    // The newer program is back, and takes what the older one could not.
    assert_eq!(run::<Third>(&store).await, None);
    assert_eq!(stream(&store, "seen").await.len(), 4);
}
