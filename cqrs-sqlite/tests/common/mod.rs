//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::path::PathBuf;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventId, EventStore, ExpectedVersion, Json,
    Metadata, NewEvent, Position, RecordedEvent, StoreError, StreamId, StreamWrite, Timestamp,
};
use cqrs_sqlite::SqliteStore;
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use uuid::Uuid;

/// A directory that goes away with the test, and the path of a file in it.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.db");
    (directory, path)
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
    store: &SqliteStore,
    append: Append,
) -> Result<Result<Appended, AppendError>, StoreError> {
    store.append(vec![append]).await.map(|mut answers| answers.remove(0))
}

/// The whole log, page by page.
pub(crate) async fn everything(store: &SqliteStore) -> Vec<RecordedEvent> {
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

/// A connection of another program.
pub(crate) async fn outsider(path: &std::path::Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.busy_timeout(std::time::Duration::from_secs(600)).connect().await.unwrap()
}
