//! How rules look at what a store has.

use std::future::Future;
use std::time::Duration;

use cqrs_core::{EventFilter, EventStore, Position, RecordedEvent, StreamId, StreamRead, Version};

use super::Violation;

/// How long a rule waits for what must come; far longer than any store needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What must come, or the violation that it does not.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Violation> {
    let late = |_| Violation::new(format_args!("{what} did not come within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, future).await.map_err(late)
}

/// The whole log that passes a filter, in pages of a size. Each page must be a right one: in order, within the
/// limit, and moving on until the head is reached.
pub(crate) async fn pages(
    store: &impl EventStore,
    filter: &EventFilter,
    limit: usize,
) -> Result<Vec<RecordedEvent>, Violation> {
    let (mut events, mut after) = (Vec::new(), Position::ZERO);
    loop {
        let page = store.read_log(after, filter, limit).await?;
        if page.events.is_empty() && page.scanned_to == after {
            return Ok(events);
        }
        if page.events.len() > limit || page.scanned_to <= after {
            let (found, to) = (page.events.len(), page.scanned_to);
            return Err(Violation::new(format_args!(
                "a page of at most {limit} events after position {after} has {found} and leads to {to}"
            )));
        }
        for event in page.events {
            if event.position <= after || event.position > page.scanned_to {
                let (position, to) = (event.position, page.scanned_to);
                return Err(Violation::new(format_args!(
                    "position {position} is in a page after {after} that leads to {to}"
                )));
            }
            after = event.position;
            events.push(event);
        }
        after = page.scanned_to;
    }
}

/// The whole log.
pub(crate) async fn log(store: &impl EventStore) -> Result<Vec<RecordedEvent>, Violation> {
    pages(store, &EventFilter::all(), 1000).await
}

/// The whole stream.
pub(crate) async fn of_stream(
    store: &impl EventStore,
    stream: &StreamId,
) -> Result<Vec<RecordedEvent>, Violation> {
    Ok(store.read_stream(stream, StreamRead::forward(Version::new(1), 100_000)).await?)
}

/// The positions of events, as numbers.
pub(crate) fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position.as_u64()).collect()
}

/// The versions of events, as numbers.
pub(crate) fn versions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.version.as_u64()).collect()
}
