//! Appends and events that rules write.

use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, ExpectedVersion, Json, Metadata, NewEvent,
    StreamId, StreamWrite, Timestamp, Version,
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
    Append {
        writes: vec![StreamWrite { stream: stream.clone(), expected, events }],
        receipt: None,
        recorded_at: Timestamp::from_micros(1_700_000_000_123_456),
    }
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
