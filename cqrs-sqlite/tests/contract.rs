//! The contract of a store, on the store in a SQLite file.
#![expect(clippy::expect_used, reason = "clippy lets only the tests themselves expect")]

use std::sync::Mutex;

use async_trait::async_trait;
use cqrs_core::EventStore;
use cqrs_sqlite::SqliteStore;
use cqrs_testing::StoreFactory;
use tempfile::TempDir;

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
        SqliteStore::open(path).await.expect("a new file")
    }

    async fn again(&self, store: &SqliteStore) -> SqliteStore {
        SqliteStore::open(store.path()).await.expect("the same file")
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        let path = store.path().to_owned();
        store.close().await;
        drop(store);
        SqliteStore::open(path).await.expect("the same file")
    }
}

cqrs_testing::store_contract!(Factory::default());
cqrs_testing::store_model!(Factory::default());
