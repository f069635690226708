//! Events as they come back from a store.

use std::collections::HashMap;
use std::ops::Range;

use cqrs_core::{
    CommandId, Event, EventId, EventSet, Metadata, Position, RecordedEvent, StreamId, Timestamp, Version,
    describe, encode,
};
use uuid::Uuid;

use crate::app::BEGINNING;

/// The log of a scenario.
pub(super) struct History {
    pub(super) events: Vec<RecordedEvent>,
    /// The present moment.
    pub(super) now: Timestamp,
    key: String,
    versions: HashMap<StreamId, Version>,
}

impl Default for History {
    fn default() -> Self {
        Self { events: Vec::new(), now: BEGINNING, key: "scenario".to_owned(), versions: HashMap::new() }
    }
}

impl History {
    /// The events that follow are of the streams with this key.
    pub(super) fn stream(&mut self, key: &str) {
        self.key = key.to_owned();
    }

    /// Puts an event into the log, if it is one of those that a subscriber of this name wants.
    pub(super) fn record<E: Event, S: EventSet>(
        &mut self,
        event: &E,
        name: &str,
    ) -> Result<&RecordedEvent, String> {
        let (event_type, data) =
            encode(event).map_err(|error| format!("an event cannot be stored: {}", describe(&error)))?;
        let stream = StreamId::new(E::CATEGORY, &self.key).map_err(|error| error.to_string())?;
        let version = self.versions.entry(stream.clone()).or_insert(Version::ZERO);
        *version = version.next();
        let number = self.events.len() as u64 + 1;
        // Each event is of a command of its own, which began a chain of its own.
        let command = CommandId::new(Uuid::from_u128(u128::from(number) << 64));
        let recorded = RecordedEvent {
            position: Position::new(number),
            stream,
            version: *version,
            id: EventId::derive(command, 0),
            event_type: event_type.into(),
            data,
            metadata: Metadata {
                causation_id: Some(command.into()),
                correlation_id: Some(command.into()),
                ..Metadata::default()
            },
            recorded_at: self.now,
        };
        if !S::filter().matches(&recorded) {
            return Err(format!("{name:?} wants no events of category {:?}", E::CATEGORY));
        }
        RecordedEvent::decode_all::<S>([recorded.clone()]).map_err(|error| describe(&error))?;
        self.events.push(recorded);
        Ok(&self.events[self.events.len() - 1])
    }

    /// Events from the log, as a subscriber gets them.
    pub(super) fn read<S: EventSet>(&self, range: Range<usize>) -> Result<Vec<RecordedEvent<S>>, String> {
        RecordedEvent::decode_all(self.events[range].to_vec()).map_err(|error| describe(&error))
    }
}

/// How an event reads in a story.
pub(super) fn told(event: &RecordedEvent) -> String {
    format!("{} {}", event.event_type, event.data)
}
