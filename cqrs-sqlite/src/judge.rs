//! Judging a batch of appends: a pure function of what the file holds.

use std::collections::HashMap;
use std::sync::Arc;

use lru::LruCache;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, InvalidAppend, Position, StreamId, StreamWrite, Version,
};

use crate::event_row::EventRow;

/// How many streams are remembered from one batch to the next: some 10 MiB of them.
const STREAMS: usize = 65_536;

/// What a batch is judged by. Judging moves it on, as if all that was accepted were written.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) head: Position,
    /// The highest number of a stream.
    pub(crate) last_stream: i64,
    /// The highest number of an event type.
    pub(crate) last_type: i64,
    /// Number and version of the streams that exist.
    pub(crate) streams: LruCache<StreamId, (i64, Version)>,
    /// Numbers of event types, by category and name.
    pub(crate) types: HashMap<String, HashMap<Arc<str>, i64>>,
    /// What the batch's commands came to.
    pub(crate) receipts: HashMap<CommandId, Appended>,
}

impl Default for State {
    fn default() -> Self {
        Self::at(Position::ZERO, (0, 0))
    }
}

/// What is written, and what is answered.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) answers: Vec<Result<Appended, AppendError>>,
    pub(crate) streams: Vec<(i64, StreamId)>,
    pub(crate) types: Vec<(i64, String, Arc<str>)>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) receipts: Vec<ReceiptRow>,
}

/// A receipt's row.
#[derive(Debug, PartialEq)]
pub(crate) struct ReceiptRow {
    pub(crate) command: CommandId,
    pub(crate) position: i64,
    pub(crate) events: i64,
    /// A JSON array.
    pub(crate) versions: String,
}

/// Why a batch cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unjudged {
    /// SQLite counts in 63 bits.
    #[error("the log is full: its positions end at {max}", max = i64::MAX)]
    Full,
    #[error("metadata or versions cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Plan {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.receipts.is_empty()
    }
}

/// Judges each append alone and in order: first the receipt, then what it rests on, then the limits, then the
/// expected versions.
pub(crate) fn judge(
    state: &mut State,
    batch: Vec<(Append, Result<(), InvalidAppend>)>,
) -> Result<Plan, Unjudged> {
    let mut plan = Plan::default();
    plan.answers.reserve(batch.len());
    plan.events.reserve(batch.len());
    let mut founded = true;
    for (append, valid) in batch {
        let known = append.receipt.and_then(|command| state.receipts.get(&command));
        let answer = match (known, valid) {
            (Some(first), _) => Ok(Appended { duplicate: true, ..first.clone() }),
            (None, _) if append.rests_on_previous && !founded => Err(AppendError::Unfounded),
            (None, Err(invalid)) => Err(invalid.into()),
            (None, Ok(())) => match unexpected(state, &append.writes) {
                Some(error) => Err(error),
                None => Ok(accept(state, &mut plan, append)?),
            },
        };
        founded = answer.as_ref().is_ok_and(|appended| !appended.duplicate);
        plan.answers.push(answer);
    }
    while state.streams.len() > STREAMS {
        state.streams.pop_lru();
    }
    Ok(plan)
}

/// The first stream that is not as expected.
fn unexpected(state: &State, writes: &[StreamWrite]) -> Option<AppendError> {
    writes.iter().find_map(|write| {
        let actual = state.streams.peek(&write.stream).map_or(Version::ZERO, |(_, version)| *version);
        (!write.expected.matches(actual)).then(|| AppendError::WrongExpectedVersion {
            stream: write.stream.clone(),
            expected: write.expected,
            actual,
        })
    })
}

fn accept(state: &mut State, plan: &mut Plan, append: Append) -> Result<Appended, Unjudged> {
    let before = state.head;
    let mut versions = Vec::with_capacity(append.writes.len());
    for StreamWrite { stream, events, .. } in append.writes {
        if events.is_empty() {
            versions.push(state.streams.peek(&stream).map_or(Version::ZERO, |(_, version)| *version));
            continue;
        }
        let (number, mut version) = state.stream(plan, &stream);
        for event in events {
            state.head = state.head.next();
            version = version.next();
            if state.head.as_u64() > i64::MAX as u64 {
                return Err(Unjudged::Full);
            }
            let event_type = state.event_type(plan, stream.category(), &event.event_type);
            let numbers = (state.head, number, version, event_type);
            plan.events.push(EventRow::new(event, numbers, append.recorded_at)?);
        }
        state.streams.put(stream, (number, version));
        versions.push(version);
    }
    let events = state.head.as_u64() - before.as_u64();
    let appended = Appended { versions, position: state.head, events, duplicate: false };
    if let Some(command) = append.receipt {
        let versions = serde_json::to_string(&appended.versions)?;
        let (position, events) = (appended.position.as_u64() as i64, events as i64);
        plan.receipts.push(ReceiptRow { command, position, events, versions });
        state.receipts.insert(command, appended.clone());
    }
    Ok(appended)
}

impl State {
    /// Nothing but where things end: the head, and the highest numbers of streams and event types.
    pub(crate) fn at(head: Position, (last_stream, last_type): (i64, i64)) -> Self {
        let streams = LruCache::unbounded();
        Self { head, last_stream, last_type, streams, types: HashMap::new(), receipts: HashMap::new() }
    }

    /// Whether nothing is known yet.
    pub(crate) fn is_new(&self) -> bool {
        self.last_stream == 0
    }

    pub(crate) fn knows_stream(&self, stream: &StreamId) -> bool {
        self.streams.contains(stream)
    }

    /// Takes in the number and the version of a stream, if there is one of this name.
    pub(crate) fn learn_stream(&mut self, stream: &StreamId, found: Option<(i64, Version)>) {
        if let Some(found) = found {
            self.streams.put(stream.clone(), found);
        }
    }

    pub(crate) fn knows_type(&self, category: &str, name: &str) -> bool {
        self.types.get(category).is_some_and(|names| names.contains_key(name))
    }

    /// Takes in the number of an event type, if there is one of this name.
    pub(crate) fn learn_type(&mut self, category: &str, name: &Arc<str>, found: Option<i64>) {
        if let Some(found) = found {
            self.types.entry(category.to_owned()).or_default().insert(Arc::clone(name), found);
        }
    }

    /// Number and version of a stream; a new one gets the next number.
    fn stream(&mut self, plan: &mut Plan, stream: &StreamId) -> (i64, Version) {
        if let Some(known) = self.streams.get(stream) {
            return *known;
        }
        self.last_stream += 1;
        plan.streams.push((self.last_stream, stream.clone()));
        (self.last_stream, Version::ZERO)
    }

    /// The number of an event type; a new one gets the next number.
    fn event_type(&mut self, plan: &mut Plan, category: &str, name: &Arc<str>) -> i64 {
        if let Some(number) = self.types.get(category).and_then(|names| names.get(name)) {
            return *number;
        }
        self.last_type += 1;
        plan.types.push((self.last_type, category.to_owned(), Arc::clone(name)));
        self.types.entry(category.to_owned()).or_default().insert(Arc::clone(name), self.last_type);
        self.last_type
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
