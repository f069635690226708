//! How rules look at what a store has.

use std::future::Future;
use std::time::Duration;

use cqrs_core::{EventFilter, EventStore, LogPage, Position, RecordedEvent, StreamId, StreamRead, Version};

use super::Violation;
use super::violation::want;

/// How long a rule waits for what must come; far longer than any store needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What must come, or the violation that it does not.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> Result<T, Violation> {
    let late = |_| Violation::new(format_args!("{what} did not come within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, future).await.map_err(late)
}

/// A page of the log that is sound: in order, within its limit, and not leading beyond the head.
pub(crate) async fn page(
    store: &impl EventStore,
    after: Position,
    filter: &EventFilter,
    limit: usize,
) -> Result<LogPage, Violation> {
    let page = store.read_log(after, filter, limit).await?;
    let (found, to) = (page.events.len(), page.scanned_to);
    let what = format!("a page of at most {limit} events after position {after}");
    want!(found <= limit, "{what} has {found}");
    want!(to >= after, "{what} leads back to {to}");
    let mut last = after;
    for event in &page.events {
        let position = event.position;
        want!(
            position > last && position <= to,
            "{what} that leads to {to} has position {position} after {last}"
        );
        last = position;
    }
    if to > after {
        let head = store.head().await?;
        want!(to <= head, "{what} leads to {to}, beyond the head {head}");
    }
    Ok(page)
}

/// The next page that has events or moves; at the head it waits for one.
pub(crate) async fn next_page(
    store: &impl EventStore,
    after: Position,
    filter: &EventFilter,
    limit: usize,
) -> Result<LogPage, Violation> {
    let found = page(store, after, filter, limit).await?;
    if found.scanned_to > after {
        return Ok(found);
    }
    let head = soon("an event", store.wait_beyond(after)).await??;
    let found = page(store, after, filter, limit).await?;
    want!(found.scanned_to > after, "a page after {after} must move on when the head is {head}");
    Ok(found)
}

/// The whole log that passes a filter, in pages of a size.
pub(crate) async fn pages(
    store: &impl EventStore,
    filter: &EventFilter,
    limit: usize,
) -> Result<Vec<RecordedEvent>, Violation> {
    let (mut events, mut after) = (Vec::new(), Position::ZERO);
    loop {
        let page = page(store, after, filter, limit).await?;
        if page.scanned_to == after {
            return Ok(events);
        }
        after = page.scanned_to;
        events.extend(page.events);
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
