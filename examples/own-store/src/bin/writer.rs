//! Appends to a store until it is killed, and says after each append what was acknowledged.
//!
//! The crash test starts it. `cargo run -p own-store --bin writer -- events.log me` shows it at work: the lines of
//! the file are there to be looked at.

use std::io::Write;

use cqrs_core::{
    Append, BoxError, Clock, CommandId, EventId, EventStore, ExpectedVersion, Json, Metadata, NewEvent,
    StreamId, StreamWrite, SystemClock,
};
use own_store::OwnStore;
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: writer FILE NAME".into());
    };
    let stream = StreamId::new("writer", name)?;
    let store = OwnStore::open(path).await?;
    for round in 0.. {
        let [answer] = &store.append(vec![append(&stream, round)?]).await?[..] else {
            return Err("one append has one answer".into());
        };
        let appended = answer.as_ref().map_err(Clone::clone)?;
        // A line for whoever counts what was acknowledged.
        println!("{} {} {}", stream, appended.versions[0], appended.position);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// One to three events.
fn append(stream: &StreamId, round: u32) -> Result<Append, BoxError> {
    let command = CommandId::new(Uuid::now_v7());
    let data = Json::of(&round)?;
    let event = |index| NewEvent {
        id: EventId::derive(command, index),
        event_type: "Written".into(),
        data: data.clone(),
        metadata: Metadata::default(),
    };
    let events = (0..round % 3 + 1).map(event).collect();
    let write = StreamWrite { stream: stream.clone(), expected: ExpectedVersion::Any, events };
    Ok(Append {
        writes: vec![write],
        receipt: Some(command),
        recorded_at: SystemClock.now(),
        rests_on_previous: false,
    })
}
