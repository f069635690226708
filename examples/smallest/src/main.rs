//! The smallest application: a door, which cannot be opened twice.
//!
//! One event enum, one aggregate, one command, one rule. `cargo run -p smallest`

use cqrs_core::{Aggregate, App, BoxError, Command, Direction, Event, Handle, StreamRead, Version};
use cqrs_memory::MemoryStore;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum DoorEvent {
    Opened,
    Closed,
}

impl Event for DoorEvent {
    const CATEGORY: &'static str = "door";
}

#[derive(Default)]
struct Door {
    open: bool,
}

impl Aggregate for Door {
    type Id = String;
    type Event = DoorEvent;

    fn apply(&mut self, event: &DoorEvent) {
        self.open = *event == DoorEvent::Opened;
    }
}

#[derive(Serialize, Deserialize)]
struct Push {
    door: String,
    /// Whether it is to be open afterwards.
    open: bool,
}

impl Command for Push {
    const NAME: &'static str = "Push";
    type Aggregate = Door;

    fn aggregate_id(&self) -> &String {
        &self.door
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the door is {} already", if *.open { "open" } else { "closed" })]
struct NothingToPush {
    open: bool,
}

impl Handle<Push> for Door {
    type Error = NothingToPush;

    fn handle(&self, push: &Push) -> Result<Vec<DoorEvent>, NothingToPush> {
        match (self.open, push.open) {
            (false, true) => Ok(vec![DoorEvent::Opened]),
            (true, false) => Ok(vec![DoorEvent::Closed]),
            (open, _) => Err(NothingToPush { open }),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let app = App::builder(MemoryStore::new()).start().await?;
    for open in [true, true, false] {
        match app.dispatch(Push { door: "front".to_owned(), open }).await {
            Ok(done) => println!("pushed; the stream is at version {}", done.version),
            Err(refused) => println!("refused: {refused}"),
        }
    }

    let stream = Door::stream(&"front".to_owned())?;
    let all = StreamRead { direction: Direction::Forward, from: Version::new(1), limit: 10 };
    for event in app.store().read_stream(&stream, all).await? {
        println!("{} {}", event.version, event.event_type);
    }
    app.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cqrs_testing::Scenario;

    #[test]
    fn an_open_door_cannot_be_opened() {
        let push = || Push { door: "front".to_owned(), open: true };
        Scenario::<Door>::given([])
            .when(push())
            .then([DoorEvent::Opened])
            .when(push())
            .then_err(NothingToPush { open: true });
    }
}
