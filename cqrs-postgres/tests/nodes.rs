//! Nodes that decide by what they remember, while others write.

mod common;

use common::{Scratch, append, everything, one, some};
use cqrs_core::{AppendError, EventStore, ExpectedVersion, Version};
use sqlx::{Executor, Row};

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
