//! Stores that break the reading of streams and of the log.

mod proofs;

pub(crate) use proofs::PROOFS;

use crate::breach::*;
use crate::shapes::{reads, reads_log};

fn moved(number: u64, by: i64) -> u64 {
    number.saturating_add_signed(by)
}

reads! {
    /// Reads backward from old to new.
    ReadsBackwardAsForward: store, stream, read => {
        let mut events = store.read_stream(stream, read).await?;
        events.sort_by_key(|event| event.version);
        Ok(events)
    }
    /// Begins a page after the version that was asked for.
    BeginsAStreamLate: store, stream, read => {
        let from = match read.direction {
            Direction::Forward => moved(read.from.as_u64(), 1),
            Direction::Backward => moved(read.from.as_u64(), -1),
        };
        store.read_stream(stream, StreamRead { from: Version::new(from), ..read }).await
    }
    /// Reads a stream to its end.
    IgnoresTheLimit: store, stream, read => {
        store.read_stream(stream, StreamRead { limit: usize::MAX, ..read }).await
    }
    /// Takes a limit of zero for none.
    TakesZeroForAllOfAStream: store, stream, read => {
        let limit = if read.limit == 0 { usize::MAX } else { read.limit };
        store.read_stream(stream, StreamRead { limit, ..read }).await
    }
    /// Finds nothing backward from beyond the end.
    ReadsNothingFromBeyondTheEnd: store, stream, read => {
        let all = store.read_stream(stream, StreamRead::forward(Version::new(0), usize::MAX)).await?;
        if read.direction == Direction::Backward && all.len() < read.from.as_u64() as usize {
            return Ok(vec![]);
        }
        store.read_stream(stream, read).await
    }
    /// Reads backward from zero as if from the end.
    TakesZeroForTheEnd: store, stream, read => {
        let zero = read.from == Version::new(0) && read.direction == Direction::Backward;
        let from = if zero { Version::new(u64::MAX) } else { read.from };
        store.read_stream(stream, StreamRead { from, ..read }).await
    }
    /// Fails at a stream that nobody has written.
    FailsAtMissingStreams: store, stream, read => {
        if store.read_stream(stream, StreamRead::forward(Version::new(0), 1)).await?.is_empty() {
            return Err(StoreError::Corrupt { what: format!("no stream {stream}") });
        }
        store.read_stream(stream, read).await
    }
    /// Reads streams whose names begin with that of the stream too.
    MixesStreamsByPrefix: store, stream, read => {
        let all = store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await?.events;
        let mut events = store.read_stream(stream, read).await?;
        let like = |event: &RecordedEvent| {
            event.stream != *stream && event.stream.to_string().starts_with(&stream.to_string())
        };
        events.extend(all.into_iter().filter(like));
        Ok(events)
    }
    /// Tells a stream's versions for the positions of its events.
    TakesVersionsForPositions: store, stream, read => {
        let mut events = store.read_stream(stream, read).await?;
        events.iter_mut().for_each(|event| event.position = Position::new(event.version.as_u64()));
        Ok(events)
    }
}

/// A filter with some of another one's parts.
fn parts(of: &EventFilter, categories: bool, types: bool, streams: bool) -> EventFilter {
    let mut filter = EventFilter::all();
    if let (true, Some(wanted)) = (categories, of.wanted_categories()) {
        filter = EventFilter::categories_of(wanted.iter().map(String::as_str));
    }
    if let (true, Some(wanted)) = (types, of.wanted_event_types()) {
        filter = filter.and_event_types(wanted.iter().map(String::as_str));
    }
    if let (true, Some(wanted)) = (streams, of.wanted_streams()) {
        filter = filter.and_streams(wanted.iter().cloned());
    }
    filter
}

reads_log! {
    /// Begins a page of the log at the position that was asked for.
    BeginsTheLogAtThePosition: store, after, filter, limit => {
        let page = store.read_log(Position::new(moved(after.as_u64(), -1)), filter, limit).await?;
        Ok(LogPage { scanned_to: page.scanned_to.max(after), ..page })
    }
    /// Passes over the event after the position.
    BeginsTheLogLate: store, after, filter, limit => {
        let page = store.read_log(Position::new(moved(after.as_u64(), 1)), filter, limit).await?;
        Ok(page)
    }
    /// Reads the log to its end.
    IgnoresTheLimitOfTheLog: store, after, filter, limit => {
        store.read_log(after, filter, limit.max(1_000_000)).await
    }
    /// Takes a limit of zero for none.
    TakesZeroForAllOfTheLog: store, after, filter, limit => {
        store.read_log(after, filter, if limit == 0 { 1_000_000 } else { limit }).await
    }
    /// Cuts a page at 1000 events, and says that it scanned them all.
    CutsPagesAt1000: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        page.events.truncate(1_000);
        Ok(page)
    }
    /// Says that it has come nowhere when nothing matched.
    FilterStopsWithoutProgress: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        if page.events.is_empty() {
            page.scanned_to = after;
        }
        Ok(page)
    }
    /// Says that it has come further than the head.
    ScansBeyondTheHead: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        if page.events.is_empty() && limit > 0 {
            page.scanned_to = Position::new(moved(page.scanned_to.as_u64(), 1));
        }
        Ok(page)
    }
    /// Leads back to the head from beyond it.
    LeadsBackToTheHead: store, after, filter, limit => {
        let page = store.read_log(after, filter, limit).await?;
        Ok(LogPage { scanned_to: page.scanned_to.min(store.head().await?), ..page })
    }
    /// Reads all categories.
    IgnoresCategories: store, after, filter, limit => {
        store.read_log(after, &parts(filter, false, true, true), limit).await
    }
    /// Reads all event types.
    IgnoresEventTypes: store, after, filter, limit => {
        store.read_log(after, &parts(filter, true, false, true), limit).await
    }
    /// Reads all streams.
    IgnoresStreams: store, after, filter, limit => {
        store.read_log(after, &parts(filter, true, true, false), limit).await
    }
    /// Takes an empty list for no list.
    TakesEmptyListsForAll: store, after, filter, limit => {
        let categories = filter.wanted_categories().is_none_or(|list| !list.is_empty());
        let types = filter.wanted_event_types().is_none_or(|list| !list.is_empty());
        let streams = filter.wanted_streams().is_none_or(|list| !list.is_empty());
        store.read_log(after, &parts(filter, categories, types, streams), limit).await
    }
    /// Does not know the event at the head yet.
    LagsBehindTheHead: store, after, filter, limit => {
        let mut page = store.read_log(after, filter, limit).await?;
        let head = store.head().await?;
        if page.scanned_to == head && head > after {
            page.events.retain(|event| event.position < head);
            page.scanned_to = Position::new(moved(head.as_u64(), -1));
        }
        Ok(page)
    }
}

/// Shows the newest event only to those who come back: positions are assigned before the commit.
#[derive(Default)]
struct ShowsPositionsOutOfOrder(std::sync::Mutex<std::collections::HashSet<Position>>);

#[async_trait::async_trait]
impl Breach for ShowsPositionsOutOfOrder {
    async fn read_log(
        &self,
        store: &MemoryStore,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let mut page = store.read_log(after, filter, limit).await?;
        let newest = moved(store.head().await?.as_u64(), -1);
        let mut seen = self.0.lock().unwrap();
        page.events.retain(|event| event.position.as_u64() != newest || !seen.insert(event.position));
        Ok(page)
    }
}

/// Says that the head lies one position further.
#[derive(Default)]
struct HeadRunsAhead;

#[async_trait::async_trait]
impl Breach for HeadRunsAhead {
    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        Ok(Position::new(moved(store.head().await?.as_u64(), 1)))
    }
}
