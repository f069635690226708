//! Nodes that decide by what they remember, while others write.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use common::{Scratch, append, command, event, everything, one, some};
use cqrs_core::{AppendError, EventStore, ExpectedVersion, Position, RecordedEvent, StoreError, Version};
use cqrs_postgres::{PostgresOptions, PostgresStore};
use sqlx::{Executor, PgConnection, Row};
use tokio::task::JoinHandle;

/// What nothing is written to is guarded by no index: it must be looked at under the lock.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_a_node_remembers_of_a_stream_is_checked_also_where_nothing_is_written_to_it() {
    let scratch = Scratch::new().await;
    let (node, other) = (scratch.store().await, scratch.store().await);
    one(&node, some("me", 1)).await.unwrap().unwrap();
    one(&other, some("me", 1)).await.unwrap().unwrap();
    let exactly = |version| ExpectedVersion::Exact(Version::new(version));
    let guard = |version| append("me", exactly(version), Vec::new());
    let answers = node.append(vec![guard(1), some("you", 1), guard(2)]).await.unwrap();
    let stale = answers[0].as_ref().unwrap_err();
    assert!(
        matches!(stale, AppendError::WrongExpectedVersion { actual, .. } if *actual == Version::new(2)),
        "{stale}"
    );
    assert!(answers[1].is_ok() && answers[2].is_ok());
    one(&other, some("me", 1)).await.unwrap().unwrap();
    // Nor is a refusal believed that rests on what was so.
    let answers = node.append(vec![guard(3), guard(2), some("you", 1)]).await.unwrap();
    assert!(answers[0].is_ok() && answers[1].is_err() && answers[2].is_ok());
    assert_eq!(everything(&node).await.len(), 5);
}

/// The log's head is locked meanwhile, for all nodes.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn to_check_a_long_stream_costs_no_more_than_to_check_a_short_one() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    one(&store, some("long", 1)).await.unwrap().unwrap();
    one(&store, some("short", 1)).await.unwrap().unwrap();
    let mut outsider = scratch.outsider().await;
    let longer = "
        INSERT INTO events (position, stream, version, recorded_at, type, id, data)
        SELECT number + 1, stream, number, 0, type, gen_random_uuid(), '1'
        FROM events, generate_series(2, 30000) AS number WHERE position = 1;
        SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
    outsider.execute(longer).await.unwrap();
    let mut pages = Vec::new();
    for (stream, version) in [("account-short", 1), ("account-long", 30_000)] {
        let nothing = ["'{}'"; 15].join(", ");
        let call = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
             SELECT * FROM append_batch(ARRAY['{stream}'], ARRAY[{version}::bigint], {nothing})"
        );
        // What is planned and read for the first time is not of interest.
        outsider.execute(sqlx::AssertSqlSafe(call.clone())).await.unwrap();
        let plan = outsider.fetch_one(sqlx::AssertSqlSafe(call)).await.unwrap();
        let plan: serde_json::Value = serde_json::from_str(plan.get_unchecked(0)).unwrap();
        let plan = &plan[0]["Plan"];
        pages.push(
            plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap(),
        );
    }
    assert!(pages[1] < pages[0] + 20, "{pages:?} pages were read");
}

/// Lets a node write so much that it believes to be alone.
async fn alone(scratch: &Scratch) -> PostgresStore {
    let node = scratch.store().await;
    for _ in 0..20 {
        one(&node, some("me", 1)).await.unwrap().unwrap();
    }
    node
}

/// Positions are 1, 2, 3 …, and so are the versions of every stream.
fn assert_dense(log: &[RecordedEvent]) {
    let mut versions = HashMap::new();
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position, Position::new(position));
        let version = versions.entry(event.stream.clone()).or_insert(0);
        *version += 1;
        assert_eq!(event.version, Version::new(*version), "{}", event.stream);
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_writes_alone_writes_in_one_plain_statement() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    scratch.outsider().await.execute("DROP FUNCTION append_batch").await.unwrap();
    let mut again = some("me", 2);
    again.receipt = Some(command());
    let answers = node.append(vec![again.clone(), some("me", 3)]).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!([answers[0].position, answers[1].position], [Position::new(22), Position::new(25)]);
    assert_dense(&everything(&node).await);
    assert_eq!(node.receipts(&[again.receipt.unwrap()]).await.unwrap()[0].as_ref().unwrap().events, 2);
}

/// A single event has a statement of its own.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_writes_alone_writes_all_of_an_event() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    scratch.outsider().await.execute("DROP FUNCTION append_batch").await.unwrap();
    let plain = some("me", 1);
    let mut odd = append("me", ExpectedVersion::Any, vec![event("CoinMined", r#""\\ ' 🪙 {1,NULL}""#)]);
    odd.receipt = Some(command());
    let metadata = &mut odd.writes[0].events[0].metadata;
    metadata.causation_id = Some(command().into());
    metadata.correlation_id = None;
    metadata.extra.insert("user".to_owned(), "zoë".into());
    for wanted in [&plain, &odd] {
        let appended = one(&node, wanted.clone()).await.unwrap().unwrap();
        let log = everything(&node).await;
        let (found, sent) = (log.last().unwrap(), &wanted.writes[0].events[0]);
        assert_eq!(found.position, appended.position);
        assert_eq!((&found.id, &found.event_type), (&sent.id, &sent.event_type));
        assert_eq!((&found.data, &found.metadata), (&sent.data, &sent.metadata));
        assert_eq!(found.recorded_at, wanted.recorded_at);
        let receipt = wanted.receipt.unwrap_or_else(command);
        let receipt = node.receipts(&[receipt]).await.unwrap().remove(0);
        assert_eq!(receipt.is_some(), wanted.receipt.is_some());
        if let Some(receipt) = receipt {
            assert_eq!((receipt.position, receipt.versions), (appended.position, appended.versions));
        }
    }
    assert_dense(&everything(&node).await);
}

/// Behind a pooler any server may come next, with a log of its own.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_with_a_pooler_never_believes_to_be_alone() {
    let scratch = Scratch::new().await;
    let options = PostgresOptions::new().transaction_pooling();
    let node = PostgresStore::connect_with(&scratch.url(), options).await.unwrap();
    for _ in 0..20 {
        one(&node, some("me", 1)).await.unwrap().unwrap();
    }
    scratch.outsider().await.execute("DROP FUNCTION append_batch").await.unwrap();
    let refused = one(&node, some("me", 1)).await.unwrap_err();
    assert!(cqrs_core::describe(&refused).contains("append_batch"), "{refused:?}");
}

/// Whoever locks the head and then the events waits for a node that waits for him, and the server ends one of the two.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_writes_alone_gives_way_where_two_wait_for_each_other() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    let ends = "
        CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF current_query() NOT LIKE '%append_batch(%' THEN
                RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER ends BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION ends()";
    scratch.outsider().await.execute(ends).await.unwrap();
    for position in 21..23 {
        let appended = one(&node, some("me", 1)).await.unwrap().unwrap();
        assert_eq!(appended.position, Position::new(position));
    }
}

async fn until_somebody_waits<T>(outsider: &mut PgConnection, who: &JoinHandle<T>) {
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while outsider.fetch_one(waits).await.unwrap().get::<i64, _>(0) == 0 {
        assert!(!who.is_finished(), "it has not waited");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// It has begun, and goes on without him.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn an_append_whose_caller_goes_away_is_written() {
    let scratch = Scratch::new().await;
    let node = scratch.store().await;
    let (mut other, mut outsider) = (scratch.outsider().await, scratch.outsider().await);
    for (key, position) in [("me", 1), ("you", 2)] {
        // It looks for the stream first. Nothing to be written is on its way to the server then.
        other.execute("BEGIN; LOCK TABLE streams").await.unwrap();
        let appending = tokio::spawn({
            let node = node.clone();
            async move { one(&node, some(key, 1)).await }
        });
        until_somebody_waits(&mut outsider, &appending).await;
        appending.abort();
        assert!(appending.await.unwrap_err().is_cancelled());
        other.execute("COMMIT").await.unwrap();
        node.wait_beyond(Position::new(position - 1)).await.unwrap();
    }
    assert_eq!(one(&node, some("me", 1)).await.unwrap().unwrap().position, Position::new(3));
    assert_dense(&everything(&node).await);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn an_append_that_nobody_polls_does_not_keep_a_store_from_closing() {
    let scratch = Scratch::new().await;
    let options = PostgresOptions::new().answer_timeout(Duration::from_secs(2));
    let node = PostgresStore::connect_with(&scratch.url(), options).await.unwrap();
    let mut held = Box::pin(one(&node, some("me", 1)));
    assert!(futures::poll!(&mut held).is_pending());
    node.close().await;
    let late = one(&node, some("me", 1)).await.unwrap_err();
    assert!(matches!(late, StoreError::Closed), "{late}");
    drop(held);
}

/// A command that it has done already is seen by its receipt alone.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_writes_alone_repeats_no_command() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    let mut again = some("me", 1);
    again.receipt = Some(command());
    let first = one(&node, again.clone()).await.unwrap().unwrap();
    let answers = node.append(vec![some("me", 1), again.clone(), some("me", 1)]).await.unwrap();
    let second = answers[1].as_ref().unwrap();
    assert!(!first.duplicate && second.duplicate && second.position == first.position);
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(everything(&node).await.len(), 23);
}

/// What others have written before is not known to it, and no index sees what nothing is written to.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_writes_alone_looks_at_what_it_does_not_know() {
    let scratch = Scratch::new().await;
    one(&scratch.store().await, some("you", 1)).await.unwrap().unwrap();
    let node = alone(&scratch).await;
    let guard = append("you", ExpectedVersion::NoStream, Vec::new());
    let answers = node.append(vec![guard, some("me", 1)]).await.unwrap();
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
}

/// What is in the way of the plain statement need not be in the way of the function; nor is a position passed over when the log
/// does not reach as far as a node believes.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_cannot_write_alone_writes_as_always() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    let mut outsider = scratch.outsider().await;
    outsider.execute("CREATE RULE also AS ON INSERT TO receipts DO ALSO SELECT 1").await.unwrap();
    one(&node, some("me", 1)).await.unwrap().unwrap();
    outsider.execute("DROP RULE also ON receipts").await.unwrap();
    one(&node, some("you", 1)).await.unwrap().unwrap();
    for _ in 0..20 {
        one(&node, some("me", 1)).await.unwrap().unwrap();
    }
    let last = "
        ALTER TABLE events DISABLE TRIGGER ALL;
        DELETE FROM events WHERE position = 42";
    outsider.execute(last).await.unwrap();
    assert_eq!(one(&node, some("you", 1)).await.unwrap().unwrap().position, Position::new(42));
    assert_eq!(everything(&node).await.len(), 42);
}

/// Whoever has the head's lock comes first, whatever a node believes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_node_that_believes_to_be_alone_waits_for_whoever_writes_and_comes_behind_him() {
    let scratch = Scratch::new().await;
    let node = alone(&scratch).await;
    let (mut writer, mut outsider) = (scratch.outsider().await, scratch.outsider().await);
    let write = "
        BEGIN;
        SELECT FROM log_head FOR UPDATE;
        INSERT INTO streams (id, name) SELECT max(id) + 1, 'account-other' FROM streams;
        INSERT INTO events (position, stream, version, recorded_at, type, id, data)
        SELECT 21, max(streams.id), 1, 0, 1, gen_random_uuid(), '1' FROM streams";
    writer.execute(write).await.unwrap();
    let appending = tokio::spawn({
        let node = node.clone();
        async move { one(&node, some("me", 1)).await }
    });
    until_somebody_waits(&mut outsider, &appending).await;
    writer.execute("COMMIT").await.unwrap();
    assert_eq!(appending.await.unwrap().unwrap().unwrap().position, Position::new(22));
    assert_dense(&everything(&node).await);
}

/// Nodes that are alone for a while, and then are not, make one dense log, and each is told its own places in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn nodes_that_take_turns_or_write_at_once_make_one_dense_log() {
    let scratch = Scratch::new().await;
    let nodes = [scratch.store().await, scratch.store().await];
    for node in &nodes {
        for key in ["a", "b", "shared"] {
            one(node, some(key, 1)).await.unwrap().unwrap();
        }
    }
    let mut told = Vec::new();
    // A burst of one, then of the other, and then of both.
    for length in [1, 9, 12, 10, 8, 30] {
        let burst = async |node: &PostgresStore, key: &str| {
            let mut told = Vec::new();
            for _ in 0..length {
                for answer in node.append(vec![some(key, 2), some("shared", 1)]).await.unwrap() {
                    told.push(answer.unwrap().position);
                }
            }
            told
        };
        told.extend(burst(&nodes[0], "a").await);
        told.extend(burst(&nodes[1], "b").await);
        let (first, second) = tokio::join!(burst(&nodes[0], "a"), burst(&nodes[1], "b"));
        told.extend(first.into_iter().chain(second));
    }
    let log = everything(&nodes[0]).await;
    assert_dense(&log);
    let ends = told.iter().map(|position| log[position.as_u64() as usize - 1].stream.key());
    let of = |wanted: &str| ends.clone().filter(|key| *key == wanted).count();
    assert_eq!([of("a"), of("b"), of("shared")], [140, 140, 280], "each was told the last of its events");
    assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len());
}
