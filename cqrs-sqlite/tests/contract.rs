//! The contract of a store, on the store in a SQLite file.
#![expect(clippy::expect_used, reason = "clippy lets only the tests themselves expect")]

mod common;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{EventStore, Position};
use cqrs_sqlite::{SqliteOptions, SqliteStore};
use cqrs_testing::StoreFactory;
use sqlx::Executor;
use tempfile::TempDir;

/// With the patience of a slow disk.
async fn open(path: &Path) -> SqliteStore {
    let options = SqliteOptions::new().busy_timeout(Duration::from_secs(600));
    SqliteStore::open_with(path, options).await.expect("a file")
}

/// Makes stores in directories that go away with it.
#[derive(Default)]
struct Factory(Mutex<Vec<TempDir>>);

#[async_trait]
impl StoreFactory for Factory {
    type Store = SqliteStore;

    async fn make(&self) -> SqliteStore {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events.db");
        self.0.lock().expect("nobody panics with the lock").push(directory);
        open(&path).await
    }

    async fn again(&self, store: &SqliteStore) -> SqliteStore {
        open(store.path()).await
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        let path = store.path().to_owned();
        store.close().await;
        drop(store);
        open(&path).await
    }

    async fn damage(&self, store: &SqliteStore, position: Position) {
        let mut outsider = common::outsider(store.path()).await;
        outsider.execute("DROP TRIGGER events_are_not_updated").await.expect("the trigger");
        let spoil = sqlx::query("UPDATE events SET data = '{' WHERE position = ?");
        let done = spoil.bind(position.as_u64() as i64).execute(&mut outsider).await.expect("the event");
        assert_eq!(done.rows_affected(), 1, "there is an event to spoil");
    }
}

cqrs_testing::store_contract!(Factory::default());
cqrs_testing::store_model!(Factory::default());
