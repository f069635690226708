//! What event handlers keep: how far they have come, and the events that they hold back.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{StepError, StoreError};
use crate::{EventId, Position, Timestamp};

/// Names what is delivered to an event handler. Ordered as the log is.
///
/// It is a stored event, or a part of it where an [upcast](crate::Event::upcasts) makes it several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventPart {
    /// The position of the stored event.
    pub position: Position,
    /// Which of its parts, from zero.
    pub part: u32,
}

impl EventPart {
    /// Before the first.
    pub const ZERO: Self = Self { position: Position::ZERO, part: 0 };
}

/// A stored event that is one.
impl From<Position> for EventPart {
    fn from(position: Position) -> Self {
        Self { position, part: 0 }
    }
}

impl fmt::Display for EventPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            0 => self.position.fmt(f),
            part => write!(f, "{}.{part}", self.position),
        }
    }
}

/// How far an event handler has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerCheckpoint {
    /// Counts the steps; zero when the handler has never run.
    pub revision: u64,
    /// Up to where it has read the log. No parked event lies beyond.
    pub read_to: Position,
    /// One for each partition: whatever is at or below it, and of the partition, has been delivered, or is parked.
    pub watermarks: Vec<Position>,
}

/// Where a parked event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedState {
    /// It is delivered when its turn comes: after a pause, or when those of its key that are before it are done.
    Waiting,
    /// Given up until an operator decides, and so are the later ones of its key.
    Parked,
    /// An operator wants it to be tried again.
    ToRetry,
    /// An operator wants it to be dropped.
    ToDrop,
}

/// An event that a handler holds back: it has failed, or one of the same key before it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// Where it is in the log.
    pub part: EventPart,
    /// The event's id.
    pub event: EventId,
    /// Its key: events of one key are delivered in order.
    pub key: String,
    /// How often it was delivered without success.
    pub attempts: u32,
    /// What went wrong last, with its causes.
    pub last_error: Option<String>,
    /// When it came here, or failed last.
    pub at: Timestamp,
    /// Where it stands.
    pub state: ParkedState,
}

/// Which parked events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkedQuery {
    /// All of them.
    All,
    /// Those of one key.
    Key(String),
    /// The first one of each key.
    Heads,
    /// Those that an operator wants to be tried again, or dropped.
    Marked,
}

/// Which parked events an operator means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkedSet {
    /// All of them.
    All,
    /// Those of one key.
    Key(String),
    /// One of them.
    Event(EventPart),
}

/// What an operator wants of parked events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedMark {
    /// That their keys go on: what is parked is delivered again, and then what waits behind it, in order.
    Retry,
    /// That they are forgotten, and those behind them go on.
    Drop,
}

/// One transaction of an event handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerStep {
    /// The handler's name.
    pub handler: String,
    /// How far it has come. Its revision follows the one that is there.
    pub checkpoint: HandlerCheckpoint,
    /// What is held back from now on, and what has failed again.
    pub parked: Vec<ParkedEvent>,
    /// What is held back no longer.
    pub released: Vec<EventPart>,
}

/// Where event handlers keep what they know, in the same store that has the events.
///
/// A step and a mark may be less durable than an append, as long as a crash of the machine takes the newest ones
/// and never one from the middle, and the next append makes them durable too: what is lost is delivered again.
#[async_trait]
pub trait HandlerStore: Send + Sync + 'static {
    /// How far a handler has come; the default when it has never run.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError>;

    /// Takes a step in one transaction: the checkpoint by compare-and-set, then what is parked, then what is released.
    ///
    /// An event that is parked already is replaced when the step counts attempts for it, and is left as it is
    /// otherwise; [`ParkedState::ToDrop`] stays in any case. What is released and was not parked is ignored.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the revision that is there is not the one before the step's; then nothing was
    /// changed.
    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError>;

    /// A page of a handler's parked events after a place, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError>;

    /// Marks a handler's parked events, and returns how many were marked. The handler does the rest.
    ///
    /// [`ParkedMark::Retry`] turns [`ParkedState::Parked`] into [`ParkedState::ToRetry`], on all events of the keys that the
    /// set has an event of. [`ParkedMark::Drop`] turns whatever state into [`ParkedState::ToDrop`], on the set itself. What is
    /// marked so already is not counted.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError>;
}
