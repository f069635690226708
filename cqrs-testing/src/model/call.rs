//! Calls of a store, and their answers.

use std::borrow::Borrow;
use std::fmt;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventStore, LogPage, Position, RecordedEvent,
    StoreError, StreamId, StreamRead,
};

/// A call of a store.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Append(Vec<Append>),
    Receipts(Vec<CommandId>),
    ReadStream(StreamId, StreamRead),
    ReadLog { after: Position, filter: EventFilter, limit: usize },
    Head,
    WaitBeyond(Position),
}

/// What a store answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Append(Vec<Result<Appended, AppendError>>),
    Receipts(Vec<Option<Appended>>),
    Stream(Vec<RecordedEvent>),
    Page(LogPage),
    Head(Position),
}

impl Call {
    pub(super) async fn run(&self, store: &impl EventStore) -> Result<Answer, StoreError> {
        Ok(match self {
            Self::Append(batch) => Answer::Append(store.append(batch.clone()).await?),
            Self::Receipts(commands) => Answer::Receipts(store.receipts(commands).await?),
            Self::ReadStream(stream, read) => Answer::Stream(store.read_stream(stream, *read).await?),
            Self::ReadLog { after, filter, limit } => {
                Answer::Page(store.read_log(*after, filter, *limit).await?)
            }
            Self::Head => Answer::Head(store.head().await?),
            Self::WaitBeyond(after) => Answer::Head(store.wait_beyond(*after).await?),
        })
    }
}

/// Short names, for people who look for a mistake.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(batch) => {
                f.write_str("append")?;
                batch.iter().try_for_each(|append| write!(f, " [{}]", Brief(append)))
            }
            Self::Receipts(commands) => {
                f.write_str("receipts")?;
                commands.iter().try_for_each(|command| write!(f, " {}", name(*command)))
            }
            Self::ReadStream(stream, read) => {
                let StreamRead { direction, from, limit } = read;
                write!(f, "read {stream} {direction:?} from {from}, at most {limit}")
            }
            Self::ReadLog { after, filter, limit } => {
                write!(f, "read the log after {after}, at most {limit}")?;
                let parts =
                    (filter.wanted_categories(), filter.wanted_event_types(), filter.wanted_streams());
                if parts != (None, None, None) {
                    write!(f, ", of {parts:?}")?;
                }
                Ok(())
            }
            Self::Head => f.write_str("head"),
            Self::WaitBeyond(after) => write!(f, "wait beyond {after}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(answers) => answers.iter().try_for_each(|answer| match answer {
                Ok(appended) => write!(f, "[{}] ", Brief(appended)),
                Err(error) => write!(f, "[{error}] "),
            }),
            Self::Receipts(receipts) => receipts.iter().try_for_each(|receipt| match receipt {
                Some(appended) => write!(f, "[{}] ", Brief(appended)),
                None => f.write_str("[none] "),
            }),
            Self::Stream(events) => write!(f, "{}", Brief(events)),
            Self::Page(page) => write!(f, "{}up to {}", Brief(&page.events), page.scanned_to),
            Self::Head(head) => write!(f, "{head}"),
        }
    }
}

/// The number in the id of one of the few commands of a history.
fn name(command: CommandId) -> String {
    format!("c{}", command.as_uuid().as_u128() & 0xff)
}

pub(super) struct Brief<'a, T>(pub(super) &'a T);

impl fmt::Display for Brief<'_, Append> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Append { writes, receipt, rests_on_previous, .. } = self.0;
        for write in writes {
            write!(f, "{} at {} +{}; ", write.stream, write.expected, write.events.len())?;
        }
        receipt.iter().try_for_each(|receipt| write!(f, "receipt {}; ", name(*receipt)))?;
        if *rests_on_previous { f.write_str("rests") } else { Ok(()) }
    }
}

impl fmt::Display for Brief<'_, Appended> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Appended { versions, position, events, duplicate } = self.0;
        let versions: Vec<_> = versions.iter().map(|version| version.as_u64()).collect();
        let duplicate = if *duplicate { ", duplicate" } else { "" };
        write!(f, "versions {versions:?}, position {position}, events {events}{duplicate}")
    }
}

impl<E: Borrow<RecordedEvent>> fmt::Display for Brief<'_, Vec<E>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|event| {
            let RecordedEvent { position, stream, version, event_type, data, .. } = event.borrow();
            write!(f, "{position}:{stream}/{version}:{event_type}{} ", data.as_str())
        })
    }
}
