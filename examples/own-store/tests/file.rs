//! Which files are opened, what is cut off, and what is refused and left as it is.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::fs;
use std::path::{Path, PathBuf};

use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventId, EventStore, ExpectedVersion,
    InstanceId, Json, Metadata, NewEvent, OutboxEntry, OutboxState, OutboxTask, Position, ProcessStep,
    ProcessStore, Share, StepCause, StoreError, StreamId, StreamWrite, Timestamp,
};
use own_store::OwnStore;
use tempfile::TempDir;
use uuid::Uuid;

const HEADING: &str = "own-store 1\n";

/// A place for a file, and the directory that goes away with it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.log");
    (directory, path)
}

/// Appends two events, with a receipt.
async fn append(store: &OwnStore) -> Result<Result<Appended, AppendError>, StoreError> {
    let command = CommandId::new(Uuid::now_v7());
    let event = |index| NewEvent {
        id: EventId::derive(command, index),
        event_type: "Happened".into(),
        data: Json::parse("{\n}").unwrap(),
        metadata: Metadata::default(),
    };
    let events = vec![event(0), event(1)];
    let write =
        StreamWrite { stream: StreamId::new("a", "b").unwrap(), expected: ExpectedVersion::Any, events };
    let recorded_at = Timestamp::from_micros(0);
    let append =
        Append { writes: vec![write], receipt: Some(command), recorded_at, rests_on_previous: false };
    Ok(store.append(vec![append]).await?.remove(0))
}

async fn appended(store: &OwnStore) -> u64 {
    append(store).await.unwrap().unwrap().position.as_u64()
}

/// A file with so many lines after its heading, each an append of two events.
async fn lines(count: usize) -> Vec<u8> {
    let (_directory, path) = place();
    let store = OwnStore::open(&path).await.unwrap();
    for _ in 0..count {
        appended(&store).await;
    }
    fs::read(path).unwrap()
}

/// Where each line ends.
fn ends(file: &[u8]) -> Vec<usize> {
    (1..=file.len()).filter(|end| file[end - 1] == b'\n').collect()
}

/// Opens a file that must be refused and stay as it was.
async fn refused(path: &Path) -> String {
    let before = fs::read(path).unwrap();
    let error = OwnStore::open(path).await.unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_file_cut_at_any_byte_of_its_last_line_opens_without_it() {
    let file = lines(3).await;
    let whole = ends(&file)[2];
    let (_directory, path) = place();
    for cut in whole..file.len() {
        // What was not written yet may also read as zeros.
        let mut zeros = file[..cut].to_vec();
        zeros.resize(file.len(), 0);
        for torn in [&file[..cut], &zeros] {
            fs::write(&path, torn).unwrap();
            let store = OwnStore::open(&path).await.unwrap();
            assert_eq!(store.head().await.unwrap(), Position::new(4), "cut at byte {cut}");
            assert_eq!(fs::read(&path).unwrap(), file[..whole], "cut at byte {cut}");
        }
    }
    assert_eq!(appended(&OwnStore::open(&path).await.unwrap()).await, 6);
    assert_eq!(OwnStore::open(&path).await.unwrap().head().await.unwrap(), Position::new(6));
}

#[tokio::test]
async fn a_heading_cut_at_any_byte_is_written_again() {
    for cut in 0..HEADING.len() {
        let (_directory, path) = place();
        fs::write(&path, &HEADING[..cut]).unwrap();
        assert_eq!(appended(&OwnStore::open(&path).await.unwrap()).await, 2);
        assert_eq!(OwnStore::open(&path).await.unwrap().head().await.unwrap(), Position::new(2));
    }
}

#[tokio::test]
async fn a_damaged_line_that_others_follow_is_refused() {
    let file = lines(3).await;
    let ends = ends(&file);
    for place_of_damage in ends[0]..ends[1] {
        let (_directory, path) = place();
        let mut damaged = file.clone();
        damaged[place_of_damage] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let message = refused(&path).await;
        assert!(message.contains("damaged line"), "{message}");
    }
}

/// Locks do not hold on every network drive. Two handles that do not hear of each other write the same positions.
#[tokio::test]
async fn a_line_of_somebody_who_had_not_read_the_file_is_refused() {
    let (one, two) = (lines(2).await, lines(2).await);
    let (_directory, path) = place();
    fs::write(&path, [&one[..], &two[ends(&two)[1]..]].concat()).unwrap();
    let message = refused(&path).await;
    assert!(message.contains("position 3 follows position 4"), "{message}");
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    for text in ["hello\n", "own-store 2\n", "\n", "SQLite format 3\0"] {
        let (_directory, path) = place();
        fs::write(&path, text).unwrap();
        let message = refused(&path).await;
        assert!(message.ends_with("events.log is a file of something else"), "{message}");
    }
}

#[tokio::test]
async fn a_handle_cuts_off_what_a_dead_writer_left() {
    let (_directory, path) = place();
    let store = OwnStore::open(&path).await.unwrap();
    appended(&store).await;
    let mut file = fs::read(&path).unwrap();
    file.extend_from_slice(&lines(1).await[HEADING.len()..][..40]);
    file.resize(file.len() + 5000, 0);
    fs::write(&path, &file).unwrap();
    assert_eq!(appended(&store).await, 4);
    let other = OwnStore::open(&path).await.unwrap();
    let log = other.read_log(Position::ZERO, &EventFilter::all(), 10).await.unwrap();
    assert_eq!(log.events.len(), 4);
    assert_eq!(ends(&fs::read(&path).unwrap()).len(), 3, "the heading and two lines");
    assert!(fs::read(&path).unwrap().ends_with(b"\n"));
}

/// A deadline after the longest duration is due at the last moment that can be told. Its text form cannot be read:
/// once it was written, the file could not be opened any more.
#[tokio::test]
async fn a_deadline_at_the_last_moment_survives_a_restart() {
    let (_directory, path) = place();
    let store = OwnStore::open(&path).await.unwrap();
    let last = Timestamp::from_micros(i64::MAX);
    let task = OutboxEntry {
        id: CommandId::new(Uuid::now_v7()),
        process: "patience".into(),
        instance: InstanceId::new("a").unwrap(),
        task: OutboxTask::Deadline("never".into()),
        metadata: Metadata::default(),
        due_at: last,
        retry_at: last,
        attempts: 0,
        last_error: None,
        state: OutboxState::Pending,
    };
    let step = ProcessStep {
        process: "patience".into(),
        cause: StepCause::Events { from: Position::ZERO, to: Position::new(1) },
        instances: vec![],
        cancels: vec![],
        tasks: vec![task.clone()],
        at: Timestamp::from_micros(i64::MIN),
    };
    store.commit_step(step).await.unwrap();
    let store = OwnStore::open(&path).await.unwrap();
    assert_eq!(store.due_tasks(last, Share::ALL, 10).await.unwrap(), [task]);
}
