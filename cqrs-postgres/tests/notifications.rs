//! Nodes that tell each other that the log has grown.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::time::Duration;

use common::{Scratch, one, some};
use cqrs_core::{EventStore, Position};
use cqrs_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Executor, Row};

/// A store that finds nothing by looking: what it learns in time, it was told.
async fn patient(scratch: &Scratch) -> PostgresStore {
    let options = PostgresOptions::new().poll_interval(Duration::from_secs(24 * 3600));
    PostgresStore::connect_with(&scratch.url(), options).await.unwrap()
}

/// The connection that listens, once there is one other than `but`.
async fn listener(scratch: &Scratch, but: i32) -> i32 {
    let mut outsider = scratch.outsider().await;
    loop {
        let rows = outsider
            .fetch_all("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
            .await
            .unwrap();
        let found = rows.iter().map(|row| row.get::<i32, _>(0)).find(|pid| *pid != but);
        if let Some(pid) = found {
            return pid;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_is_told_what_another_one_appends() {
    let scratch = Scratch::new().await;
    let (waiting, writing) = (patient(&scratch).await, scratch.store().await);
    let waiter = tokio::spawn({
        let waiting = waiting.clone();
        async move { waiting.wait_beyond(Position::ZERO).await }
    });
    listener(&scratch, 0).await;
    one(&writing, some("me", 2)).await.unwrap().unwrap();
    assert_eq!(waiter.await.unwrap().unwrap(), Position::new(2));
    // And again, without anybody waiting in between.
    one(&writing, some("me", 1)).await.unwrap().unwrap();
    assert_eq!(waiting.wait_beyond(Position::new(2)).await.unwrap(), Position::new(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_whose_ears_were_cut_off_misses_nothing() {
    let scratch = Scratch::new().await;
    let (waiting, writing) = (patient(&scratch).await, scratch.store().await);
    let (mut ears, mut outsider) = (0, scratch.outsider().await);
    for round in 0..10 {
        let waiter = tokio::spawn({
            let waiting = waiting.clone();
            async move { waiting.wait_beyond(Position::new(round)).await }
        });
        ears = listener(&scratch, ears).await;
        let cut = sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(ears);
        cut.execute(&mut outsider).await.unwrap();
        one(&writing, some("me", 1)).await.unwrap().unwrap();
        assert_eq!(waiter.await.unwrap().unwrap(), Position::new(round + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn closing_ends_all_connections() {
    let scratch = Scratch::new().await;
    let store = patient(&scratch).await;
    one(&store, some("me", 1)).await.unwrap().unwrap();
    store.wait_beyond(Position::ZERO).await.unwrap();
    listener(&scratch, 0).await;
    store.close().await;
    let mut outsider = scratch.outsider().await;
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    // The server takes a moment to notice.
    while outsider.fetch_one(others).await.unwrap().get::<i64, _>(0) > 0 {}
}
