//! The width of numbers: versions and positions count on where 16 bits end.

use cqrs_core::{CommandId, EventFilter, EventId, EventStore, NewEvent, Position, StreamRead, Version};
use uuid::Uuid;

use super::build::{append, event, exact, one, stream};
use super::look::{positions, versions};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict};

/// The first number that takes more than 16 bits.
const WIDE: u64 = 1 << 16;

/// How many events an append has.
const PART: u32 = 512;

/// A stream of more than 65,536 events, and a log of as many, are told, read and judged like short ones: no
/// version and no position is a number of 16 bits.
pub async fn versions_and_positions_outgrow_sixteen_bits<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (stream, event) = (stream("a"), event("Counted", 1));
    let mut last = 0;
    while last <= WIDE {
        let command = CommandId::new(Uuid::now_v7());
        let part = |index| NewEvent { id: EventId::derive(command, index), ..event.clone() };
        let before = exact(last);
        last += u64::from(PART);
        let answer = one(&store, append(&stream, before, (0..PART).map(part).collect())).await??;
        want_eq!(answer.versions, vec![Version::new(last)], "the version after an append to a long stream");
    }
    // What a page begins and ends with is other rules' concern.
    let forward = StreamRead::forward(Version::new(WIDE - 1), 5);
    let backward = StreamRead::backward(Version::new(WIDE + 3), 5);
    for read in [forward, backward] {
        let found = versions(&store.read_stream(&stream, read).await?);
        want!(found.contains(&(WIDE + 1)), "{read:?} of a long stream does not find version {}", WIDE + 1);
    }
    let page = store.read_log(Position::new(WIDE - 2), &EventFilter::all(), 5).await?;
    let found = positions(&page.events);
    want!(found.contains(&(WIDE + 1)), "a page of a long log does not find position {}", WIDE + 1);
    let head = store.head().await?;
    want!(head > Position::new(WIDE), "the head of a log of {last} events is {head}");
    let late = one(&store, append(&stream, exact(last - WIDE), vec![event])).await?;
    want!(late.is_err(), "an append that is {WIDE} versions late is stored: {late:?}");
    Ok(())
}
