//! Appends and events that rules write.

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventId, EventStore, ExpectedVersion, Json, Metadata,
    NewEvent, StreamId, StreamWrite, Timestamp, Version,
};
use uuid::Uuid;

use super::Violation;

/// A stream of the category that rules write to.
pub(crate) fn stream(key: &str) -> StreamId {
    stream_of("rule", key)
}

/// A stream of any category.
pub(crate) fn stream_of(category: &str, key: &str) -> StreamId {
    #[expect(clippy::expect_used, reason = "rules name their streams by literals")]
    StreamId::new(category, key).expect("a stream id")
}

/// An event of a type, with a number in its data.
pub(crate) fn event(event_type: &str, number: u64) -> NewEvent {
    NewEvent {
        id: EventId::new(Uuid::now_v7()),
        event_type: event_type.into(),
        data: json(&format!(r#"{{"number":{number}}}"#)),
        metadata: Metadata::default(),
    }
}

/// JSON from a literal.
pub(crate) fn json(text: &str) -> Json {
    #[expect(clippy::expect_used, reason = "rules write their JSON as literals")]
    Json::parse(text).expect("JSON")
}

/// An append of one write, without a receipt.
pub(crate) fn append(stream: &StreamId, expected: ExpectedVersion, events: Vec<NewEvent>) -> Append {
    together(vec![write(stream, expected, events)])
}

/// What an append does to one of its streams.
pub(crate) fn write(stream: &StreamId, expected: ExpectedVersion, events: Vec<NewEvent>) -> StreamWrite {
    StreamWrite { stream: stream.clone(), expected, events }
}

/// An append of several writes, without a receipt.
pub(crate) fn together(writes: Vec<StreamWrite>) -> Append {
    Append { writes, receipt: None, recorded_at: Timestamp::from_micros(1_700_000_000_123_456) }
}

/// An append with a receipt.
pub(crate) fn remembered(append: Append, command: CommandId) -> Append {
    Append { receipt: Some(command), ..append }
}

/// The id of a new command.
pub(crate) fn command() -> CommandId {
    CommandId::new(Uuid::now_v7())
}

/// So many events, numbered from 1.
pub(crate) fn events(count: u64) -> Vec<NewEvent> {
    (1..=count).map(|number| event("Counted", number)).collect()
}

/// The refusal of an append that expected another version.
pub(crate) fn wrong<T>(
    stream: &StreamId,
    expected: ExpectedVersion,
    actual: u64,
) -> Result<T, AppendError> {
    let (stream, actual) = (stream.clone(), Version::new(actual));
    Err(AppendError::WrongExpectedVersion { stream, expected, actual })
}

/// The expected version of a number.
pub(crate) fn exact(version: u64) -> ExpectedVersion {
    ExpectedVersion::Exact(Version::new(version))
}

/// Appends one append alone, and answers for it.
pub(crate) async fn one(
    store: &impl EventStore,
    append: Append,
) -> Result<Result<Appended, AppendError>, Violation> {
    let mut answers = store.append(vec![append]).await?;
    match (answers.pop(), answers.pop()) {
        (Some(answer), None) => Ok(answer),
        _ => Err(Violation::new("a batch of one append must have one answer")),
    }
}
