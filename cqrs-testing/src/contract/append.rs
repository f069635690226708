//! Appending, and that what was appended is there.

use cqrs_core::{EventStore, ExpectedVersion, StreamRead, Version};

use super::build::{append, event, one, stream};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// Events of an append are read back from their stream, in order, with versions from 1.
pub async fn an_append_is_read_back_in_order<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream("a");
    let events = vec![event("Counted", 1), event("Counted", 2)];
    let appended = one(&store, append(&stream, ExpectedVersion::NoStream, events.clone())).await??;
    want_eq!(appended.versions, vec![Version::new(2)], "the stream's version after two events");
    let found = store.read_stream(&stream, StreamRead::forward(Version::new(1), 10)).await?;
    let found: Vec<_> = found.into_iter().map(|event| (event.version.as_u64(), event.id)).collect();
    want_eq!(found, vec![(1, events[0].id), (2, events[1].id)], "versions and ids in the stream");
    Ok(())
}
