//! The events, behind no lock of their own.

use std::collections::HashMap;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, Direction, EventFilter, LogPage, Position, RecordedEvent,
    StreamId, StreamRead, StreamWrite, Version,
};

/// How many events that do not match are looked at before a page ends, so that a reader who wants few
/// events does not hold the lock for the whole log.
const MAX_SCAN: usize = 10_000;

#[derive(Default)]
pub(crate) struct Log {
    /// The event at position `p` has the index `p - 1`.
    events: Vec<RecordedEvent>,
    /// For each stream, the indexes of its events; the one with version `v` is at `v - 1`.
    streams: HashMap<StreamId, Vec<usize>>,
    receipts: HashMap<CommandId, Appended>,
}

impl Log {
    pub(crate) fn head(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    pub(crate) fn receipt(&self, command: CommandId) -> Option<Appended> {
        self.receipts.get(&command).cloned()
    }

    /// The version of a stream; zero when there is none.
    pub(crate) fn version(&self, stream: &StreamId) -> Version {
        Version::new(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    /// Judges a batch, one append after the other.
    pub(crate) fn append_batch(&mut self, batch: Vec<Append>) -> Vec<Result<Appended, AppendError>> {
        let mut founded = true;
        let judged = batch.into_iter().map(|append| {
            let answer = self.append(append, founded);
            founded = answer.as_ref().is_ok_and(|appended| !appended.duplicate);
            answer
        });
        judged.collect()
    }

    /// Judges one append, and stores it whole or not at all. `founded` says whether the one before it went
    /// through.
    fn append(&mut self, append: Append, founded: bool) -> Result<Appended, AppendError> {
        if let Some(first) = append.receipt.and_then(|command| self.receipt(command)) {
            return Ok(first);
        }
        if append.rests_on_previous && !founded {
            return Err(AppendError::Unfounded);
        }
        append.validate()?;
        for StreamWrite { stream, expected, .. } in &append.writes {
            let actual = self.version(stream);
            if !expected.matches(actual) {
                let (stream, expected) = (stream.clone(), *expected);
                return Err(AppendError::WrongExpectedVersion { stream, expected, actual });
            }
        }
        let before = self.events.len();
        let mut versions = Vec::with_capacity(append.writes.len());
        for write in append.writes {
            versions.push(self.write(write, append.recorded_at));
        }
        let appended = Appended {
            versions,
            position: self.head(),
            events: (self.events.len() - before) as u64,
            duplicate: false,
        };
        if let Some(command) = append.receipt {
            self.receipts.insert(command, Appended { duplicate: true, ..appended.clone() });
        }
        Ok(appended)
    }

    fn write(&mut self, write: StreamWrite, recorded_at: cqrs_core::Timestamp) -> Version {
        let StreamWrite { stream, events, .. } = write;
        if events.is_empty() {
            return self.version(&stream);
        }
        let indexes = self.streams.entry(stream.clone()).or_default();
        for event in events {
            indexes.push(self.events.len());
            self.events.push(RecordedEvent {
                position: Position::new(self.events.len() as u64 + 1),
                stream: stream.clone(),
                version: Version::new(indexes.len() as u64),
                id: event.id,
                event_type: event.event_type,
                data: event.data,
                metadata: event.metadata,
                recorded_at,
            });
        }
        Version::new(indexes.len() as u64)
    }

    pub(crate) fn read_stream(&self, stream: &StreamId, read: StreamRead) -> Vec<RecordedEvent> {
        let indexes = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let event = |index: &usize| self.events[*index].clone();
        match read.direction {
            Direction::Forward => {
                let skipped = index_of(read.from.as_u64()).min(indexes.len());
                indexes[skipped..].iter().take(read.limit).map(event).collect()
            }
            Direction::Backward => {
                let kept = usize::try_from(read.from.as_u64()).unwrap_or(usize::MAX).min(indexes.len());
                indexes[..kept].iter().rev().take(read.limit).map(event).collect()
            }
        }
    }

    pub(crate) fn read_log(&self, after: Position, filter: &EventFilter, limit: usize) -> LogPage {
        let from = usize::try_from(after.as_u64()).unwrap_or(usize::MAX).min(self.events.len());
        let mut page = LogPage { events: Vec::new(), scanned_to: after };
        if limit == 0 {
            return page;
        }
        for event in self.events[from..].iter().take(MAX_SCAN.max(limit)) {
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

/// The index of a number that counts from 1; zero counts as the first.
fn index_of(number: u64) -> usize {
    usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX)
}
