//! Versions of the schema: what older ones become, and nodes that are older than theirs.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use common::{Scratch, command, everything, fresh, one, some};
use cqrs_core::{EventStore, Position, ProcessStore, Share, Timestamp};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
use cqrs_testing::contract::{handlers, leases, receipts, snapshots, steps, tasks};
use cqrs_testing::{Model, StoreFactory};
use sqlx::{AssertSqlSafe, Executor, Row};
use tokio::sync::watch;

/// The steps of the schema, in their order.
fn migrations() -> Vec<String> {
    let schema = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/schema.rs")).unwrap();
    let store = schema.split("EVENT_STORE: Kind").nth(1).unwrap().split("};").next().unwrap();
    let paths = store.split("include_str!(\"../").skip(1).map(|rest| rest.split('"').next().unwrap());
    paths
        .map(|path| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap())
        .collect()
}

/// Makes a schema as an older version of the program has left it, with an event in it.
async fn older(scratch: &Scratch, version: usize) {
    let mut old = scratch.outsider().await;
    let mark = include_str!("../src/sql/schema_mark.sql");
    old.execute(AssertSqlSafe(format!("CREATE SCHEMA cqrs; {mark}"))).await.unwrap();
    for migration in migrations().into_iter().take(version) {
        old.execute(AssertSqlSafe(migration)).await.unwrap();
    }
    let kind = "event store of cqrs-postgres";
    let insert = format!("INSERT INTO cqrs_schema (kind, version) VALUES ('{kind}', {version})");
    old.execute(AssertSqlSafe(insert)).await.unwrap();
    old.execute(
        "INSERT INTO streams VALUES (1, 'account-me');
         INSERT INTO event_types (category, name) VALUES ('account', 'CoinMined');
         INSERT INTO events VALUES (1, 1, 1, 1, 1, gen_random_uuid(), '1')",
    )
    .await
    .unwrap();
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn every_older_schema_is_brought_up_to_date_with_what_is_in_it() {
    for version in 1..migrations().len() {
        let scratch = Scratch::new().await;
        older(&scratch, version).await;
        let options = PostgresOptions::new().without_migrations();
        let refused = PostgresStore::connect_with(&scratch.url(), options).await.unwrap_err();
        let ConnectError::NotMigrated { found, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(found as usize, version);
        let store = scratch.store().await;
        one(&store, some("me", 1)).await.unwrap().unwrap();
        assert_eq!(everything(&store).await.len(), 2, "from version {version}");
        let found = scratch.outsider().await.fetch_one("SELECT version FROM cqrs_schema").await.unwrap();
        assert_eq!(found.get::<i32, _>(0) as usize, migrations().len());
    }
}

/// Old nodes go on while a new one migrates: steps only add, and statements name their columns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_goes_on_while_a_newer_one_migrates_the_schema() {
    let scratch = Scratch::new().await;
    let old = scratch.store().await;
    one(&old, some("me", 1)).await.unwrap().unwrap();
    let writing = tokio::spawn({
        let old = old.clone();
        async move {
            for _ in 0..200 {
                one(&old, some("me", 1)).await.unwrap().unwrap();
                assert!(!everything(&old).await.is_empty());
            }
        }
    });
    let mut new = scratch.outsider().await;
    old.wait_beyond(Position::new(20)).await.unwrap();
    new.execute(
        "BEGIN;
         ALTER TABLE events ADD COLUMN more text;
         ALTER TABLE receipts ADD COLUMN more text DEFAULT 'x' NOT NULL;
         CREATE INDEX events_by_time ON events (recorded_at);
         UPDATE cqrs_schema SET version = version + 1;
         COMMIT",
    )
    .await
    .unwrap();
    writing.await.unwrap();
    assert_eq!(old.head().await.unwrap(), Position::new(201));
    let refused = PostgresStore::connect(&scratch.url()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Newer { .. }), "{refused:?}");
}

/// An old node appends by the function of the first version, which is there for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_an_old_node_appends_while_a_new_one_migrates_is_there() {
    let scratch = Scratch::new().await;
    older(&scratch, 1).await;
    let mut old = scratch.outsider().await;
    let (appended, mut told) = watch::channel(1_u64);
    let (enough, is_enough) = watch::channel(false);
    let writing = tokio::spawn(async move {
        while !*is_enough.borrow() {
            let append = "SELECT head FROM append_batch('{}', '{}', '{}', '{}', '{1}', ARRAY[$1], '{1}', '{1}',
                              ARRAY[gen_random_uuid()], '{1}', '{NULL}', '{NULL}', '{NULL}', '{}', '{}', '{}', '{}')";
            let version = *appended.borrow() as i64 + 1;
            sqlx::query(append).bind(version).execute(&mut old).await.unwrap();
            appended.send_modify(|appended| *appended += 1);
        }
        *appended.borrow()
    });
    told.wait_for(|appended| *appended > 10).await.unwrap();
    let new = scratch.store().await;
    let from = *told.borrow();
    told.wait_for(|appended| *appended > from + 10).await.unwrap();
    one(&new, some("you", 1)).await.unwrap().unwrap();
    enough.send(true).unwrap();
    let appended = writing.await.unwrap();
    let log = everything(&new).await;
    assert_eq!(log.len() as u64, appended + 1);
    assert!((1..).zip(&log).all(|(number, event)| event.position.as_u64() == number));
    let (of_old, of_new): (Vec<_>, Vec<_>) = log.iter().partition(|event| event.stream.key() == "me");
    assert!((1..).zip(&of_old).all(|(number, event)| event.version.as_u64() == number));
    assert_eq!(of_new.len(), 1);
}

/// A node from before the outbox had shares, which goes on, says nothing of them.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_an_old_node_asks_for_is_done_by_a_new_one() {
    let scratch = Scratch::new().await;
    older(&scratch, 5).await;
    let ask = "INSERT INTO outbox (id, process, instance, kind, name, metadata, due_at, retry_at, attempts, state)
               VALUES (gen_random_uuid(), 'orders', 'an order', 1, 'late', '{}', 1, 1, 0, 0)";
    let mut old = scratch.outsider().await;
    old.execute(ask).await.unwrap();
    let new = scratch.store().await;
    old.execute(ask).await.unwrap();
    let shares = [Share::new(0, 2).unwrap(), Share::new(1, 2).unwrap()];
    let mut due = Vec::new();
    for share in shares {
        due.extend(new.due_tasks(Timestamp::from_micros(1), share, 10).await.unwrap());
    }
    assert_eq!(due.len(), 2, "each is in one share");
}

/// Stores whose tables a newer version has given further columns, after they were connected and used.
struct Grown(Arc<Scratch>);

#[async_trait]
impl StoreFactory for Grown {
    type Store = PostgresStore;

    async fn make(&self) -> PostgresStore {
        let store = self.0.tenant(&fresh("grown")).await;
        // What is prepared now must do for the columns to come.
        assert!(everything(&store).await.is_empty());
        assert!(store.due_tasks(Timestamp::from_micros(1), Share::ALL, 10).await.unwrap().is_empty());
        assert_eq!(store.receipts(&[command()]).await.unwrap(), [None]);
        let grow = "DO $$ DECLARE grown text; BEGIN
                        FOR grown IN SELECT tablename FROM pg_tables WHERE schemaname = 'SCHEMA' LOOP
                            EXECUTE format('ALTER TABLE SCHEMA.%I ADD COLUMN more text DEFAULT ''x'' NOT NULL', grown);
                        END LOOP;
                    END $$";
        let grow = AssertSqlSafe(grow.replace("SCHEMA", store.schema()));
        self.0.outsider().await.execute(grow).await.unwrap();
        store
    }

    async fn again(&self, store: &PostgresStore) -> PostgresStore {
        self.0.tenant(store.schema()).await
    }

    async fn reopen(&self, store: PostgresStore) -> PostgresStore {
        store.close().await;
        self.again(&store).await
    }
}

#[test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
fn a_store_whose_tables_a_newer_version_has_extended_answers_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let grown = Grown(runtime.block_on(Scratch::shared()));
    Model::from_env().cases(8).alone(&grown).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_store_whose_tables_a_newer_version_has_extended_keeps_its_contract() {
    let grown = Grown(Scratch::shared().await);
    receipts::one_of_racing_repetitions_takes_effect(&grown).await.unwrap();
    snapshots::of_racing_snapshots_the_newest_stays(&grown).await.unwrap();
    steps::a_step_changes_all_of_its_parts(&grown).await.unwrap();
    steps::a_step_of_a_task_makes_it_done(&grown).await.unwrap();
    steps::a_stuck_instance_takes_what_it_has_missed(&grown).await.unwrap();
    tasks::a_thousand_tasks_and_more_are_due_at_once(&grown).await.unwrap();
    handlers::of_two_racing_handler_steps_one_is_fenced(&grown).await.unwrap();
    leases::one_of_racing_holders_gets_the_lease(&grown).await.unwrap();
}
