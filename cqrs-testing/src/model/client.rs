//! From what a client is to do to its calls: it expects what it has learned.

use std::collections::HashMap;

use cqrs_core::{
    Append, AppendError, CommandId, EventFilter, EventId, ExpectedVersion, Metadata, NewEvent, Position,
    RecordedEvent, StreamId, StreamRead, StreamWrite, Timestamp, Version,
};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::step::{After, Appending, COMMANDS, Filter, Guess, STREAMS, Step, Writing};
use crate::contract::build::{json, stream_of};

/// What a client knows of the store.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Its number; no two clients of a history have the same.
    number: u32,
    calls: u32,
    versions: HashMap<StreamId, Version>,
    head: Position,
}

/// A stream by its number: two categories with the same two keys, one of which begins like the other.
pub(super) fn stream(number: u8) -> StreamId {
    let (category, key) = (number % 2, number / 2 % 2);
    stream_of(["left", "right"][usize::from(category)], ["a", "ab"][usize::from(key)])
}

fn command(number: u8) -> CommandId {
    /// Drawn at random once; only the last byte tells commands apart.
    const COMMAND: u128 = 0x8f1e_6c52_7a0b_4d3f_9b62_15d8_e0a4_7300;
    CommandId::new(Uuid::from_u128(COMMAND | u128::from(number)))
}

fn event_type(second: bool) -> &'static str {
    if second { "Removed" } else { "Added" }
}

impl Client {
    pub(super) fn new(number: u32) -> Self {
        Self { number, calls: 0, versions: HashMap::new(), head: Position::ZERO }
    }

    /// The call that a step is now. None when it is none, or when it would wait for what may never come.
    pub(super) fn call(&mut self, step: &Step) -> Option<Call> {
        self.calls += 1;
        let head = self.head.as_u64();
        Some(match step {
            Step::Head => Call::Head,
            Step::Wait(_) if head == 0 => return None,
            Step::Wait(before) => Call::WaitBeyond(Position::new(head.saturating_sub(before + 1))),
            Step::Receipts(commands) => Call::Receipts(commands.iter().copied().map(command).collect()),
            Step::ReadStream { stream: number, direction, from, limit } => {
                let (direction, from, limit) = (*direction, Version::new(*from), *limit);
                Call::ReadStream(stream(*number), StreamRead { direction, from, limit })
            }
            Step::ReadLog { after, filter: wanted, limit } => {
                let after = match after {
                    After::Origin => 0,
                    After::BeforeHead(before) => head.saturating_sub(*before),
                    After::BeyondHead(beyond) => head + beyond,
                };
                Call::ReadLog { after: Position::new(after), filter: filter(wanted), limit: *limit }
            }
            Step::Append(appends) => {
                // A client that chains appends knows what the earlier ones write.
                let mut known = self.versions.clone();
                let appends = appends.iter().enumerate();
                Call::Append(
                    appends.map(|(index, append)| self.append(append, index, &mut known)).collect(),
                )
            }
            Step::Reopen => return None,
        })
    }

    /// Reads the log on from a position.
    pub(super) fn log(after: Position) -> Call {
        Call::ReadLog { after, filter: EventFilter::all(), limit: 1_000 }
    }

    /// Reads everything there is beside the log.
    pub(super) fn all() -> Vec<Call> {
        let read = StreamRead::forward(Version::new(1), 1_000_000);
        let streams = (0..STREAMS).map(|number| Call::ReadStream(stream(number), read));
        let receipts = Call::Receipts((0..COMMANDS).map(command).collect());
        [Call::Head, receipts].into_iter().chain(streams).collect()
    }

    fn append(
        &self,
        appending: &Appending,
        index: usize,
        known: &mut HashMap<StreamId, Version>,
    ) -> Append {
        let mut writes: Vec<StreamWrite> = Vec::new();
        for Writing { stream: number, expected, events } in &appending.writes {
            let stream = stream(*number);
            if writes.iter().any(|write| write.stream == stream) {
                continue;
            }
            let version = known.entry(stream.clone()).or_default();
            let expected = guess(*expected, *version);
            *version = version.plus(u64::from(*events));
            let first = (index * 16 + writes.len()) * 16;
            let events = (0..usize::from(*events)).map(|n| self.event(first + n)).collect();
            writes.push(StreamWrite { stream, expected, events });
        }
        if let Some(first) = writes.first().cloned().filter(|_| appending.invalid) {
            writes.push(first);
        }
        Append {
            writes,
            receipt: appending.receipt.map(command),
            recorded_at: Timestamp::from_micros(1_700_000_000_000_000 + i64::from(self.calls)),
            rests_on_previous: appending.rests_on_previous,
        }
    }

    /// An event that tells who wrote it, and when.
    fn event(&self, n: usize) -> NewEvent {
        let id = u128::from(self.number) << 64 | u128::from(self.calls) << 32 | n as u128;
        NewEvent {
            id: EventId::new(Uuid::from_u128(id)),
            event_type: event_type(n % 2 == 1).into(),
            data: json(&format!("[{},{},{n}]", self.number, self.calls)),
            metadata: if n.is_multiple_of(3) { Metadata::default() } else { metadata(id) },
        }
    }

    /// Takes in what an answer tells.
    pub(super) fn learn(&mut self, call: &Call, answer: &Answer) {
        match (call, answer) {
            (Call::Append(batch), Answer::Append(answers)) => {
                for (append, answer) in batch.iter().zip(answers) {
                    match answer {
                        // The versions of a duplicate are those of another append.
                        Ok(appended) if appended.duplicate => {}
                        Ok(appended) => {
                            let streams = append.writes.iter().map(|write| write.stream.clone());
                            self.versions.extend(streams.zip(appended.versions.iter().copied()));
                            self.head = self.head.max(appended.position);
                        }
                        Err(AppendError::WrongExpectedVersion { stream, actual, .. }) => {
                            self.versions.insert(stream.clone(), *actual);
                        }
                        Err(_) => {}
                    }
                }
            }
            (_, Answer::Stream(events)) => self.learn_events(events),
            (_, Answer::Page(page)) => self.learn_events(&page.events),
            (_, Answer::Head(head)) => self.head = self.head.max(*head),
            _ => {}
        }
    }

    fn learn_events(&mut self, events: &[RecordedEvent]) {
        for event in events {
            let version = self.versions.entry(event.stream.clone()).or_default();
            *version = event.version.max(*version);
            self.head = self.head.max(event.position);
        }
    }
}

fn metadata(id: u128) -> Metadata {
    let chain = Uuid::from_u128(!id);
    Metadata {
        causation_id: Some(chain.into()),
        correlation_id: Some(chain.into()),
        extra: [("user".to_owned(), chain.to_string().into())].into(),
    }
}

fn guess(guess: Guess, known: Version) -> ExpectedVersion {
    match guess {
        Guess::Any => ExpectedVersion::Any,
        Guess::Known => ExpectedVersion::Exact(known),
        Guess::NoStream => ExpectedVersion::NoStream,
        Guess::StreamExists => ExpectedVersion::StreamExists,
        Guess::Before => ExpectedVersion::Exact(Version::new(known.as_u64().saturating_sub(1))),
        Guess::After => ExpectedVersion::Exact(known.next()),
    }
}

fn filter(wanted: &Filter) -> EventFilter {
    let mut filter = match wanted.category {
        Some(second) => EventFilter::category(stream(u8::from(second)).category()),
        None => EventFilter::all(),
    };
    if let Some(second) = wanted.event_type {
        filter = filter.and_event_types([event_type(second)]);
    }
    if let Some(streams) = &wanted.streams {
        filter = filter.and_streams(streams.iter().copied().map(stream));
    }
    filter
}
