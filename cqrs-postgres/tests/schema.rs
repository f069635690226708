//! How a schema comes to be ours, and which schemas are refused.

mod common;

use std::time::Duration;

use common::{Scratch, everything, one, some};
use cqrs_core::{EventStore, Position};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
use futures::future::join_all;
use sqlx::{Executor, Row};

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_is_appended_is_there_when_the_store_is_connected_again() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    one(&store, some("me", 3)).await.unwrap().unwrap();
    store.close().await;
    let again = scratch.store().await;
    assert_eq!(again.head().await.unwrap(), Position::new(3));
    assert_eq!(everything(&again).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn ten_nodes_that_start_at_once_find_one_schema() {
    let scratch = Scratch::new().await;
    let nodes = (0..10).map(|_| {
        let url = scratch.url();
        tokio::spawn(async move { PostgresStore::connect(&url).await })
    });
    let stores: Vec<_> = join_all(nodes).await.into_iter().map(|node| node.unwrap().unwrap()).collect();
    for store in &stores {
        one(store, some("me", 1)).await.unwrap().unwrap();
    }
    let head = stores[0].head().await.unwrap();
    assert_eq!(head, Position::new(10));
}

/// Another node's step may take longer than any answer.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_waits_for_one_that_takes_its_time_to_migrate() {
    let scratch = Scratch::new().await;
    let mut outsider = scratch.outsider().await;
    let lock = "BEGIN; SELECT pg_advisory_xact_lock(1129402963, hashtext('cqrs'))";
    outsider.execute(lock).await.unwrap();
    let impatient = PostgresOptions::new().answer_timeout(Duration::from_secs(3));
    let url = scratch.url();
    let node = tokio::spawn(async move { PostgresStore::connect_with(&url, impatient).await });
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while outsider.fetch_one(waits).await.unwrap().get::<i64, _>(0) == 0 {
        assert!(!node.is_finished(), "{:?}", node.await);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    outsider.execute("COMMIT").await.unwrap();
    node.await.unwrap().unwrap();
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn tenants_have_schemas_of_their_own() {
    let scratch = Scratch::new().await;
    let (one_tenant, other) = (scratch.tenant("one").await, scratch.tenant("other").await);
    one(&one_tenant, some("me", 2)).await.unwrap().unwrap();
    one(&other, some("me", 1)).await.unwrap().unwrap();
    assert_eq!(everything(&one_tenant).await.len(), 2);
    assert_eq!(everything(&other).await.len(), 1);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_schema_of_another_program_is_not_touched() {
    let scratch = Scratch::new().await;
    let mut outsider = scratch.outsider().await;
    outsider.execute("CREATE SCHEMA cqrs; CREATE TABLE cqrs.invoices (id int)").await.unwrap();
    let error = PostgresStore::connect(&scratch.url()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Foreign { .. }), "{error:?}");
    let (text, place) = (error.to_string(), format!("schema cqrs of database {}", scratch.name()));
    assert!(text.starts_with(&place) && text.contains("a table invoices"), "{text}");
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn an_empty_schema_is_taken() {
    let scratch = Scratch::new().await;
    scratch.outsider().await.execute("CREATE SCHEMA cqrs").await.unwrap();
    assert_eq!(scratch.store().await.head().await.unwrap(), Position::ZERO);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_newer_schema_is_refused() {
    let scratch = Scratch::new().await;
    scratch.store().await.close().await;
    scratch.outsider().await.execute("UPDATE cqrs_schema SET version = version + 1").await.unwrap();
    let error = PostgresStore::connect(&scratch.url()).await.unwrap_err();
    let ConnectError::Newer { found, known, .. } = error else { panic!("{error:?}") };
    assert_eq!(found, known + 1);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn without_migrations_a_missing_schema_is_refused_and_none_is_made() {
    let scratch = Scratch::new().await;
    let connect = || async {
        PostgresStore::connect_with(&scratch.url(), PostgresOptions::new().without_migrations()).await
    };
    let error = connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NotMigrated { found: 0, .. }), "{error:?}");
    let schemas = "SELECT FROM pg_namespace WHERE nspname = 'cqrs'";
    assert!(scratch.outsider().await.fetch_optional(schemas).await.unwrap().is_none());
    scratch.store().await.close().await;
    assert_eq!(connect().await.unwrap().head().await.unwrap(), Position::ZERO);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_database_that_cannot_hold_all_characters_is_refused() {
    let scratch = Scratch::encoded("SQL_ASCII").await;
    let error = PostgresStore::connect(&scratch.url()).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::Encoding { encoding, .. } if encoding == "SQL_ASCII"),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_connected_says_so_without_the_password() {
    let no_url = PostgresStore::connect("sqlite://coins.db").await.unwrap_err();
    assert!(matches!(no_url, ConnectError::Url { .. }), "{no_url:?}");
    let options = PostgresOptions::new().schema("no;schema");
    let no_schema = PostgresStore::connect_with("postgres://localhost/coins", options).await.unwrap_err();
    assert!(matches!(no_schema, ConnectError::Schema { .. }), "{no_schema:?}");
    // Nobody listens on port 1.
    let nobody = PostgresStore::connect("postgres://me:secret@127.0.0.1:1/coins").await.unwrap_err();
    assert_eq!(nobody.to_string(), "PostgreSQL cannot open schema cqrs of database coins on 127.0.0.1:1");
    assert!(!format!("{nobody:?}").contains("secret"));
}
