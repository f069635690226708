//! The log page by page; the next page is read while one is worked on.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{EventFilter, EventStore, LogPage, Position, StoreError};

/// Reads pages for one who works on one after the other.
#[derive(Debug)]
pub(crate) struct Pages {
    filter: EventFilter,
    /// The most events of a page.
    most: usize,
    /// What reads a page already, and what that comes after. It ends with whoever wants it.
    ahead: Option<(Position, JoinSet<Result<LogPage, StoreError>>)>,
}

impl Pages {
    pub(crate) fn new(filter: EventFilter, most: usize) -> Self {
        Self { filter, most, ahead: None }
    }

    /// The page after a position. It may have been read a moment ago, and lack what has come since.
    pub(crate) async fn after(
        &mut self,
        at: Position,
        store: &(impl EventStore + ?Sized),
    ) -> Result<LogPage, StoreError> {
        if let Some((after, mut reading)) = self.ahead.take()
            && after == at
            && let Some(Ok(Ok(page))) = reading.join_next().await
            && page.scanned_to > at
        {
            return Ok(page);
        }
        // Whatever went wrong before shows again.
        store.read_log(at, &self.filter, self.most).await
    }

    /// Lets somebody work on a page with so many events that ends at a position. Behind a full page there is likely to be
    /// another one, which is read meanwhile, by a task of its own: what unpacks it does not wait for what works.
    pub(crate) async fn working<S: EventStore + ?Sized, T>(
        &mut self,
        (end, events): (Position, usize),
        store: &Arc<S>,
        work: impl Future<Output = T>,
    ) -> T {
        if events >= self.most {
            let (store, filter, most) = (Arc::clone(store), self.filter.clone(), self.most);
            let mut reading = JoinSet::new();
            reading.spawn(async move { store.read_log(end, &filter, most).await });
            self.ahead = Some((end, reading));
        }
        work.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::{
        Append, AppendError, Appended, CommandId, EventId, Json, Metadata, RecordedEvent, StreamId,
        StreamRead, Timestamp, Version,
    };

    /// A log that counts how often it is read.
    struct Log {
        end: AtomicU64,
        reads: AtomicUsize,
        fails: AtomicBool,
    }

    impl Log {
        fn reads(&self) -> usize {
            self.reads.load(Ordering::Relaxed)
        }
    }

    fn log(end: u64) -> Arc<Log> {
        Arc::new(Log { end: end.into(), reads: 0.into(), fails: false.into() })
    }

    #[async_trait]
    impl EventStore for Log {
        async fn append(&self, _: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn receipts(&self, _: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn read_stream(&self, _: &StreamId, _: StreamRead) -> Result<Vec<RecordedEvent>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn read_log(
            &self,
            after: Position,
            _: &EventFilter,
            limit: usize,
        ) -> Result<LogPage, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            if self.fails.load(Ordering::Relaxed) {
                return Err(StoreError::Closed);
            }
            let end = self.end.load(Ordering::Relaxed);
            let events: Vec<_> = (after.as_u64() + 1..=end).take(limit).map(event).collect();
            let scanned_to = events.last().map_or(after, |event| event.position);
            Ok(LogPage { events, scanned_to })
        }

        async fn head(&self) -> Result<Position, StoreError> {
            Ok(Position::new(self.end.load(Ordering::Relaxed)))
        }

        async fn wait_beyond(&self, _: Position) -> Result<Position, StoreError> {
            Err(StoreError::Closed)
        }

        async fn close(&self) {}
    }

    fn event(position: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(position),
            stream: StreamId::new("log", 1).unwrap(),
            version: Version::new(position),
            id: EventId::new(uuid::Uuid::nil()),
            event_type: "Event".into(),
            data: Json::parse("null").unwrap(),
            metadata: Metadata::default(),
            recorded_at: Timestamp::from_micros(0),
        }
    }

    fn pages() -> Pages {
        Pages::new(EventFilter::all(), 2)
    }

    fn positions(page: Result<LogPage, StoreError>) -> Vec<u64> {
        page.unwrap().events.iter().map(|event| event.position.as_u64()).collect()
    }

    /// Works on a page until the next one has been read, if it ever is.
    async fn work(pages: &mut Pages, log: &Arc<Log>, end: u64, events: usize) {
        let before = log.reads();
        let work = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            log.reads() - before
        };
        let read = pages.working((Position::new(end), events), log, work).await;
        assert_eq!(
            read,
            usize::from(events == 2),
            "behind a full page, and only there, the next one is read"
        );
    }

    async fn after(pages: &mut Pages, log: &Log, at: u64) -> Vec<u64> {
        positions(pages.after(Position::new(at), log).await)
    }

    #[tokio::test]
    async fn behind_a_full_page_the_next_one_is_read_during_the_work() {
        let (log, mut pages) = (log(5), pages());
        assert_eq!(after(&mut pages, &log, 0).await, [1, 2]);
        work(&mut pages, &log, 2, 2).await;
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
        assert_eq!(log.reads(), 2, "it was there already");
    }

    #[tokio::test]
    async fn behind_a_page_that_is_not_full_nothing_is_read() {
        let (log, mut pages) = (log(5), pages());
        assert_eq!(after(&mut pages, &log, 4).await, [5]);
        work(&mut pages, &log, 5, 1).await;
    }

    #[tokio::test]
    async fn a_page_for_another_place_is_not_taken() {
        let (log, mut pages) = (log(5), pages());
        work(&mut pages, &log, 2, 2).await;
        assert_eq!(after(&mut pages, &log, 0).await, [1, 2], "the checkpoint was not moved");
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
        assert_eq!(log.reads(), 3);
    }

    /// Whoever finds nothing waits for more; the end of the log as it was must not pass for the end as it is.
    #[tokio::test]
    async fn a_page_without_events_is_read_again_when_it_is_wanted() {
        let (log, mut pages) = (log(2), pages());
        work(&mut pages, &log, 2, 2).await;
        log.end.store(3, Ordering::Relaxed);
        assert_eq!(after(&mut pages, &log, 2).await, [3]);
    }

    #[tokio::test]
    async fn a_page_that_could_not_be_read_is_read_again_when_it_is_wanted() {
        let (log, mut pages) = (log(5), pages());
        log.fails.store(true, Ordering::Relaxed);
        work(&mut pages, &log, 2, 2).await;
        log.fails.store(false, Ordering::Relaxed);
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
    }

    #[tokio::test]
    async fn what_reads_ends_with_whoever_wants_it() {
        let (log, mut pages) = (log(5), pages());
        pages.working((Position::new(2), 2), &log, async {}).await;
        assert_eq!(Arc::strong_count(&log), 2);
        drop(pages);
        tokio::task::yield_now().await;
        assert_eq!((Arc::strong_count(&log), log.reads()), (1, 0));
    }
}
