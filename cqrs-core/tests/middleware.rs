//! What stands around every dispatch: order, denial, outcomes, logs and metrics.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use metrics_util::debugging::DebuggingRecorder;
use serde_json::{Value, json};
use uuid::Uuid;

type Notes = Arc<Mutex<Vec<String>>>;

/// Writes down what it sees.
struct Scribe {
    name: &'static str,
    notes: Notes,
}

impl Scribe {
    fn note(&self, what: String) {
        self.notes.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

#[async_trait]
impl Middleware for Scribe {
    async fn before(
        &self,
        command: &CommandView<'_>,
        metadata: &mut BTreeMap<String, Value>,
    ) -> Result<(), BoxError> {
        let seen: Vec<_> = command.metadata().extra.keys().cloned().collect();
        self.note(format!("before {} {} {}", command.name(), command.json()?, seen.join("+")));
        metadata.insert(self.name.to_owned(), json!(true));
        Ok(())
    }

    fn after(&self, command: &CommandView<'_>, outcome: &Dispatched) {
        self.note(format!("after {} at {}", command.stream(), outcome.version));
    }

    fn failed(&self, command: &CommandView<'_>, failure: &CommandFailure<'_>) {
        let added = command.metadata().extra.len();
        self.note(format!("failed {} with {added}: {}", failure.kind, describe(failure.error)));
    }
}

/// Lets nobody take from a pot whose name the caller does not give as his own.
struct Owners;

#[async_trait]
impl Middleware for Owners {
    async fn before(
        &self,
        command: &CommandView<'_>,
        _: &mut BTreeMap<String, Value>,
    ) -> Result<(), BoxError> {
        let takes = command.json()?.decode::<Value>()?["amount"].as_i64().is_some_and(|amount| amount < 0);
        let user = command.metadata().extra.get("user").and_then(Value::as_str);
        if takes && user != Some(command.stream().key()) {
            return Err(format!("{user:?} does not own {}", command.stream()).into());
        }
        Ok(())
    }
}

fn scribes() -> (Notes, Scribe, Scribe) {
    let notes = Notes::default();
    let scribe = |name| Scribe { name, notes: Arc::clone(&notes) };
    (Arc::clone(&notes), scribe("outer"), scribe("inner"))
}

fn taken(notes: &Notes) -> Vec<String> {
    std::mem::take(&mut *notes.lock().unwrap())
}

#[tokio::test]
async fn middleware_is_asked_from_the_outside_in_and_told_from_the_inside_out() {
    let store = MemoryStore::new();
    let (notes, outer, inner) = scribes();
    let app = App::builder(store.clone()).middleware(outer).middleware(inner).start().await.unwrap();
    app.dispatch(add("a", 5)).metadata("user", "a").await.unwrap();
    assert_eq!(
        taken(&notes),
        [
            r#"outer before Add {"pot":"a","amount":5} user"#,
            r#"inner before Add {"pot":"a","amount":5} outer+user"#,
            "inner after pot-a at 1",
            "outer after pot-a at 1",
        ]
    );
    let extra = &stream(&store, "a").await[0].metadata.extra;
    assert_eq!(extra.keys().collect::<Vec<_>>(), ["inner", "outer", "user"], "it is stored with the event");

    app.dispatch(add("a", -9)).await.unwrap_err();
    assert_eq!(
        taken(&notes)[2..],
        ["inner failed rejected with 2: the pot has 5", "outer failed rejected with 2: the pot has 5"]
    );
}

#[tokio::test]
async fn a_denied_command_is_not_decided_and_only_those_outside_are_told() {
    let store = MemoryStore::new();
    let (notes, outer, inner) = scribes();
    let builder = App::builder(store.clone()).router(router());
    let app = builder.middleware(outer).middleware(Owners).middleware(inner).start().await.unwrap();
    app.dispatch(add("zoë", 5)).await.unwrap();
    taken(&notes);
    let denied = app.dispatch(add("zoë", -1)).metadata("user", "bob").await.unwrap_err();
    assert!(matches!(denied, DispatchError::Denied(_)));
    assert_eq!(describe(&denied), "denied: Some(\"bob\") does not own pot-zoë");
    assert_eq!(
        taken(&notes)[1..],
        ["outer failed denied with 2: denied: Some(\"bob\") does not own pot-zoë"]
    );
    let by_name = BoxCommand::of(&add("zoë", -1)).unwrap();
    assert!(matches!(app.dispatch(by_name).await, Err(DispatchError::Denied(_))));
    assert_eq!(stream(&store, "zoë").await.len(), 1);
    app.dispatch(add("zoë", -1)).metadata("user", "zoë").await.unwrap();
}

/// Whatever becomes of a command, middleware is told once: what counts must add up.
#[tokio::test]
async fn every_outcome_is_told_once() {
    let faults = Faults::default().script(Operation::Append, 2, Fault::Fail).script(
        Operation::Append,
        3,
        Fault::LoseAnswer,
    );
    let (notes, outer, _) = scribes();
    let mut options = DispatchOptions::default();
    options.max_in_flight = 1;
    let builder = App::builder(FaultyStore::new(MemoryStore::new(), faults)).dispatch_options(options);
    let app = builder.middleware(outer).start().await.unwrap();
    let told = |notes: &Notes| taken(notes).pop().unwrap();

    app.dispatch(add("a", 1)).await.unwrap();
    assert_eq!(told(&notes), "outer after pot-a at 1");
    app.dispatch(add("a", 1)).await.unwrap_err();
    assert!(told(&notes).starts_with("outer failed store with 1"));
    app.dispatch(add("a", 1)).await.unwrap_err();
    assert!(told(&notes).starts_with("outer failed outcome_unknown with 1"));
    app.dispatch(add("a", 1)).expected_version(Version::new(9)).await.unwrap_err();
    assert!(told(&notes).starts_with("outer failed conflict with 1"));
    app.dispatch(Panic { pot: "a".to_owned(), in_apply: true }).await.unwrap_err();
    assert!(told(&notes).starts_with("outer failed panicked with 1"));

    let (mut one, mut two) = (
        Box::pin(app.dispatch(add("a", 1)).into_future()),
        Box::pin(app.try_dispatch(add("a", 1)).into_future()),
    );
    assert!(futures::poll!(&mut one).is_pending());
    assert!(matches!(two.as_mut().await, Err(DispatchError::Overloaded { limit: 1 })));
    assert!(told(&notes).starts_with("outer failed overloaded with 1"));
    drop(one);
    app.shutdown().await;
    assert!(told(&notes).starts_with("outer after pot-a"), "also when the caller has gone away");
}

/// A panic in middleware must neither fail the command nor keep the others from being told.
struct Trap;

impl Middleware for Trap {
    fn after(&self, _: &CommandView<'_>, _: &Dispatched) {
        panic!("after fell into the trap");
    }
}

#[tokio::test]
async fn a_panic_in_middleware_harms_nobody() {
    let (notes, outer, inner) = scribes();
    let builder = App::builder(MemoryStore::new());
    let app = builder.middleware(outer).middleware(Trap).middleware(inner).start().await.unwrap();
    for version in 1..=2 {
        assert_eq!(app.dispatch(add("a", 1)).await.unwrap().version, Version::new(version));
        assert_eq!(taken(&notes).len(), 4);
    }
}

#[tokio::test]
async fn the_log_tells_of_every_command_and_of_its_outcome() {
    let (text, _here) = log_here();
    let app = App::builder(MemoryStore::new()).middleware(LogCommands).start().await.unwrap();
    let id = CommandId::new(Uuid::now_v7());
    app.dispatch(add("a", 5)).command_id(id).await.unwrap();
    app.dispatch(add("a", -9)).await.unwrap_err();
    app.dispatch(Panic { pot: "a".to_owned(), in_apply: false }).await.unwrap_err();
    let line = |message: &str| text.lines(message).remove(0);
    let accepted = line("a command took effect");
    assert!(accepted.contains("DEBUG") && accepted.contains(&format!("command_id={id}")), "{accepted}");
    assert!(
        accepted.contains("command=\"Add\" stream=pot-a") && accepted.contains("version=1"),
        "{accepted}"
    );
    let refused = line("a command was refused");
    assert!(refused.contains("INFO") && refused.contains("error=the pot has 5"), "{refused}");
    assert!(line("a command failed").contains("WARN"));
}

#[tokio::test]
async fn the_metrics_add_up() {
    let recorder = DebuggingRecorder::new();
    let (snapshotter, _here) = metrics_here(&recorder);
    let app = App::builder(MemoryStore::new()).middleware(MeasureCommands::new()).start().await.unwrap();
    let id = CommandId::new(Uuid::now_v7());
    for _ in 0..2 {
        app.dispatch(add("a", 5)).command_id(id).await.unwrap();
    }
    app.dispatch(add("a", 5)).await.unwrap();
    app.dispatch(add("a", -99)).await.unwrap_err();
    let found = measured(&snapshotter);
    let timed = |outcome| found[&format!("cqrs_command_duration_seconds Add {outcome}")].len();
    assert_eq!(["accepted", "duplicate", "rejected"].map(timed), [2, 1, 1]);
    let counted = |outcome| found[&format!("cqrs_commands_total Add {outcome}")][0];
    assert_eq!(["accepted", "duplicate", "rejected"].map(counted), [2.0, 1.0, 1.0]);
    assert_eq!(found["cqrs_commands_in_flight Add"], [0.0]);
    assert_eq!(found.len(), 7);
}
