//! An application on the store, in a storm: calls fail, answers are lost, and the process dies again and again.

use cqrs_core::*;
use cqrs_testing::{Faults, FaultyStore};
use own_store::OwnStore;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
enum CounterEvent {
    Counted,
}

impl Event for CounterEvent {
    const CATEGORY: &'static str = "counter";
}

#[derive(Default)]
struct Counter;

impl Aggregate for Counter {
    type Id = String;
    type Event = CounterEvent;

    fn apply(&mut self, _: &CounterEvent) {}
}

#[derive(Serialize, Deserialize)]
struct Count(String);

impl Command for Count {
    const NAME: &'static str = "Count";
    type Aggregate = Counter;

    fn aggregate_id(&self) -> &String {
        &self.0
    }
}

impl Handle<Count> for Counter {
    type Error = std::convert::Infallible;

    fn handle(&self, _: &Count) -> Result<Vec<CounterEvent>, Self::Error> {
        Ok(vec![CounterEvent::Counted])
    }
}

/// Counts to twenty. A command that may have failed is repeated with its id.
async fn count_to_twenty(app: &App) {
    for n in 1..=20 {
        let id = CommandId::new(Uuid::from_u128(n));
        while app.dispatch(Count("a".to_owned())).command_id(id).await.is_err() {}
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_each_command_takes_effect_once() {
    let mut deaths = 0;
    for seed in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.log");
        let mut store = FaultyStore::new(OwnStore::open(&path).await.unwrap(), Faults::storm(seed));
        loop {
            let app = App::builder(store.clone()).start().await.unwrap();
            match store.until_crash(count_to_twenty(&app)).await {
                Some(()) => break,
                // The next process opens the file anew.
                None => store = store.restart_on(OwnStore::open(&path).await.unwrap()),
            }
            deaths += 1;
        }
        let head = OwnStore::open(&path).await.unwrap().head().await.unwrap();
        assert_eq!(head, Position::new(20), "{}", store.report());
    }
    assert!(deaths > 0, "no process died in any storm");
}
