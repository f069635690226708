//! The contract of a store, on a store of your own.
#![expect(clippy::expect_used, reason = "clippy lets only the tests themselves expect")]

use std::sync::Mutex;

use async_trait::async_trait;
use cqrs_core::EventStore;
use cqrs_testing::StoreFactory;
use own_store::OwnStore;
use tempfile::TempDir;

/// Makes stores in directories that go away with it.
#[derive(Default)]
struct Factory(Mutex<Vec<TempDir>>);

#[async_trait]
impl StoreFactory for Factory {
    type Store = OwnStore;

    async fn make(&self) -> OwnStore {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events.log");
        self.0.lock().expect("nobody panics with the lock").push(directory);
        OwnStore::open(path).await.expect("a new file")
    }

    async fn again(&self, store: &OwnStore) -> OwnStore {
        OwnStore::open(store.path()).await.expect("the same file")
    }

    async fn reopen(&self, store: OwnStore) -> OwnStore {
        let path = store.path().to_owned();
        store.close().await;
        drop(store);
        OwnStore::open(path).await.expect("the same file")
    }
}

cqrs_testing::store_contract!(
    Factory::default(),
    lacks { damage: "an open file is in memory as well; what spoils the file is found when it is opened" }
);
cqrs_testing::store_model!(Factory::default());
