//! Rebuilds of running applications: of the store's own schema and of another one, by one node among several.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use async_trait::async_trait;
use common::{Scratch, one, some};
use cqrs_core::{
    App, BoxError, Consistency, Event, Projection, ReadModel, RebuildError, RecordedEvent, SubscriberState,
    describe,
};
use cqrs_postgres::{PostgresOptions, PostgresReadModel, PostgresStore};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    CoinMined(u64),
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

/// Keeps a row for each event, in a table that has a column of each version's own.
struct Mined<const V: u32>;

#[async_trait]
impl<const V: u32> Projection for Mined<V> {
    const NAME: &'static str = "mined";
    const VERSION: u32 = V;
    type Event = AccountEvent;
    type Target = PgConnection;

    async fn setup(&self, connection: &mut PgConnection) -> Result<(), BoxError> {
        let schema = format!(
            "CREATE TABLE IF NOT EXISTS mined (
                 id bigserial PRIMARY KEY, position bigint UNIQUE, nonce bigint, v{V} int DEFAULT {V});
             CREATE OR REPLACE VIEW totals AS SELECT count(*) AS count, sum(nonce)::bigint AS sum FROM mined"
        );
        sqlx::raw_sql(AssertSqlSafe(schema)).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut PgConnection,
    ) -> Result<(), BoxError> {
        let AccountEvent::CoinMined(nonce) = &event.data;
        sqlx::query("INSERT INTO mined (position, nonce) VALUES ($1, $2)")
            .bind(event.position.as_u64() as i64)
            .bind(*nonce as i64)
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn start<const V: u32>(store: &PostgresStore, model: &PostgresReadModel) -> App {
    let app = App::builder(store.clone()).projection(Mined::<V>, model.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    app
}

/// How many rows there are, the sum of their nonces, and the greatest id.
async fn seen(model: &PostgresReadModel) -> (i64, i64, i64) {
    let seen = "SELECT count, sum, (SELECT max(id) FROM mined) FROM totals";
    sqlx::query_as(seen).fetch_one(model.reader()).await.unwrap()
}

async fn both() -> (Scratch, PostgresStore, [PostgresReadModel; 2]) {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let options = PostgresOptions::new().schema("answers");
    let other = PostgresReadModel::connect_with(&scratch.url(), options).await.unwrap();
    let same = store.read_model();
    (scratch, store, [same, other])
}

async fn shadows(scratch: &Scratch) -> i64 {
    let shadows = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'cqrs\\_%'";
    sqlx::query_scalar(shadows).fetch_one(&mut scratch.outsider().await).await.unwrap()
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_rebuild_mends_what_was_changed_by_hand_and_a_reset_begins_anew() {
    let (scratch, store, models) = both().await;
    for model in &models {
        one(&store, some("me", 5)).await.unwrap().unwrap();
        let app = start::<1>(&store, model).await;
        let before = seen(model).await;
        let by_hand = format!("UPDATE {}.mined SET nonce = 50", model.schema());
        scratch.outsider().await.execute(AssertSqlSafe(by_hand)).await.unwrap();
        assert_ne!(seen(model).await, before);
        let at = model.checkpoint("mined").await.unwrap().unwrap();
        assert_eq!(app.rebuild("mined").await.unwrap(), at.position);
        assert_eq!((seen(model).await, model.checkpoint("mined").await.unwrap()), (before, Some(at)));
        let done = one(&store, some("me", 1)).await.unwrap().unwrap();
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        let after = seen(model).await;
        assert_eq!((after.0, after.2), (before.0 + 1, before.2 + 1));
        app.reset("mined").await.unwrap();
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        let found = model.checkpoint("mined").await.unwrap().unwrap();
        assert_eq!((seen(model).await, found.position), (after, done.position));
        drop(app);
    }
    models[1].close().await;
    models[0].close().await;
    assert_eq!(shadows(&scratch).await, 0);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_new_version_brings_its_schema_and_the_old_program_stops() {
    let (scratch, store, _) = both().await;
    one(&store, some("me", 5)).await.unwrap().unwrap();
    let old = start::<1>(&store, &store.read_model()).await;
    let newer = scratch.store().await;
    let model = newer.read_model();
    let new = start::<2>(&newer, &model).await;
    let columns =
        "SELECT attname::text FROM pg_attribute WHERE attrelid = 'mined'::regclass AND attname LIKE 'v_'";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(model.reader()).await.unwrap();
    assert_eq!(columns, ["v2"]);
    one(&newer, some("me", 1)).await.unwrap().unwrap();
    assert_eq!(new.settle().await.unwrap(), Consistency::Reached);
    let mut status = old.watch_status("mined").unwrap();
    status.wait_for(|status| matches!(status.state, SubscriberState::Stopped { .. })).await.unwrap();
    assert_eq!(seen(&model).await.0, 6);
}

/// While a node that rebuilds goes on, another one works on the old content, and nothing of that is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn nodes_that_rebuild_under_load_keep_each_event_once() {
    let (scratch, store, _) = both().await;
    let first = start::<1>(&store, &store.read_model()).await;
    let other = scratch.store().await;
    let second = start::<1>(&other, &other.read_model()).await;
    let writer = {
        let store = other.clone();
        tokio::spawn(async move {
            for _ in 0..150 {
                one(&store, some("me", 3)).await.unwrap().unwrap();
            }
        })
    };
    let mut rebuilt = 0;
    while !writer.is_finished() || rebuilt < 3 {
        for app in [&first, &second] {
            app.rebuild("mined").await.unwrap();
            rebuilt += 1;
        }
    }
    writer.await.unwrap();
    for app in [&first, &second] {
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    }
    assert_eq!(seen(&other.read_model()).await, (450, 450, 450));
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_rebuild_by_two_nodes_at_once_is_refused_to_one_of_them() {
    let (scratch, store, _) = both().await;
    one(&store, some("me", 5)).await.unwrap().unwrap();
    let app = start::<1>(&store, &store.read_model()).await;
    let other = scratch.store().await;
    let shadow = other.read_model().shadow("mined").await.unwrap();
    let error = app.rebuild("mined").await.unwrap_err();
    assert!(matches!(error, RebuildError::Failed(_)), "{error:?}");
    assert!(describe(&error).contains("somebody else is rebuilding it"), "{}", describe(&error));
    drop(shadow);
    app.rebuild("mined").await.unwrap();
}
