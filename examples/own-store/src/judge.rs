//! Who may append, and what comes of it: decided on the log as it is, without changing it.

use std::collections::HashMap;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, NewEvent, Position, RecordedEvent, StreamId, StreamWrite,
    Timestamp, Version,
};

use crate::fact::{Change, Fact};
use crate::log::Log;

/// One answer for each append, in the order of the batch.
pub(crate) type Answers = Vec<Result<Appended, AppendError>>;

/// Judges a batch, one append after the other.
pub(crate) fn judge(log: &Log, batch: Vec<Append>) -> (Change, Answers) {
    let mut judge = Judge {
        log,
        head: log.head(),
        versions: HashMap::new(),
        receipts: HashMap::new(),
        change: Vec::new(),
    };
    let mut founded = true;
    let mut answers = Vec::with_capacity(batch.len());
    for append in batch {
        let answer = judge.append(append, founded);
        founded = answer.as_ref().is_ok_and(|appended| !appended.duplicate);
        answers.push(answer);
    }
    (judge.change, answers)
}

/// The log as it will be after what was accepted so far.
struct Judge<'a> {
    log: &'a Log,
    head: Position,
    versions: HashMap<StreamId, Version>,
    receipts: HashMap<CommandId, Appended>,
    change: Change,
}

impl Judge<'_> {
    /// Judges one append: all of it, or nothing. `founded` says whether the one before it went through.
    fn append(&mut self, append: Append, founded: bool) -> Result<Appended, AppendError> {
        if let Some(outcome) = append.receipt.and_then(|command| self.receipt(command)) {
            return Ok(outcome);
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
        Ok(self.accept(append))
    }

    fn receipt(&self, command: CommandId) -> Option<Appended> {
        self.receipts.get(&command).cloned().or_else(|| self.log.receipt(command))
    }

    fn version(&self, stream: &StreamId) -> Version {
        self.versions.get(stream).copied().unwrap_or_else(|| self.log.version(stream))
    }

    fn accept(&mut self, append: Append) -> Appended {
        let before = self.head.as_u64();
        let mut versions = Vec::with_capacity(append.writes.len());
        for StreamWrite { stream, events, .. } in append.writes {
            let mut version = self.version(&stream);
            for event in events {
                version = version.next();
                self.record(&stream, version, event, append.recorded_at);
            }
            self.versions.insert(stream, version);
            versions.push(version);
        }
        let events = self.head.as_u64() - before;
        let appended = Appended { versions, position: self.head, events, duplicate: false };
        if let Some(command) = append.receipt {
            let outcome = Appended { duplicate: true, ..appended.clone() };
            self.receipts.insert(command, outcome.clone());
            self.change.push(Fact::Receipt(command, outcome));
        }
        appended
    }

    fn record(&mut self, stream: &StreamId, version: Version, event: NewEvent, recorded_at: Timestamp) {
        self.head = self.head.next();
        self.change.push(Fact::Event(RecordedEvent {
            position: self.head,
            stream: stream.clone(),
            version,
            id: event.id,
            event_type: event.event_type,
            data: event.data,
            metadata: event.metadata,
            recorded_at,
        }));
    }
}
