//! The contract of a store, on the store in a PostgreSQL database.
#![expect(clippy::expect_used, reason = "clippy lets only the tests themselves expect")]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use common::{Scratch, fresh};
use cqrs_core::{EventStore, Position};
use cqrs_postgres::PostgresStore;
use cqrs_testing::StoreFactory;
use sqlx::{AssertSqlSafe, Executor};
use tokio::sync::OnceCell;

/// Makes stores in schemas of a database that goes away with the tests.
#[derive(Default)]
struct Factory(OnceCell<Arc<Scratch>>);

impl Factory {
    async fn scratch(&self) -> &Scratch {
        self.0.get_or_init(Scratch::shared).await
    }
}

#[async_trait]
impl StoreFactory for Factory {
    type Store = PostgresStore;

    async fn make(&self) -> PostgresStore {
        self.scratch().await.tenant(&fresh("rule")).await
    }

    async fn again(&self, store: &PostgresStore) -> PostgresStore {
        self.scratch().await.tenant(store.schema()).await
    }

    async fn reopen(&self, store: PostgresStore) -> PostgresStore {
        store.close().await;
        self.scratch().await.tenant(store.schema()).await
    }

    async fn damage(&self, store: &PostgresStore, position: Position) {
        let mut outsider = self.scratch().await.outsider().await;
        let (events, position) = (format!("{}.events", store.schema()), position.as_u64());
        let spoil = format!(
            "ALTER TABLE {events} DISABLE TRIGGER ALL; UPDATE {events} SET data = '{{' WHERE position = {position}"
        );
        let done = outsider.execute(AssertSqlSafe(spoil)).await.expect("the event");
        assert_eq!(done.rows_affected(), 1, "there is an event to spoil");
    }
}

cqrs_testing::store_contract!(Factory::default(), needs { server: "CQRS_POSTGRES_URL is not set" });
cqrs_testing::store_model!(Factory::default(), needs { server: "CQRS_POSTGRES_URL is not set" });
