//! Deadlines: an instance has one of a name at a time, and may cancel it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use serde::{Deserialize, Serialize};

/// Rings when a pot has rested for as many seconds as were added to it last. What was taken ends the wait; who adds to "every"
/// hears it ring every minute.
#[derive(Default, Serialize, Deserialize)]
struct Alarm {
    pot: String,
}

impl ProcessManager for Alarm {
    const NAME: &'static str = "alarm";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Added { pot, .. } => Interest::start(pot),
            _ => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        let PotEvent::Added { amount, .. } = &event.data else { return Vec::new() };
        match u64::try_from(*amount) {
            Ok(seconds) => vec![
                Outgoing::deadline("rested", Duration::from_secs(seconds)),
                Outgoing::deadline(format!("after {seconds}"), Duration::from_secs(3_600 + seconds)),
            ],
            Err(_) => {
                vec![Outgoing::cancel_deadline("rested"), Outgoing::cancel_deadline("never asked for")]
            }
        }
    }

    fn apply(&mut self, event: &PotEvent) {
        if let PotEvent::Added { pot, .. } = event {
            self.pot = pot.clone();
        }
    }

    fn deadline(&self, name: &str) -> Vec<Outgoing> {
        let via = format!("{} {name}", self.pot);
        let rings = Outgoing::command(Arrive { pot: "bell".into(), amount: 1, via });
        match &*self.pot {
            "every" => vec![rings, Outgoing::deadline(name, Duration::from_secs(60))],
            _ => vec![rings],
        }
    }
}

struct World {
    store: MemoryStore,
    clock: Hand,
    app: App,
}

impl World {
    async fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Hand::new());
        let app = Self::start(&store, &clock).await;
        Self { store, clock, app }
    }

    async fn start(store: &MemoryStore, clock: &Hand) -> App {
        let builder = App::builder(store.clone()).router(router()).clock(clock.clone());
        builder.process_manager::<Alarm>().start().await.unwrap()
    }

    /// What has rung when it is so late.
    async fn rung(&self, seconds: i64) -> Vec<String> {
        self.clock.put(seconds);
        assert_eq!(self.app.settle().await.unwrap(), Consistency::Reached);
        let via = |event: RecordedEvent<PotEvent>| match event.data {
            PotEvent::Arrived { via, .. } => via,
            other => panic!("{other:?}"),
        };
        let rung = RecordedEvent::decode_all(stream(&self.store, "bell").await).unwrap();
        rung.into_iter().map(via).collect()
    }

    async fn add(&self, pot: &str, seconds: i64) {
        self.app.dispatch(add(pot, seconds)).await.unwrap();
        assert_eq!(self.app.settle().await.unwrap(), Consistency::Reached);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_asked_for_again_takes_the_place_of_the_one_before() {
    let world = World::new().await;
    world.add("a", 10).await;
    world.add("b", 11).await;
    assert!(world.rung(5).await.is_empty());
    world.add("a", 20).await;
    assert_eq!(world.rung(24).await, ["b rested"], "only the later one of a is left");
    assert_eq!(world.rung(25).await, ["b rested", "a rested"]);
    // Sooner than before.
    world.add("a", 1_000).await;
    world.add("a", 1).await;
    assert_eq!(world.rung(26).await, ["b rested", "a rested", "a rested"]);
    assert_eq!(world.rung(3_600).await.len(), 3);
    let late = world.rung(9_000).await;
    assert_eq!(late[3..].len(), 5, "those of other names are none of its business: {late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_was_cancelled_does_not_come() {
    let world = World::new().await;
    world.add("a", 10).await;
    world.add("b", 10).await;
    world.add("a", -1).await;
    assert_eq!(world.rung(3_000).await, ["b rested"]);
    world.add("a", 5).await;
    assert_eq!(world.rung(3_005).await, ["b rested", "a rested"], "it may be asked for again");
}

/// What was asked for and taken back in one step, since the process manager saw all of it at once, never gets to the outbox.
#[tokio::test(start_paused = true)]
async fn of_several_in_one_step_the_last_holds() {
    let (store, clock) = (MemoryStore::new(), Hand::new());
    let without = App::builder(store.clone()).router(router()).clock(clock.clone()).start().await.unwrap();
    for (pot, seconds) in [("a", 10), ("a", 20), ("b", 10), ("b", -1), ("c", 30), ("c", -1), ("c", 7)] {
        without.dispatch(add(pot, seconds)).await.unwrap();
    }
    without.shutdown().await;
    let app = World::start(&store, &clock).await;
    let world = World { app, store, clock };
    assert_eq!(world.rung(8).await, ["c rested"]);
    assert_eq!(world.rung(3_000).await, ["c rested", "a rested"]);
    let asked = world.app.process(Alarm::NAME).unwrap().tasks(TaskQuery::all(100)).await.unwrap().tasks;
    let is_rested = |task: &&OutboxEntry| task.task == OutboxTask::Deadline("rested".into());
    assert_eq!(asked.iter().filter(is_rested).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_may_ask_for_itself_again() {
    let world = World::new().await;
    world.add("every", 10).await;
    assert_eq!(world.rung(10).await.len(), 1);
    assert_eq!(world.rung(69).await.len(), 1);
    assert_eq!(world.rung(70).await.len(), 2);
    assert_eq!(world.rung(130).await.len(), 3);
    world.add("every", -1).await;
    assert_eq!(world.rung(3_000).await.len(), 3);
}

/// A parked deadline is settled by the next of its name: nothing is left for an operator to decide.
#[tokio::test(start_paused = true)]
async fn a_parked_deadline_gives_its_place_up_too() {
    let world = World::new().await;
    world.add("a", 10).await;
    let process = world.app.process(Alarm::NAME).unwrap();
    let task = process.tasks(TaskQuery::all(1)).await.unwrap().tasks.remove(0);
    let parked = OutboxOutcome::Parked { error: "put aside".into() };
    world.store.settle_tasks(vec![(task.id, parked)], task.due_at).await.unwrap();
    assert_eq!(world.app.settle().await.unwrap(), Consistency::Parked);
    world.add("a", 20).await;
    assert_eq!(process.task(task.id).await.unwrap().unwrap().state, OutboxState::Dropped);
    assert_eq!(world.rung(20).await, ["a rested"]);
}
