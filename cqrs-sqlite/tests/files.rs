//! Which files are opened, which are refused, and that a refused one stays as it was.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use common::{everything, one, outsider, place, some};
use cqrs_core::{
    Checkpoint, EventStore, InstanceId, InstanceQuery, InstanceRecord, Json, Position, ProcessStore,
    ReadModel, Snapshot, SnapshotStore, Version,
};
use cqrs_sqlite::{OpenError, SqliteOptions, SqliteReadModel, SqliteStore};
use sqlx::{Connection, Executor, Row};

/// The files of a directory, with their contents.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap).filter(|it| it.path().is_file());
    entries.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap())).collect()
}

/// Opens a file that must be refused, and stay as it was, alone in its directory.
async fn refused(path: &Path) -> (OpenError, String) {
    let directory = path.parent().unwrap();
    let before = contents(directory);
    let error = SqliteStore::open(path).await.unwrap_err();
    assert_eq!(contents(directory), before);
    let message = error.to_string();
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    (error, message)
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_not_touched() {
    let (_directory, path) = place();
    for text in
        [&b"hello\n"[..], &[0; 5000], &b"SQLite format 3\0"[..], &b"SQLite format 2\0 and so on"[..]]
    {
        fs::write(&path, text).unwrap();
        assert!(matches!(refused(&path).await.0, OpenError::NotSqlite { .. }));
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_not_touched() {
    for journal in ["DELETE", "WAL"] {
        let (_directory, path) = place();
        let mut other = outsider(&path).await;
        let sql = format!("PRAGMA journal_mode = {journal}; CREATE TABLE t (x); INSERT INTO t VALUES (1)");
        other.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        other.close().await.unwrap();
        let (error, message) = refused(&path).await;
        assert!(matches!(error, OpenError::Foreign { found: 0, .. }));
        assert!(message.contains("no event store of cqrs-sqlite"), "{message}");
    }
}

#[tokio::test]
async fn events_and_read_models_are_not_mistaken_for_each_other() {
    let (_directory, path) = place();
    SqliteReadModel::open(&path).await.unwrap().close().await;
    assert!(matches!(refused(&path).await.0, OpenError::Foreign { .. }));
    let (_directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    assert!(matches!(SqliteReadModel::open(&path).await, Err(OpenError::Foreign { .. })));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_not_touched() {
    let (_directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut newer = outsider(&path).await;
    newer.execute("PRAGMA user_version = 7; PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    newer.close().await.unwrap();
    let (error, message) = refused(&path).await;
    assert!(matches!(error, OpenError::Newer { found: 7, .. }));
    assert!(message.contains("newer version"), "{message}");
}

/// The first schema had no snapshots, no versions of projections, and of instances of process managers only states.
#[tokio::test]
async fn a_file_of_an_older_version_is_migrated_and_keeps_what_it_has() {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 3)).await.unwrap().unwrap();
    let before = everything(&store).await;
    store.close().await;
    let old = directory.path().join("old.db");
    let mut older = outsider(&old).await;
    older.execute(include_str!("../migrations/store/0001_events.sql")).await.unwrap();
    let attach = format!("ATTACH '{}' AS new", path.display());
    older.execute(sqlx::AssertSqlSafe(attach)).await.unwrap();
    for table in ["streams", "event_types", "events", "receipts"] {
        let copy = format!("INSERT INTO main.{table} SELECT * FROM new.{table}");
        older.execute(sqlx::AssertSqlSafe(copy)).await.unwrap();
    }
    older
        .execute(
            "INSERT INTO process_instances VALUES ('process', 'a', '7', 0), ('process', 'b', 'null', 1);
             INSERT INTO projections VALUES ('of former days', 2);
             DETACH new; PRAGMA application_id = 0x43515253; PRAGMA user_version = 1",
        )
        .await
        .unwrap();
    older.close().await.unwrap();

    let store = SqliteStore::open(&old).await.unwrap();
    assert_eq!(everything(&store).await, before);
    let projected = store.read_model().checkpoint("of former days").await.unwrap();
    assert_eq!(projected, Some(Checkpoint { position: Position::new(2), version: 1 }));
    let stream = before[0].stream.clone();
    let state = Json::of("state").unwrap();
    let snapshot = Snapshot { stream: stream.clone(), version: Version::new(3), schema_version: 1, state };
    assert!(store.save_snapshot(snapshot.clone()).await.unwrap());
    assert_eq!(store.snapshot(&stream).await.unwrap(), Some(snapshot));
    let found = store.list_instances("process", &InstanceQuery::all(9)).await.unwrap();
    let record = |state: &str| InstanceRecord::new(Json::parse(state).unwrap());
    let ended = InstanceRecord { finished: true, ..record("null") };
    let id = |id| InstanceId::new(id).unwrap();
    assert_eq!(found, [(id("a"), record("7")), (id("b"), ended)]);
}

#[tokio::test]
async fn a_newer_version_that_is_still_in_the_wal_is_refused() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut newer = outsider(&path).await;
    newer.execute("PRAGMA user_version = 7").await.unwrap();
    assert!(matches!(SqliteStore::open(&path).await, Err(OpenError::Newer { found: 7, .. })));
    drop(store);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_is_refused() {
    let (directory, path) = place();
    let at = |path| async { SqliteStore::open(path).await.unwrap_err() };
    assert!(matches!(
        at(directory.path().to_owned()).await,
        OpenError::NotAFile { found: "a directory", .. }
    ));
    assert!(matches!(at("/dev/null".into()).await, OpenError::NotAFile { .. }));
    assert!(matches!(at("".into()).await, OpenError::Path { .. }));
    assert!(matches!(at(":memory:".into()).await, OpenError::Path { .. }));
    let error = at(directory.path().join("missing/events.db")).await;
    assert!(matches!(&error, OpenError::MissingDirectory { .. }));
    assert!(error.to_string().ends_with("missing"), "{error}");
    fs::write(&path, "").unwrap();
    assert!(matches!(
        at(path.join("events.db")).await,
        OpenError::Io { .. } | OpenError::MissingDirectory { .. }
    ));
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused_at_once() {
    let (_directory, path) = place();
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    if fs::OpenOptions::new().append(true).open(&path).is_ok() {
        return; // A superuser may write anything.
    }
    let (error, message) = refused(&path).await;
    assert!(matches!(error, OpenError::ReadOnly { .. }));
    assert!(message.contains("read-only"), "{message}");
}

#[tokio::test]
async fn names_with_a_meaning_for_sqlite_are_plain_names() {
    let (directory, _) = place();
    for name in ["file:events.db?mode=memory", "50%25 events?#&.db", "é 🦀.db"] {
        let path = directory.path().join(name);
        let store = SqliteStore::open(&path).await.unwrap();
        one(&store, some("me", 1)).await.unwrap().unwrap();
        store.close().await;
        assert!(fs::metadata(&path).unwrap().len() > 0, "{name}");
    }
    assert_eq!(contents(directory.path()).len(), 3);
}

#[tokio::test]
async fn an_empty_file_is_a_new_one_and_the_header_tells_whose_it_is() {
    let (_directory, path) = place();
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let header = fs::read(&path).unwrap();
    let migrations = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/store")).unwrap();
    assert_eq!(
        (&header[68..72], &header[60..64]),
        (&b"CQRS"[..], &[0, 0, 0, migrations.count() as u8][..]),
        "with the store still open"
    );
    let mut outsider = outsider(&path).await;
    let journal: String = outsider.fetch_one("PRAGMA journal_mode").await.unwrap().get(0);
    assert_eq!(journal, "wal");
    assert_eq!(store.head().await.unwrap(), Position::ZERO);
}

/// A creation that was killed leaves the file, or what was written of it, with a journal beside.
#[tokio::test]
async fn a_creation_that_was_killed_is_completed_by_the_next() {
    let (directory, path) = place();
    let mut killed = outsider(&path).await;
    // A cache of one page makes SQLite write before the commit.
    killed.execute("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE").await.unwrap();
    killed.execute("PRAGMA application_id = 0x43515253; PRAGMA user_version = 1").await.unwrap();
    for n in 0..200 {
        let sql = format!("CREATE TABLE events_{n} (x TEXT NOT NULL PRIMARY KEY, y TEXT)");
        killed.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    // A process that dies leaves what it wrote; a machine that dies may leave the file's length alone.
    for (name, torn) in [("killed.db", false), ("torn.db", true)] {
        let copy = directory.path().join(name);
        fs::copy(path.with_extension("db-journal"), copy.with_extension("db-journal")).unwrap();
        let mut pages = fs::read(&path).unwrap();
        assert!(!pages.is_empty());
        if torn {
            pages.fill(0);
        }
        fs::write(&copy, pages).unwrap();
        let store = SqliteStore::open(&copy).await.unwrap();
        one(&store, some("me", 2)).await.unwrap().unwrap();
        assert_eq!(everything(&store).await.len(), 2);
    }
}

#[tokio::test]
async fn many_openers_at_once_all_succeed() {
    for _ in 0..5 {
        let (_directory, path) = place();
        let options = SqliteOptions::new().busy_timeout(Duration::from_secs(600));
        let open = |_| SqliteStore::open_with(&path, options.clone());
        let stores = futures::future::join_all((0..12).map(open)).await;
        let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
        let appends = stores.iter().map(|store| one(store, some("me", 1)));
        for answer in futures::future::join_all(appends).await {
            answer.unwrap().unwrap();
        }
        assert_eq!(stores[0].head().await.unwrap(), Position::new(12));
    }
}
