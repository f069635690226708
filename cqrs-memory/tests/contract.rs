//! The contract of a store, on the store in memory.

use async_trait::async_trait;
use cqrs_memory::MemoryStore;
use cqrs_testing::StoreFactory;

struct Factory;

#[async_trait]
impl StoreFactory for Factory {
    type Store = MemoryStore;

    async fn make(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn again(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }

    async fn reopen(&self, store: MemoryStore) -> MemoryStore {
        store
    }
}

cqrs_testing::store_contract!(
    Factory,
    lacks {
        restart: "the data ends with the process",
        damage: "events are kept as values, which nothing can spoil",
    }
);
cqrs_testing::store_model!(Factory, lacks { restart: "the data ends with the process" });
