//! What the store does when the disk does not do what it was told.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use cqrs_core::{
    Append, AppendError, Appended, EventId, EventStore, ExpectedVersion, Json, Metadata, NewEvent,
    Position, StoreError, StreamId, StreamWrite, Timestamp,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::OwnStore;

fn broken(_: &File) -> io::Result<()> {
    Err(io::Error::other("the disk is broken"))
}

/// A file, and a handle on it with one event in it.
async fn place() -> (TempDir, PathBuf, OwnStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.log");
    let store = OwnStore::open(&path).await.unwrap();
    append(&store).await.unwrap();
    (directory, path, store)
}

fn with_disk(store: &OwnStore, sync: fn(&File) -> io::Result<()>) {
    store.shared.opened.lock().unwrap().as_mut().unwrap().journal.sync = sync;
}

async fn append(store: &OwnStore) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
    let event = NewEvent {
        id: EventId::new(Uuid::now_v7()),
        event_type: "Happened".into(),
        data: Json::parse("{}").unwrap(),
        metadata: Metadata::default(),
    };
    let stream = StreamId::new("a", "b").unwrap();
    let write = StreamWrite { stream, expected: ExpectedVersion::Any, events: vec![event] };
    let recorded_at = Timestamp::from_micros(0);
    let append = Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false };
    store.append(vec![append]).await
}

async fn head(path: &Path) -> Position {
    OwnStore::open(path).await.unwrap().head().await.unwrap()
}

#[tokio::test]
async fn an_append_that_the_disk_refuses_is_taken_back() {
    fn broken_once(file: &File) -> io::Result<()> {
        static BROKEN: AtomicBool = AtomicBool::new(true);
        if BROKEN.swap(false, Ordering::Relaxed) { broken(file) } else { file.sync_data() }
    }
    let (_directory, path, store) = place().await;
    let before = fs::read(&path).unwrap();
    with_disk(&store, broken_once);
    let error = append(&store).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(store.head().await.unwrap(), Position::new(1));
    append(&store).await.unwrap();
    assert_eq!(head(&path).await, Position::new(2));
}

#[tokio::test]
async fn a_handle_that_cannot_tell_what_is_on_the_disk_says_so_and_closes() {
    let (_directory, path, store) = place().await;
    with_disk(&store, broken);
    let error = append(&store).await.unwrap_err();
    assert!(matches!(error, StoreError::OutcomeUnknown { .. }), "{error}");
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(matches!(store.wait_beyond(Position::new(9)).await, Err(StoreError::Closed)));
    // It holds no lock any more. The next one finds all of the append, or nothing.
    assert!([1, 2].map(Position::new).contains(&head(&path).await));
}

#[tokio::test]
async fn what_another_handle_wrote_is_told_only_when_it_is_durable() {
    let (_directory, path, store) = place().await;
    let other = OwnStore::open(&path).await.unwrap();
    append(&other).await.unwrap();
    with_disk(&store, broken);
    assert!(matches!(store.head().await, Err(StoreError::OutcomeUnknown { .. })));
    assert_eq!(other.head().await.unwrap(), Position::new(2));
}

#[tokio::test]
async fn a_panic_closes_the_handle_and_frees_the_file() {
    let (_directory, path, store) = place().await;
    let answer = store.look(|_| panic!("on purpose")).await;
    assert!(matches!(answer, Err::<(), _>(StoreError::OutcomeUnknown { .. })));
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert_eq!(head(&path).await, Position::new(1));
}
