//! What a store is: a log, and receipts. The simplest code that says what each call must answer.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, Direction, ExpectedVersion, LogPage, Position, RecordedEvent,
    StreamId, StreamRead, StreamWrite, Version,
};

use super::call::{Answer, Brief, Call};

/// The state of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    log: Vec<Arc<RecordedEvent>>,
    receipts: HashMap<CommandId, Appended>,
}

/// What a call changes.
#[derive(Debug, Default)]
pub(super) struct Change {
    events: Vec<Arc<RecordedEvent>>,
    receipts: Vec<(CommandId, Appended)>,
}

impl Change {
    /// Whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.receipts.is_empty()
    }
}

/// What an append must come to. Where several expectations do not hold, any of them may be told.
enum Judged {
    Appended(Appended),
    Unfounded,
    Invalid,
    Wrong(Vec<(StreamId, ExpectedVersion, Version)>),
}

impl Reference {
    pub(super) fn head(&self) -> Position {
        Position::new(self.log.len() as u64)
    }

    pub(super) fn change(&mut self, change: &Change) {
        self.log.extend_from_slice(&change.events);
        self.receipts.extend(change.receipts.iter().cloned());
    }

    /// Takes the last change back.
    pub(super) fn undo(&mut self, change: &Change) {
        self.log.truncate(self.log.len() - change.events.len());
        for (command, _) in &change.receipts {
            self.receipts.remove(command);
        }
    }

    /// What a call changes, if this is the answer that it must have here; else what is wrong with the answer.
    pub(super) fn explain(&self, call: &Call, answer: &Answer) -> Result<Change, String> {
        match (call, answer) {
            (Call::Append(batch), Answer::Append(found)) => self.explain_append(batch, found),
            (Call::Receipts(commands), Answer::Receipts(found)) => {
                let wanted: Vec<_> = commands.iter().map(|command| self.receipt(*command)).collect();
                let show = || Answer::Receipts(wanted.clone()).to_string();
                explained(wanted == *found, show)
            }
            (Call::ReadStream(stream, read), Answer::Stream(found)) => {
                let wanted = self.stream(stream, *read);
                explained(same(&wanted, found), || Brief(&wanted).to_string())
            }
            (Call::ReadLog { after, filter, limit }, Answer::Page(found)) => {
                if *limit == 0 || *after >= self.head() {
                    let wanted = LogPage { events: Vec::new(), scanned_to: *after };
                    return explained(wanted == *found, || Answer::Page(wanted.clone()).to_string());
                }
                let to = found.scanned_to;
                if to <= *after || to > self.head() {
                    return Err(format!("a page that leads beyond {after}, at most to {}", self.head()));
                }
                let within = |event: &&Arc<RecordedEvent>| event.position > *after && event.position <= to;
                let wanted = self.log.iter().filter(within).filter(|event| filter.matches(event));
                let wanted: Vec<_> = wanted.cloned().collect();
                if wanted.len() > *limit {
                    return Err(format!("a page of at most {limit} events: there are {}", wanted.len()));
                }
                explained(same(&wanted, &found.events), || Brief(&wanted).to_string())
            }
            (Call::Head, Answer::Head(found)) => {
                explained(*found == self.head(), || self.head().to_string())
            }
            (Call::WaitBeyond(after), Answer::Head(found)) => {
                // Others may have passed the head that ended the wait.
                let holds = found > after && *found <= self.head();
                explained(holds, || format!("a head beyond {after}, at most {}", self.head()))
            }
            _ => Err("an answer of another call".to_owned()),
        }
    }

    fn explain_append(
        &self,
        batch: &[Append],
        found: &[Result<Appended, AppendError>],
    ) -> Result<Change, String> {
        let (wanted, change) = self.judge(batch);
        let agree = wanted.len() == found.len()
            && wanted.iter().zip(found).all(|(wanted, found)| wanted.agrees(found));
        if agree { Ok(change) } else { Err(wanted.iter().map(|one| format!("[{one}] ")).collect()) }
    }

    fn receipt(&self, command: CommandId) -> Option<Appended> {
        let first = self.receipts.get(&command)?.clone();
        Some(Appended { duplicate: true, ..first })
    }

    fn stream(&self, stream: &StreamId, read: StreamRead) -> Vec<Arc<RecordedEvent>> {
        let events = self.log.iter().filter(|event| event.stream == *stream);
        match read.direction {
            Direction::Forward => {
                events.filter(|event| event.version >= read.from).take(read.limit).cloned().collect()
            }
            Direction::Backward => {
                events.rev().filter(|event| event.version <= read.from).take(read.limit).cloned().collect()
            }
        }
    }

    /// Judges a batch, one append after the other.
    fn judge(&self, batch: &[Append]) -> (Vec<Judged>, Change) {
        let mut after = self.clone();
        let mut founded = true;
        let mut change = Change::default();
        let judged = batch.iter().map(|append| {
            let judged = after.judge_one(append, founded, &mut change);
            founded = matches!(&judged, Judged::Appended(appended) if !appended.duplicate);
            judged
        });
        (judged.collect(), change)
    }

    /// Judges one append and stores it.
    fn judge_one(&mut self, append: &Append, founded: bool, change: &mut Change) -> Judged {
        if let Some(first) = append.receipt.and_then(|command| self.receipt(command)) {
            return Judged::Appended(first);
        }
        if append.rests_on_previous && !founded {
            return Judged::Unfounded;
        }
        if append.validate().is_err() {
            return Judged::Invalid;
        }
        let wrong = append.writes.iter().filter_map(|StreamWrite { stream, expected, .. }| {
            let actual = self.version(stream);
            (!expected.matches(actual)).then(|| (stream.clone(), *expected, actual))
        });
        let wrong: Vec<_> = wrong.collect();
        if !wrong.is_empty() {
            return Judged::Wrong(wrong);
        }
        let before = self.log.len();
        for write in &append.writes {
            self.write(write, append);
        }
        let events = &self.log[before..];
        let appended = Appended {
            versions: append.writes.iter().map(|write| self.version(&write.stream)).collect(),
            position: self.head(),
            events: events.len() as u64,
            duplicate: false,
        };
        change.events.extend_from_slice(events);
        if let Some(command) = append.receipt {
            self.receipts.insert(command, appended.clone());
            change.receipts.push((command, appended.clone()));
        }
        Judged::Appended(appended)
    }

    fn version(&self, stream: &StreamId) -> Version {
        Version::new(self.log.iter().filter(|event| event.stream == *stream).count() as u64)
    }

    fn write(&mut self, write: &StreamWrite, append: &Append) {
        for event in &write.events {
            self.log.push(Arc::new(RecordedEvent {
                position: self.head().next(),
                stream: write.stream.clone(),
                version: self.version(&write.stream).next(),
                id: event.id,
                event_type: event.event_type.clone(),
                data: event.data.clone(),
                metadata: event.metadata.clone(),
                recorded_at: append.recorded_at,
            }));
        }
    }
}

fn same(wanted: &[Arc<RecordedEvent>], found: &[RecordedEvent]) -> bool {
    wanted.iter().map(|event| &**event).eq(found)
}

fn explained(holds: bool, wanted: impl FnOnce() -> String) -> Result<Change, String> {
    if holds { Ok(Change::default()) } else { Err(wanted()) }
}

impl Judged {
    fn agrees(&self, found: &Result<Appended, AppendError>) -> bool {
        match (self, found) {
            (Self::Appended(wanted), Ok(found)) => wanted == found,
            (Self::Unfounded, Err(AppendError::Unfounded)) => true,
            (Self::Invalid, Err(AppendError::Invalid(_))) => true,
            (Self::Wrong(wanted), Err(AppendError::WrongExpectedVersion { stream, expected, actual })) => {
                wanted.iter().any(|wanted| (&wanted.0, &wanted.1, &wanted.2) == (stream, expected, actual))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appended(appended) => Brief(appended).fmt(f),
            Self::Unfounded => f.write_str("unfounded"),
            Self::Invalid => f.write_str("invalid"),
            Self::Wrong(wrong) => wrong.iter().try_for_each(|(stream, expected, actual)| {
                write!(f, "{stream} expected at {expected}, found at {actual}; ")
            }),
        }
    }
}
