//! What the tests share.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod scratch;

use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventId, EventStore, ExpectedVersion, Json,
    Metadata, NewEvent, Position, RecordedEvent, StoreError, StreamId, StreamWrite, Timestamp,
};
use cqrs_postgres::PostgresStore;
use uuid::Uuid;

pub(crate) use scratch::Scratch;

/// A name that no other caller of this process has.
pub(crate) fn fresh(name: &str) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    format!("{name}_{}", CALLS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn command() -> CommandId {
    CommandId::new(Uuid::new_v4())
}

pub(crate) fn stream(key: &str) -> StreamId {
    StreamId::new("account", key).unwrap()
}

pub(crate) fn event(event_type: &str, data: &str) -> NewEvent {
    let command = command();
    NewEvent {
        id: EventId::derive(command, 0),
        event_type: event_type.into(),
        data: Json::parse(data).unwrap(),
        metadata: Metadata {
            causation_id: Some(command.into()),
            correlation_id: Some(command.into()),
            ..Metadata::default()
        },
    }
}

pub(crate) fn append(key: &str, expected: ExpectedVersion, events: Vec<NewEvent>) -> Append {
    Append {
        writes: vec![StreamWrite { stream: stream(key), expected, events }],
        receipt: None,
        recorded_at: Timestamp::from_micros(1_700_000_000_123_456),
        rests_on_previous: false,
    }
}

/// An append of so many events, whatever the version.
pub(crate) fn some(key: &str, count: usize) -> Append {
    append(key, ExpectedVersion::Any, (0..count).map(|n| event("CoinMined", &n.to_string())).collect())
}

pub(crate) async fn one(
    store: &PostgresStore,
    append: Append,
) -> Result<Result<Appended, AppendError>, StoreError> {
    store.append(vec![append]).await.map(|mut answers| answers.remove(0))
}

/// The whole log, page by page.
pub(crate) async fn everything(store: &PostgresStore) -> Vec<RecordedEvent> {
    let (mut events, mut after) = (Vec::new(), Position::ZERO);
    loop {
        let page = store.read_log(after, &EventFilter::all(), 1000).await.unwrap();
        if page.events.is_empty() && page.scanned_to == after {
            return events;
        }
        after = page.scanned_to;
        events.extend(page.events);
    }
}
