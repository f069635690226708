//! What this process knows of the file since its last append, so that the next one need not look.
//!
//! The log only grows, and streams and event types come with events. So as long as the head is where it was left,
//! all that was known then still holds; the write itself checks that, under the write lock.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_core::{Append, InvalidAppend, Position, StreamId, StreamWrite, Version};
use lru::LruCache;

use crate::judge::State;

/// How many streams are remembered: some 10 MiB of them.
const STREAMS: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// What a store remembers between appends. It is taken out for the time of an append.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Option<Remembered>>);

/// What was true when the log ended at its head.
#[derive(Debug)]
pub(crate) struct Remembered {
    head: Position,
    /// Number and version.
    streams: LruCache<StreamId, (i64, Version)>,
    /// Numbers, by category and name.
    types: HashMap<String, HashMap<Arc<str>, i64>>,
}

impl Memory {
    /// What is remembered; nothing is until it is put back.
    pub(crate) fn take(&self) -> Option<Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Remembers what a batch was judged by and moved on, besides what was known before.
    pub(crate) fn put(&self, mut remembered: Remembered, state: State) {
        remembered.head = state.head;
        for (stream, known) in state.streams {
            remembered.streams.put(stream, known);
        }
        for (category, names) in state.types {
            remembered.types.entry(category).or_default().extend(names);
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(remembered);
    }
}

impl Default for Remembered {
    fn default() -> Self {
        Self { head: Position::ZERO, streams: LruCache::new(STREAMS), types: HashMap::new() }
    }
}

impl Remembered {
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// What to judge a batch by, if it is certain that all of it would be accepted and nothing new is in it.
    ///
    /// A refusal must not rest on memory, and neither must a receipt; so any doubt is answered with `None`.
    pub(crate) fn foresee(&mut self, batch: &[(Append, Result<(), InvalidAppend>)]) -> Option<State> {
        let mut state = State { head: self.head, ..State::default() };
        let mut versions = HashMap::with_capacity(batch.len());
        for (append, valid) in batch {
            if append.receipt.is_some() || valid.is_err() {
                return None;
            }
            for write in &append.writes {
                let known = *self.streams.get(&write.stream)?;
                let version = versions.entry(&write.stream).or_insert(known.1);
                if !write.expected.matches(*version) {
                    return None;
                }
                *version = version.plus(write.events.len() as u64);
                state.streams.entry(write.stream.clone()).or_insert(known);
                self.recall_types(&mut state, write)?;
            }
        }
        Some(state)
    }

    fn recall_types(&self, state: &mut State, write: &StreamWrite) -> Option<()> {
        let category = write.stream.category();
        if write.events.is_empty() {
            return Some(());
        }
        let known = self.types.get(category)?;
        if !state.types.contains_key(category) {
            state.types.insert(category.to_owned(), known.clone());
        }
        write.events.iter().all(|event| known.contains_key(&event.event_type)).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cqrs_core::{ExpectedVersion, Json, Metadata, NewEvent, Timestamp};

    fn stream(key: &str) -> StreamId {
        StreamId::new("known", key).unwrap()
    }

    fn known() -> Remembered {
        let memory = Memory::default();
        let mut state = State { head: Position::new(9), ..State::default() };
        state.streams.insert(stream("a"), (1, Version::new(3)));
        state.types.insert("known".to_owned(), HashMap::from([("Counted".into(), 1)]));
        memory.put(Remembered::default(), state);
        memory.take().unwrap()
    }

    fn write(key: &str, version: u64, event_type: &str) -> (Append, Result<(), InvalidAppend>) {
        let event = NewEvent {
            id: cqrs_core::EventId::new(uuid::Uuid::nil()),
            event_type: event_type.into(),
            data: Json::parse("null").unwrap(),
            metadata: Metadata::default(),
        };
        let expected = ExpectedVersion::Exact(Version::new(version));
        let write = StreamWrite { stream: stream(key), expected, events: vec![event] };
        let append = Append {
            writes: vec![write],
            receipt: None,
            recorded_at: Timestamp::from_micros(0),
            rests_on_previous: false,
        };
        (append, Ok(()))
    }

    #[test]
    fn what_follows_from_memory_is_foreseen_and_any_doubt_is_not() {
        let mut known = known();
        let state = known.foresee(&[write("a", 3, "Counted"), write("a", 4, "Counted")]).unwrap();
        assert_eq!((state.head, state.streams[&stream("a")].1), (Position::new(9), Version::new(3)));
        for doubtful in [write("a", 2, "Counted"), write("b", 0, "Counted"), write("a", 3, "New")] {
            assert!(known.foresee(&[doubtful]).is_none());
        }
        let mut receipt = write("a", 3, "Counted");
        receipt.0.receipt = Some(cqrs_core::CommandId::new(uuid::Uuid::nil()));
        assert!(known.foresee(&[receipt]).is_none());
        let mut question = write("a", 3, "Counted");
        question.0.writes[0].events.clear();
        assert!(known.foresee(&[question]).is_some(), "a question about a version is answered");
        let twice = [write("a", 3, "Counted"), write("a", 3, "Counted")];
        assert!(known.foresee(&twice).is_none(), "the second one would be refused");
    }

    #[test]
    fn what_is_taken_out_is_forgotten_until_it_is_put_back() {
        let memory = Memory::default();
        memory.put(Remembered::default(), State::default());
        assert!(memory.take().is_some());
        assert!(memory.take().is_none());
    }
}
