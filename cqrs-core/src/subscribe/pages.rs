//! The log page by page; the next pages are read while one is worked on.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::{EventFilter, EventStore, LogPage, Position, StoreError};

/// How many pages rest between the one that is being read and the one that is worked on.
const AHEAD: usize = 1;

/// Reads pages for one who works on one after the other.
#[derive(Debug)]
pub(crate) struct Pages {
    filter: EventFilter,
    /// The most events of a page.
    most: usize,
    ahead: Option<Ahead>,
}

/// Pages that are read before they are wanted.
#[derive(Debug)]
struct Ahead {
    /// What the next one comes after.
    after: Position,
    pages: mpsc::Receiver<LogPage>,
    /// What reads them. It ends with whoever wants them.
    _reading: JoinSet<()>,
}

impl Pages {
    pub(crate) fn new(filter: EventFilter, most: usize) -> Self {
        Self { filter, most, ahead: None }
    }

    /// Reads ahead no more: nobody knows when somebody wants a page again.
    pub(crate) fn forget(&mut self) {
        self.ahead = None;
    }

    /// The page after a position. It may have been read a moment ago, and lack what has come since.
    pub(crate) async fn after(
        &mut self,
        at: Position,
        store: &(impl EventStore + ?Sized),
    ) -> Result<LogPage, StoreError> {
        if let Some(mut ahead) = self.ahead.take()
            && ahead.after == at
            && let Some(page) = ahead.pages.recv().await
            && page.scanned_to > at
        {
            ahead.after = page.scanned_to;
            self.ahead = Some(ahead);
            return Ok(page);
        }
        // Whatever went wrong before shows again.
        store.read_log(at, &self.filter, self.most).await
    }

    /// Lets somebody work on a page of so many events that ends at a position. Behind a full one there is likely to be another
    /// one. It is read meanwhile, and so are those behind it, by a task of its own: what unpacks them does not wait for what
    /// works.
    pub(crate) async fn working<S: EventStore + ?Sized, T>(
        &mut self,
        (end, events): (Position, usize),
        store: &Arc<S>,
        work: impl Future<Output = T>,
    ) -> T {
        let is_ahead = self.ahead.as_ref().is_some_and(|ahead| ahead.after == end);
        if events >= self.most && !is_ahead {
            let (sender, pages) = mpsc::channel(AHEAD);
            let mut reading = JoinSet::new();
            reading.spawn(read_on(end, Arc::clone(store), self.filter.clone(), self.most, sender));
            self.ahead = Some(Ahead { after: end, pages, _reading: reading });
        }
        work.await
    }
}

/// Reads full pages one after the other, and the first one that is not; up to the first that cannot be read.
async fn read_on<S: EventStore + ?Sized>(
    mut at: Position,
    store: Arc<S>,
    filter: EventFilter,
    most: usize,
    pages: mpsc::Sender<LogPage>,
) {
    while let Ok(page) = store.read_log(at, &filter, most).await {
        let is_full = page.events.len() >= most;
        at = page.scanned_to;
        if pages.send(page).await.is_err() || !is_full {
            return;
        }
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

    /// Works on a page as long as others are read. Returns how many were.
    async fn work(pages: &mut Pages, log: &Arc<Log>, end: u64, events: usize) -> usize {
        let before = log.reads();
        let work = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            log.reads() - before
        };
        pages.working((Position::new(end), events), log, work).await
    }

    async fn after(pages: &mut Pages, log: &Log, at: u64) -> Vec<u64> {
        positions(pages.after(Position::new(at), log).await)
    }

    #[tokio::test]
    async fn behind_a_full_page_the_next_ones_are_read_during_the_work() {
        let (log, mut pages) = (log(5), pages());
        assert_eq!(after(&mut pages, &log, 0).await, [1, 2]);
        assert_eq!(work(&mut pages, &log, 2, 2).await, 2, "up to the first one that is not full");
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
        assert_eq!(work(&mut pages, &log, 4, 2).await, 0);
        assert_eq!(after(&mut pages, &log, 4).await, [5]);
        assert_eq!(log.reads(), 3, "they were there already");
        assert_eq!(work(&mut pages, &log, 5, 1).await, 0);
        assert_eq!(after(&mut pages, &log, 5).await, [0; 0]);
        assert_eq!(log.reads(), 4, "whoever waits for more reads anew");
    }

    #[tokio::test]
    async fn of_a_long_log_two_pages_wait_for_whoever_works() {
        let (log, mut pages) = (log(100), pages());
        assert_eq!(work(&mut pages, &log, 2, 2).await, 2);
        for end in [4, 6, 8] {
            assert_eq!(after(&mut pages, &log, end - 2).await, [end - 1, end]);
            assert_eq!(work(&mut pages, &log, end, 2).await, 1);
        }
    }

    #[tokio::test]
    async fn behind_a_page_that_is_not_full_nothing_is_read() {
        let (log, mut pages) = (log(5), pages());
        assert_eq!(after(&mut pages, &log, 4).await, [5]);
        assert_eq!(work(&mut pages, &log, 5, 1).await, 0);
    }

    #[tokio::test]
    async fn a_page_for_another_place_is_not_taken() {
        let (log, mut pages) = (log(5), pages());
        assert_eq!(work(&mut pages, &log, 2, 2).await, 2);
        assert_eq!(after(&mut pages, &log, 0).await, [1, 2], "the checkpoint was not moved");
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
        assert_eq!(log.reads(), 4);
    }

    /// Whoever finds nothing waits for more; the end of the log as it was must not pass for the end as it is.
    #[tokio::test]
    async fn a_page_without_events_is_read_again_when_it_is_wanted() {
        let (log, mut pages) = (log(2), pages());
        assert_eq!(work(&mut pages, &log, 2, 2).await, 1);
        log.end.store(3, Ordering::Relaxed);
        assert_eq!(after(&mut pages, &log, 2).await, [3]);
    }

    #[tokio::test]
    async fn a_page_that_could_not_be_read_is_read_again_when_it_is_wanted() {
        let (log, mut pages) = (log(5), pages());
        log.fails.store(true, Ordering::Relaxed);
        assert_eq!(work(&mut pages, &log, 2, 2).await, 1);
        assert!(pages.after(Position::new(2), &*log).await.is_err());
        log.fails.store(false, Ordering::Relaxed);
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
    }

    #[tokio::test]
    async fn what_reads_ends_with_whoever_wants_it() {
        let (log, mut pages) = (log(5), pages());
        pages.working((Position::new(2), 2), &log, async {}).await;
        assert_eq!(Arc::strong_count(&log), 2);
        pages.forget();
        tokio::task::yield_now().await;
        assert_eq!((Arc::strong_count(&log), log.reads()), (1, 0));
        assert_eq!(after(&mut pages, &log, 2).await, [3, 4]);
    }
}
