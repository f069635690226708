//! The event store: streams, and the log of all of them.

use async_trait::async_trait;

use super::{Append, AppendError, Appended, StoreError};
use crate::{CommandId, Position, RecordedEvent, StreamId, Version};

/// Which events of the log a reader wants.
///
/// Every part that is given must hold, and a part that is given as an empty list matches nothing; without any part, all
/// events are wanted.
///
/// ```
/// use cqrs_core::EventFilter;
///
/// let all = EventFilter::all();
/// let deposits = EventFilter::category("account").and_event_types(["Deposited"]);
/// # assert_ne!(all, deposits);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    categories: Option<Vec<String>>,
    event_types: Option<Vec<String>>,
    streams: Option<Vec<StreamId>>,
}

impl EventFilter {
    /// Every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// The events of one category of streams.
    pub fn category(category: &str) -> Self {
        Self::categories_of([category])
    }

    /// The events of several categories of streams.
    pub fn categories_of<'a>(categories: impl IntoIterator<Item = &'a str>) -> Self {
        let categories = categories.into_iter().map(str::to_owned).collect();
        Self { categories: Some(categories), ..Self::default() }
    }

    /// Narrows to some event types.
    #[must_use]
    pub fn and_event_types<'a>(mut self, event_types: impl IntoIterator<Item = &'a str>) -> Self {
        self.event_types = Some(event_types.into_iter().map(str::to_owned).collect());
        self
    }

    /// Narrows to some streams.
    #[must_use]
    pub fn and_streams(mut self, streams: impl IntoIterator<Item = StreamId>) -> Self {
        self.streams = Some(streams.into_iter().collect());
        self
    }

    /// The categories wanted, or any.
    pub fn wanted_categories(&self) -> Option<&[String]> {
        self.categories.as_deref()
    }

    /// The event types wanted, or any.
    pub fn wanted_event_types(&self) -> Option<&[String]> {
        self.event_types.as_deref()
    }

    /// The streams wanted, or any.
    pub fn wanted_streams(&self) -> Option<&[StreamId]> {
        self.streams.as_deref()
    }

    /// Whether an event is wanted: the meaning that a store's own filtering must have.
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        fn wants<T: PartialEq<U>, U: ?Sized>(wanted: Option<&[T]>, found: &U) -> bool {
            wanted.is_none_or(|wanted| wanted.iter().any(|one| one == found))
        }
        wants(self.wanted_categories(), event.stream.category())
            && wants(self.wanted_event_types(), &*event.event_type)
            && wants(self.wanted_streams(), &event.stream)
    }
}

/// Which way a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From old to new.
    Forward,
    /// From new to old.
    Backward,
}

/// A page of a stream.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).start().await?;
/// for amount in [5, 6, 7] {
///     app.dispatch(deposit("me", amount)).await?;
/// }
/// let stream = "account-me".parse()?;
/// // The first two, and the newest one.
/// let first = app.store().read_stream(&stream, StreamRead::forward(Version::new(1), 2)).await?;
/// let newest = app.store().read_stream(&stream, StreamRead::backward(Version::new(u64::MAX), 1)).await?;
/// assert_eq!((first.len(), newest[0].version), (2, Version::new(3)));
/// let events = RecordedEvent::decode_all::<AccountEvent>(newest)?;
/// assert_eq!(events[0].data, AccountEvent::Deposited { account: "me".to_owned(), amount: 7 });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRead {
    /// Which way.
    pub direction: Direction,
    /// The first version that may be in the page. Backward, it is the highest.
    pub from: Version,
    /// The most events to return.
    pub limit: usize,
}

impl StreamRead {
    /// From `from` on, old to new.
    pub fn forward(from: Version, limit: usize) -> Self {
        Self { direction: Direction::Forward, from, limit }
    }

    /// From `from` back, new to old.
    pub fn backward(from: Version, limit: usize) -> Self {
        Self { direction: Direction::Backward, from, limit }
    }
}

/// A page of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogPage {
    /// The events that match, in order of position.
    pub events: Vec<RecordedEvent>,
    /// Everything at or below this position is in this page or does not match: where to go on. It is the
    /// position that was asked for when there is nothing new.
    pub scanned_to: Position,
}

/// Where events are kept: the source of truth.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// // What an importer does: facts from elsewhere, without a command. The store is all that it needs.
/// let store = MemoryStore::new();
/// let event = |id: u128, data: &str| {
///     Ok::<_, BoxError>(NewEvent {
///         id: EventId::new(uuid::Uuid::from_u128(id)),
///         event_type: "Deposited".into(),
///         data: Json::parse(data)?,
///         metadata: Metadata::default(),
///     })
/// };
/// let write = StreamWrite {
///     stream: "account-me".parse()?,
///     expected: ExpectedVersion::NoStream,
///     events: vec![event(1, r#"{"account":"me","amount":5}"#)?, event(2, r#"{"account":"me","amount":6}"#)?],
/// };
/// let append = Append {
///     writes: vec![write],
///     receipt: None,
///     recorded_at: SystemClock.now(),
///     rests_on_previous: false,
/// };
/// for answer in store.append(vec![append]).await? {
///     assert_eq!(answer?.position, Position::new(2));
/// }
///
/// // And what a reader does: page after page, until one does not move.
/// let (mut at, mut sum) = (Position::ZERO, 0);
/// loop {
///     let page = store.read_log(at, &EventFilter::category("account"), 1).await?;
///     if page.scanned_to == at {
///         break;
///     }
///     at = page.scanned_to;
///     for event in RecordedEvent::decode_all::<AccountEvent>(page.events)? {
///         if let AccountEvent::Deposited { amount, .. } = event.data {
///             sum += amount;
///         }
///     }
/// }
/// assert_eq!((at, sum), (Position::new(2), 11));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends a batch under one durable commit.
    ///
    /// Each [`Append`] is all or nothing over all streams that it writes, and is judged alone, in the
    /// batch's order: an earlier one's events count for a later one's expected versions, and one that is
    /// refused leaves the others untouched. The answers are in the batch's order. The events of one append lie
    /// together in the log, in the order of its writes; a reader sees a batch whole or not at all.
    ///
    /// Versions of a stream are 1, 2, 3 …; positions are dense and in commit order: once a position can be
    /// read, nothing will ever appear at or below it. Expected versions hold between threads, connections
    /// and processes.
    ///
    /// An append whose receipt the store already has, also earlier in the same batch, changes nothing and
    /// answers with the first outcome. This comes before everything else; then come what it
    /// [rests on](Append::rests_on_previous), the limits, and the expected versions.
    ///
    /// When this returns `Ok`, the accepted appends are durable by the store's stated level.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the whole batch failed: nothing of it is stored, save with
    /// [`StoreError::OutcomeUnknown`], where all or nothing of it is. [`AppendError`] for one append.
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError>;

    /// The first outcomes of commands, `duplicate` set, in the order of the ids; `None` where the store
    /// has no receipt.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError>;

    /// A page of one stream. A missing stream reads as empty.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// A page of the log after a position, at most `limit` events, filtered in the store.
    ///
    /// A page without events whose `scanned_to` lies beyond `after` is progress: a filter that matches
    /// nothing still moves on. Only a page that neither has events nor moves means that the head is reached.
    /// A limit of zero, and a position beyond the head, are answered with an empty page that does not move.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError>;

    /// The position of the last event; zero in an empty store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Waits until the head lies beyond `after`, whoever wrote, and returns the head as far as it is known then: a
    /// position beyond `after` up to which the log can be read.
    ///
    /// Dropping the future ends the wait and nothing else.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or is closed.
    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError>;

    /// Finishes what is under way and lets go of files and connections. Later calls fail with
    /// [`StoreError::Closed`].
    async fn close(&self);
}
