//! The events, in one log and in streams.

use std::collections::HashMap;

use cqrs_core::{
    Appended, CommandId, Direction, EventFilter, LogPage, Position, RecordedEvent, StoreError, StreamId,
    StreamRead, Version,
};

/// How many events a page looks at, at most, when few of them match.
const MAX_SCAN: usize = 10_000;

#[derive(Default)]
pub(crate) struct Log {
    /// The event at position `p` has the index `p - 1`.
    events: Vec<RecordedEvent>,
    /// For each stream, the indexes of its events: that of version `v` is at `v - 1`.
    streams: HashMap<StreamId, Vec<usize>>,
    receipts: HashMap<CommandId, Appended>,
}

impl Log {
    /// Adds an event at the end. One that belongs elsewhere was written by somebody who had not read what is here.
    pub(crate) fn push(&mut self, event: RecordedEvent) -> Result<(), StoreError> {
        let place = (self.head().next(), self.version(&event.stream).next());
        if (event.position, event.version) != place {
            let what = format!("position {} follows position {}", event.position, self.head());
            return Err(StoreError::Corrupt { what });
        }
        self.streams.entry(event.stream.clone()).or_default().push(self.events.len());
        self.events.push(event);
        Ok(())
    }

    pub(crate) fn remember(&mut self, command: CommandId, outcome: Appended) {
        self.receipts.insert(command, outcome);
    }

    pub(crate) fn head(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    /// The version of a stream; zero when there is none.
    pub(crate) fn version(&self, stream: &StreamId) -> Version {
        Version::new(self.indexes(stream).len() as u64)
    }

    fn indexes(&self, stream: &StreamId) -> &[usize] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn receipt(&self, command: CommandId) -> Option<Appended> {
        self.receipts.get(&command).cloned()
    }

    pub(crate) fn read_stream(&self, stream: &StreamId, read: StreamRead) -> Vec<RecordedEvent> {
        let indexes = self.indexes(stream);
        let event = |index: &usize| self.events[*index].clone();
        match read.direction {
            Direction::Forward => {
                let from = count(read.from.as_u64().saturating_sub(1)).min(indexes.len());
                indexes[from..].iter().take(read.limit).map(event).collect()
            }
            Direction::Backward => {
                let from = count(read.from.as_u64()).min(indexes.len());
                indexes[..from].iter().rev().take(read.limit).map(event).collect()
            }
        }
    }

    pub(crate) fn read_log(&self, after: Position, filter: &EventFilter, limit: usize) -> LogPage {
        let mut page = LogPage { events: Vec::new(), scanned_to: after };
        let from = count(after.as_u64()).min(self.events.len());
        let scanned = if limit == 0 { 0 } else { limit.max(MAX_SCAN) };
        for event in self.events[from..].iter().take(scanned) {
            page.scanned_to = event.position;
            if filter.matches(event) {
                page.events.push(event.clone());
                if page.events.len() == limit {
                    break;
                }
            }
        }
        page
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
