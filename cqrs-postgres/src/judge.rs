//! Judging a batch of appends: a pure function of what is known of the log.
//!
//! What is known may be old. The plan says what it rests on, so that the server can see whether all of that is still so
//! when it is written, see `append_batch` in the migrations.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, InvalidAppend, Position, StreamId, StreamWrite, Version,
};

use crate::event_row::EventRows;

/// Numbers of event types, by category and name.
pub(crate) type Types = HashMap<String, HashMap<Arc<str>, i32>>;

/// What is known of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its number; `None` while there is no such stream.
    pub(crate) number: Option<i64>,
    /// Its version: never beyond the real one, since a stream only grows.
    pub(crate) version: Version,
}

impl Known {
    /// There is no such stream.
    pub(crate) const NONE: Self = Self { number: None, version: Version::ZERO };
}

/// What a batch is judged by.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// All streams of the batch.
    pub(crate) streams: HashMap<StreamId, Known>,
    /// What the batch's commands came to, as far as somebody has looked.
    pub(crate) receipts: HashMap<CommandId, Appended>,
    /// The end of the log, when all of this is of one moment of this call.
    pub(crate) as_of: Option<Position>,
}

/// What is written, what is answered, and what that rests on.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) answers: Vec<Answer>,
    /// Streams that there are not yet. The first has number -1 in the rows of events, and so on.
    pub(crate) new_streams: Vec<StreamId>,
    pub(crate) events: EventRows,
    pub(crate) receipts: Vec<ReceiptRow>,
    /// Streams that it was judged by and that nothing is written to.
    pub(crate) checked_streams: Vec<(StreamId, Version)>,
    /// Commands that were refused, and so must have no receipts.
    pub(crate) checked_commands: Vec<CommandId>,
    /// Where the streams of the batch are afterwards.
    pub(crate) streams: HashMap<StreamId, Known>,
}

/// What an append comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// An older outcome.
    First(Appended),
    /// Its position counts from where the log ends before the batch.
    Now(Appended),
    Refused(AppendError),
}

/// A receipt's row; its position counts from where the log ends before the batch.
#[derive(Debug, PartialEq)]
pub(crate) struct ReceiptRow {
    pub(crate) command: CommandId,
    pub(crate) position: i64,
    pub(crate) events: i64,
    /// As PostgreSQL writes an array.
    pub(crate) versions: String,
}

impl Plan {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.receipts.is_empty()
    }

    /// The answers, when the log has ended at `head` before.
    pub(crate) fn answers(self, head: Position) -> Vec<Result<Appended, AppendError>> {
        let answer = |answer| match answer {
            Answer::First(appended) => Ok(appended),
            Answer::Now(appended) => {
                Ok(Appended { position: head.plus(appended.position.as_u64()), ..appended })
            }
            Answer::Refused(error) => Err(error),
        };
        self.answers.into_iter().map(answer).collect()
    }
}

/// Judges each append alone and in order: first the receipt, then what it rests on, then the limits, then the
/// expected versions.
pub(crate) fn judge(
    facts: &Facts,
    types: &Types,
    batch: &[(Append, Result<(), InvalidAppend>)],
) -> Result<Plan, serde_json::Error> {
    let mut judge = Judge { types, plan: Plan::default(), end: 0, own: HashMap::new() };
    judge.plan.streams = facts.streams.clone();
    judge.plan.answers.reserve(batch.len());
    let (mut asked, mut written) = (HashSet::new(), HashSet::new());
    let mut founded = true;
    for (append, valid) in batch {
        let first = append.receipt.and_then(|command| facts.receipts.get(&command));
        let own = append.receipt.and_then(|command| judge.own.get(&command));
        let answer = match (first, own, valid) {
            (Some(first), ..) => Answer::First(Appended { duplicate: true, ..first.clone() }),
            (None, Some(own), _) => Answer::Now(Appended { duplicate: true, ..own.clone() }),
            (None, None, _) if append.rests_on_previous && !founded => {
                Answer::Refused(AppendError::Unfounded)
            }
            (None, None, Err(invalid)) => Answer::Refused(invalid.clone().into()),
            (None, None, Ok(())) => {
                asked.extend(append.writes.iter().map(|write| &write.stream));
                match unexpected(&judge.plan.streams, &append.writes) {
                    Some(error) => Answer::Refused(error),
                    None => {
                        let writes = append.writes.iter().filter(|write| !write.events.is_empty());
                        written.extend(writes.map(|write| &write.stream));
                        Answer::Now(judge.accept(append)?)
                    }
                }
            }
        };
        founded = matches!(&answer, Answer::Now(appended) if !appended.duplicate);
        if let (Answer::Refused(_), Some(command)) = (&answer, append.receipt) {
            judge.plan.checked_commands.push(command);
        }
        judge.plan.answers.push(answer);
    }
    let version =
        |stream: &StreamId| facts.streams.get(stream).map_or(Version::ZERO, |known| known.version);
    let checked = asked.difference(&written).map(|stream| ((*stream).clone(), version(stream)));
    judge.plan.checked_streams = checked.collect();
    Ok(judge.plan)
}

/// The first stream that is not as expected.
fn unexpected(streams: &HashMap<StreamId, Known>, writes: &[StreamWrite]) -> Option<AppendError> {
    writes.iter().find_map(|write| {
        let actual = streams.get(&write.stream).map_or(Version::ZERO, |known| known.version);
        (!write.expected.matches(actual)).then(|| AppendError::WrongExpectedVersion {
            stream: write.stream.clone(),
            expected: write.expected,
            actual,
        })
    })
}

struct Judge<'a> {
    types: &'a Types,
    plan: Plan,
    /// How many events were accepted.
    end: u64,
    /// What commands of this batch came to.
    own: HashMap<CommandId, Appended>,
}

impl Judge<'_> {
    fn accept(&mut self, append: &Append) -> Result<Appended, serde_json::Error> {
        let before = self.end;
        let mut versions = Vec::with_capacity(append.writes.len());
        for StreamWrite { stream, events, .. } in &append.writes {
            let known = self.plan.streams.get(stream).copied();
            let mut known = known.unwrap_or(Known::NONE);
            if !events.is_empty() {
                let number = *known.number.get_or_insert_with(|| {
                    self.plan.new_streams.push(stream.clone());
                    -(self.plan.new_streams.len() as i64)
                });
                let types = self.types.get(stream.category());
                for event in events {
                    known.version = known.version.next();
                    self.end += 1;
                    let event_type = types.and_then(|types| types.get(&event.event_type)).copied();
                    self.plan.events.push(
                        event,
                        (number, known.version, event_type.unwrap_or_default()),
                        append.recorded_at,
                    )?;
                }
                self.plan.streams.insert(stream.clone(), known);
            }
            versions.push(known.version);
        }
        let (position, events) = (Position::new(self.end), self.end - before);
        let appended = Appended { versions, position, events, duplicate: false };
        if let Some(command) = append.receipt {
            let versions: Vec<_> = appended.versions.iter().map(Version::to_string).collect();
            self.plan.receipts.push(ReceiptRow {
                command,
                position: self.end as i64,
                events: events as i64,
                versions: format!("{{{}}}", versions.join(",")),
            });
            self.own.insert(command, appended.clone());
        }
        Ok(appended)
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
