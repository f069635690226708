//! An event as a test compares it.

use std::fmt;

use cqrs_core::{Json, RecordedEvent, StreamId};
use serde_json::Value;

use crate::json::same;

/// An event of the store: its stream, its type and its data.
///
/// It equals `(type, json)` and `(stream, type, json)`; the order of fields says nothing.
#[derive(Clone)]
pub struct Stored {
    /// Its stream.
    pub stream: StreamId,
    /// The stored name of its variant.
    pub event_type: String,
    /// The variant's fields.
    pub data: Json,
}

impl Stored {
    pub(super) fn of(event: RecordedEvent) -> Self {
        Self { stream: event.stream, event_type: event.event_type.as_ref().to_owned(), data: event.data }
    }
}

impl PartialEq<(&str, Value)> for Stored {
    fn eq(&self, (event_type, data): &(&str, Value)) -> bool {
        self.event_type == *event_type && Json::of(data).is_ok_and(|data| same(&self.data, &data))
    }
}

impl PartialEq<(&str, &str, Value)> for Stored {
    fn eq(&self, (stream, event_type, data): &(&str, &str, Value)) -> bool {
        self.stream.as_str() == *stream
            && self.event_type == *event_type
            && Json::of(data).is_ok_and(|data| same(&self.data, &data))
    }
}

/// As a tuple that it equals.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stream, event_type) = (self.stream.as_str(), &self.event_type);
        f.debug_tuple("").field(&stream).field(event_type).field(&self.data).finish()
    }
}
