//! Connections that are cut under load, again and again: nothing acknowledged is lost, nothing is doubled.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use common::{Scratch, command, event, everything, stream};
use cqrs_core::{
    Append, Appended, CommandId, EventId, EventStore, ExpectedVersion, StoreError, StreamWrite, Timestamp,
};
use cqrs_postgres::PostgresStore;
use sqlx::Executor;
use tokio::sync::watch;

/// How often all connections are cut.
const CUTS: u64 = 120;
/// How many nodes write, and how many clients each of them has.
const NODES: usize = 3;
const CLIENTS: usize = 4;

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    enough: AtomicBool,
}

fn append(key: &str, command: CommandId, count: u32) -> Append {
    let events = (0..count).map(|index| {
        let mut event = event("CoinMined", "1");
        event.id = EventId::derive(command, index);
        event
    });
    Append {
        writes: vec![StreamWrite {
            stream: stream(key),
            expected: ExpectedVersion::Any,
            events: events.collect(),
        }],
        receipt: Some(command),
        recorded_at: Timestamp::from_micros(1),
        rests_on_previous: false,
    }
}

/// Writes, and repeats what was not acknowledged, until it is enough.
async fn client(
    store: PostgresStore,
    key: String,
    seen: Arc<Seen>,
    progress: watch::Sender<u64>,
) -> Vec<(CommandId, u32, Appended)> {
    let mut done = Vec::new();
    while !seen.enough.load(Ordering::Relaxed) {
        let (command, count) = (command(), 1 + done.len() as u32 % 3);
        loop {
            match store.append(vec![append(&key, command, count)]).await {
                Ok(answers) => {
                    done.push((command, count, answers.into_iter().next().unwrap().unwrap()));
                    seen.acknowledged.fetch_add(1, Ordering::Relaxed);
                    progress.send_modify(|progress| *progress += 1);
                    break;
                }
                Err(StoreError::OutcomeUnknown { .. }) => seen.unknown.fetch_add(1, Ordering::Relaxed),
                Err(StoreError::Backend { .. }) => {
                    // Nothing was changed, as it says. Reading may fail as well.
                    if let Ok(found) = store.receipts(&[command]).await {
                        assert_eq!(found, [None], "a failed append was written");
                    }
                    seen.failed.fetch_add(1, Ordering::Relaxed)
                }
                Err(error) => panic!("{error:?}"),
            };
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn connections_that_are_cut_lose_and_double_nothing() {
    let scratch = Scratch::new().await;
    let seen = Arc::new(Seen::default());
    let progress = watch::Sender::new(0);
    let mut clients = Vec::new();
    for node in 0..NODES {
        let store = scratch.store().await;
        for number in 0..CLIENTS {
            // Some streams are written by several nodes.
            let key = if number == 0 { "shared".to_owned() } else { format!("{node}-{number}") };
            clients.push(tokio::spawn(client(store.clone(), key, Arc::clone(&seen), progress.clone())));
        }
    }
    let mut outsider = scratch.outsider().await;
    let mut told = progress.subscribe();
    for cut in 0..CUTS {
        // Each cut finds writers that have got somewhere since the last one, at varying places.
        let from = *told.borrow();
        told.wait_for(|progress| *progress > from + cut % 5).await.unwrap();
        let cutting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
        outsider.execute(cutting).await.unwrap();
    }
    seen.enough.store(true, Ordering::Relaxed);
    let mut acknowledged = HashMap::new();
    for client in clients {
        for (command, count, appended) in client.await.unwrap() {
            acknowledged.insert(command, (count, appended));
        }
    }
    let failures = seen.failed.load(Ordering::Relaxed) + seen.unknown.load(Ordering::Relaxed);
    assert!(failures >= CUTS / 2, "{CUTS} cuts were noticed {failures} times");

    let store = scratch.store().await;
    let log = everything(&store).await;
    let mut versions = HashMap::new();
    let mut ids = HashMap::new();
    for (number, event) in (1..).zip(&log) {
        assert_eq!(event.position.as_u64(), number, "positions are dense");
        let version = versions.entry(event.stream.clone()).or_insert(0);
        *version += 1;
        assert_eq!(event.version.as_u64(), *version, "versions are dense");
        assert!(ids.insert(event.id, event.position).is_none(), "event {} is there once", event.id);
    }
    let events: u64 = acknowledged.values().map(|(count, _)| u64::from(*count)).sum();
    assert_eq!(log.len() as u64, events, "what is in the log was acknowledged");
    for (command, (count, appended)) in acknowledged {
        let last = ids.get(&EventId::derive(command, count - 1));
        assert_eq!(last, Some(&appended.position), "command {command} is where it was acknowledged");
        let again = store.receipts(&[command]).await.unwrap().remove(0).unwrap();
        assert_eq!((again.position, again.versions), (appended.position, appended.versions));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn readers_do_not_notice_that_connections_were_cut() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    store.append(vec![append("me", command(), 3)]).await.unwrap();
    let mut outsider = scratch.outsider().await;
    for _ in 0..10 {
        assert_eq!(everything(&store).await.len(), 3);
        let cutting = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
        outsider.execute(cutting).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_holds_the_lock_for_too_long_fails_the_others_with_nothing_written() {
    let scratch = Scratch::new().await;
    let options = cqrs_postgres::PostgresOptions::new().busy_timeout(std::time::Duration::from_secs(5));
    let store = PostgresStore::connect_with(&scratch.url(), options).await.unwrap();
    let mut slow = scratch.outsider().await;
    slow.execute("BEGIN; SELECT FROM log_head FOR UPDATE").await.unwrap();
    let refused = store.append(vec![append("me", command(), 1)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Backend { action: "append", .. }), "{refused:?}");
    slow.execute("ROLLBACK").await.unwrap();
    store.append(vec![append("me", command(), 1)]).await.unwrap();
    assert_eq!(everything(&store).await.len(), 1);
}

/// What was written in a transaction is remembered only when the transaction is over.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_commit_that_the_server_refuses_leaves_no_gap() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    store.append(vec![append("me", command(), 1)]).await.unwrap();
    let mut outsider = scratch.outsider().await;
    // Twice somebody seems to have been faster, so that the batch takes the lock first; and then it is refused at its very end.
    let refusals = "
        CREATE SEQUENCE inserts;
        CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('inserts') <= 2 THEN RAISE unique_violation; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER taken BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION taken();
        CREATE SEQUENCE commits;
        CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('commits') = 1 THEN RAISE EXCEPTION 'not now'; END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER refused AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refused();";
    outsider.execute(refusals).await.unwrap();
    let refused = store.append(vec![append("me", command(), 1)]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Backend { .. }), "{refused:?}");
    store.append(vec![append("me", command(), 1)]).await.unwrap();
    let versions: Vec<_> = everything(&store).await.iter().map(|event| event.version.as_u64()).collect();
    assert_eq!(versions, [1, 2]);
}

/// Whoever has written nothing says so, and does not leave his caller in doubt.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_connection_that_is_lost_before_anything_is_written_leaves_no_doubt() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    store.append(vec![append("me", command(), 1)]).await.unwrap();
    let other = scratch.store().await;
    other.append(vec![append("you", command(), 1)]).await.unwrap();
    let mut outsider = scratch.outsider().await;
    let cutting = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
    outsider.execute(cutting).await.unwrap();
    // It must ask first where that stream is.
    let lost = store.append(vec![append("you", command(), 1)]).await.unwrap_err();
    assert!(matches!(lost, StoreError::Backend { .. }), "{lost:?}");
    store.append(vec![append("you", command(), 1)]).await.unwrap();
    assert_eq!(everything(&store).await.len(), 3);
}
