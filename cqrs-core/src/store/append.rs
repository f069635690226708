//! Writing: what is appended, and what comes of it.

use std::collections::HashSet;

use serde_json::Value;

use crate::{CommandId, ExpectedVersion, NewEvent, Position, StreamId, Timestamp, Version};

/// The largest data and metadata of one event, in bytes of JSON together: 1 MiB, far more than a fact
/// needs, far less than what makes a batch of hundreds of events a burden.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// The longest event type, in bytes of UTF-8.
pub const MAX_EVENT_TYPE_BYTES: usize = 255;

/// How deep arrays and objects may be nested in one value of an event's metadata: well below the 128 levels
/// that serde_json reads, so that what is written can be read back in whatever a store wraps around it.
pub const MAX_METADATA_DEPTH: usize = 100;

/// The most events that one [`Append`] may carry, over all its streams.
pub const MAX_EVENTS_PER_APPEND: usize = 10_000;

/// One unit of writing: all of it is stored, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The streams to write; nearly always one.
    pub writes: Vec<StreamWrite>,
    /// The command to remember, so that its retry is answered and not repeated.
    pub receipt: Option<CommandId>,
    /// The [`recorded_at`](crate::RecordedEvent::recorded_at) of its events.
    pub recorded_at: Timestamp,
    /// Whether it was decided on what the append before it in the batch writes. It is refused with
    /// [`AppendError::Unfounded`] when that one is refused, or is a duplicate.
    ///
    /// The expected version alone cannot tell: where the one before lost to another writer, the stream may
    /// have the expected version by that writer's event. The first append of a batch rests on nothing.
    pub rests_on_previous: bool,
}

/// Events for one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamWrite {
    /// The stream.
    pub stream: StreamId,
    /// What its version must be, also when there are no events.
    pub expected: ExpectedVersion,
    /// The events, in order; may be empty.
    pub events: Vec<NewEvent>,
}

/// What an [`Append`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The version of each stream after its write, in the order of the writes.
    pub versions: Vec<Version>,
    /// The position of the last event. Without events, the log's head as the append was judged, with what the
    /// appends before it in the batch have written: what the decision was based on is at or below it.
    pub position: Position,
    /// How many events were stored.
    pub events: u64,
    /// Whether this is the first outcome of a command that had been stored before; nothing was changed
    /// this time.
    pub duplicate: bool,
}

/// Why one [`Append`] was refused; nothing of it is stored.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # let store = MemoryStore::new();
/// # let append = |expected| Append {
/// #     writes: vec![StreamWrite { stream: "account-me".parse().unwrap(), expected, events: Vec::new() }],
/// #     receipt: None,
/// #     recorded_at: SystemClock.now(),
/// #     rests_on_previous: false,
/// # };
/// // Each append of a batch is answered for itself.
/// let batch = vec![append(ExpectedVersion::NoStream), append(ExpectedVersion::Exact(Version::new(7)))];
/// let answers = store.append(batch).await?;
/// assert!(answers[0].is_ok());
/// let Err(AppendError::WrongExpectedVersion { stream, actual, .. }) = &answers[1] else { panic!("{answers:?}") };
/// assert_eq!((stream.as_str(), *actual), ("account-me", Version::ZERO));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Somebody else wrote first.
    #[error("stream {stream} was expected at {expected}, found at version {actual}")]
    WrongExpectedVersion {
        /// The stream.
        stream: StreamId,
        /// What the writer believed.
        expected: ExpectedVersion,
        /// What is so.
        actual: Version,
    },
    /// The append before it in the batch, on which it rests, did not go through as decided.
    #[error("the append that it rests on did not go through")]
    Unfounded,
    /// It breaks a limit of the store.
    #[error(transparent)]
    Invalid(#[from] InvalidAppend),
}

/// Which limit an [`Append`] breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAppend {
    /// An event's data and metadata are too large.
    #[error(
        "event {event_type:?} for stream {stream} has {bytes} bytes, more than the limit of {MAX_EVENT_BYTES}"
    )]
    EventTooLarge {
        /// The stream.
        stream: StreamId,
        /// The event's type.
        event_type: String,
        /// Its data and metadata as JSON.
        bytes: usize,
    },
    /// An event's type is empty, too long, or has a control character.
    #[error(
        "event type {event_type:?} for stream {stream} is not 1 to {MAX_EVENT_TYPE_BYTES} bytes without control characters"
    )]
    EventType {
        /// The stream.
        stream: StreamId,
        /// The type.
        event_type: String,
    },
    /// A value of an event's metadata is nested too deep.
    #[error(
        "metadata {key:?} of event {event_type:?} for stream {stream} is nested deeper than {MAX_METADATA_DEPTH} levels"
    )]
    MetadataTooDeep {
        /// The stream.
        stream: StreamId,
        /// The event's type.
        event_type: String,
        /// The value's key.
        key: String,
    },
    /// There are too many events.
    #[error("an append of {0} events exceeds the limit of {MAX_EVENTS_PER_APPEND}")]
    TooManyEvents(usize),
    /// One append writes a stream twice, which leaves the second expected version without meaning.
    #[error("one append writes stream {0} twice")]
    StreamTwice(StreamId),
}

impl Append {
    /// Checks the limits that all stores share. A store calls this before it writes anything.
    ///
    /// # Errors
    ///
    /// The first limit that is broken.
    pub fn validate(&self) -> Result<(), InvalidAppend> {
        let events = self.writes.iter().map(|write| write.events.len()).sum();
        if events > MAX_EVENTS_PER_APPEND {
            return Err(InvalidAppend::TooManyEvents(events));
        }
        if let Some(stream) = self.stream_twice() {
            return Err(InvalidAppend::StreamTwice(stream.clone()));
        }
        for write in &self.writes {
            for event in &write.events {
                event.validate(&write.stream)?;
            }
        }
        Ok(())
    }

    fn stream_twice(&self) -> Option<&StreamId> {
        if self.writes.len() < 2 {
            return None;
        }
        let mut streams = HashSet::with_capacity(self.writes.len());
        self.writes.iter().map(|write| &write.stream).find(|stream| !streams.insert(*stream))
    }

    /// How many bytes of JSON and ids it carries, roughly: what bounds a batch.
    pub fn weight(&self) -> usize {
        self.writes.iter().flat_map(|write| &write.events).map(|event| event.data.as_str().len() + 64).sum()
    }
}

impl NewEvent {
    fn validate(&self, stream: &StreamId) -> Result<(), InvalidAppend> {
        let event_type = || self.event_type.as_ref().to_owned();
        if self.event_type.is_empty()
            || self.event_type.len() > MAX_EVENT_TYPE_BYTES
            || self.event_type.chars().any(char::is_control)
        {
            return Err(InvalidAppend::EventType { stream: stream.clone(), event_type: event_type() });
        }
        let mut extras = self.metadata.extra.iter();
        if let Some((key, _)) = extras.find(|(_, value)| deeper(value, MAX_METADATA_DEPTH)) {
            return Err(InvalidAppend::MetadataTooDeep {
                stream: stream.clone(),
                event_type: event_type(),
                key: key.clone(),
            });
        }
        let extra: usize =
            self.metadata.extra.iter().map(|(key, value)| key.len() + value.to_string().len()).sum();
        let bytes = self.data.as_str().len() + extra;
        if bytes > MAX_EVENT_BYTES {
            return Err(InvalidAppend::EventTooLarge {
                stream: stream.clone(),
                event_type: event_type(),
                bytes,
            });
        }
        Ok(())
    }
}

/// Whether a value is nested deeper than so many levels; looks no deeper than that itself.
fn deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| deeper(value, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|value| deeper(value, levels - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_could_not_be_read_back_is_refused_by_its_key() {
        let stream: StreamId = "a-b".parse().unwrap();
        let nested = |levels| (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
        let mut event = NewEvent {
            id: crate::EventId::new(uuid::Uuid::nil()),
            event_type: "Known".into(),
            data: crate::Json::parse("null").unwrap(),
            metadata: crate::Metadata::default(),
        };
        event.metadata.extra.insert("deep".to_owned(), nested(MAX_METADATA_DEPTH));
        assert_eq!(event.validate(&stream), Ok(()));
        event.metadata.extra.insert("deeper".to_owned(), nested(MAX_METADATA_DEPTH + 1));
        let error = event.validate(&stream).unwrap_err().to_string();
        assert!(error.starts_with("metadata \"deeper\" of event \"Known\" for stream a-b"), "{error}");
    }

    #[test]
    fn nesting_is_measured_to_the_level() {
        let nested = |levels| (0..levels).fold(Value::Null, |value, _| Value::Array(vec![value]));
        assert!(!deeper(&nested(3), 3));
        assert!(deeper(&nested(4), 3));
        assert!(!deeper(&Value::Null, 0));
        assert!(deeper(&serde_json::json!({"a": [1, {"b": {}}]}), 2));
    }
}
