//! What is there after a restart.

use cqrs_core::{EventFilter, EventStore, ExpectedVersion, Position, StreamRead, Version};

use super::build::{append, event, exact, one, stream};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// Events and the head are after a restart what they were before it.
pub async fn events_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for key in ["a", "b"] {
        let events = vec![event("Counted", 1), event("Counted", 2)];
        one(&store, append(&stream(key), ExpectedVersion::NoStream, events)).await??;
    }
    let before = store.read_log(Position::ZERO, &EventFilter::all(), 10).await?;
    let store = factory.reopen(store).await;
    want_eq!(store.head().await?, Position::new(4), "the head after a restart");
    want_eq!(
        store.read_log(Position::ZERO, &EventFilter::all(), 10).await?,
        before,
        "the log after a restart"
    );
    let found = store.read_stream(&stream("b"), StreamRead::forward(Version::new(1), 10)).await?;
    want_eq!(found, before.events[2..], "a stream after a restart");
    Ok(())
}

/// Versions and positions go on after a restart where they were.
pub async fn versions_and_positions_go_on_after_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), exact(0), vec![event("Counted", 1)])).await??;
    let store = factory.reopen(store).await;
    let appended = one(&store, append(&stream("a"), exact(1), vec![event("Counted", 2)])).await??;
    want_eq!(appended.versions, vec![Version::new(2)], "the version of the first append after a restart");
    want_eq!(appended.position, Position::new(2), "the position of the first append after a restart");
    Ok(())
}
