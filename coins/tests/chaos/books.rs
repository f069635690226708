//! What is there when it is over.

use std::collections::{BTreeMap, HashSet};

use coins::{AccountEvent, Coins};
use cqrs_core::{Consistency, EventStore, Position, RecordedEvent};
use cqrs_postgres::PostgresStore;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgPool};

use crate::client::Told;
use crate::ledger::{Ledger, log, statements, transfers};
use crate::nodes::Nodes;

/// Waits until all is done that was begun, and counts every coin.
pub(crate) async fn check(url: &str, nodes: &Nodes, told: &Told) {
    let coins = Coins::open(url).await.unwrap();
    while coins.settle().await.unwrap() != Consistency::Reached {}
    coins.close().await;

    let store = PostgresStore::connect(url).await.unwrap();
    let head = store.head().await.unwrap();
    for origin in nodes.origins().borrow().iter() {
        all_at(origin, head).await;
    }
    let events = log(&store).await;
    let ledger = Ledger::of(&events);
    ledger.check(&told.done.values().cloned().collect());
    assert!(ledger.under_way.is_empty(), "left under way: {:?}", ledger.under_way);
    check_answers(&events, told);
    let pool = PgPool::connect(url).await.unwrap();
    check_tables(&pool, &events, &ledger).await;
    check_outbox(&pool).await;
    pool.close().await;
    store.close().await;
}

/// Waits until all subscribers of a node are at the head of the log.
async fn all_at(origin: &str, head: Position) {
    let url = format!("{origin}/api/status");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        // Each answer is one that the node has asked the database for.
        let status: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
        let Some(subscribers) = status["subscribers"].as_array() else { continue };
        assert_eq!(subscribers.len(), 4, "{status}");
        for subscriber in subscribers {
            assert!(subscriber["state"] != "stopped", "{subscriber}");
        }
        if subscribers.iter().all(|subscriber| subscriber["position"] == head.as_u64()) {
            return;
        }
    }
}

/// Whether what was told is where it was said to be, and nothing else was done.
fn check_answers(events: &[RecordedEvent<AccountEvent>], told: &Told) {
    let mut asked_for = HashSet::new();
    for event in events {
        let what = match &event.data {
            AccountEvent::CoinMined { account_id, nonce } => format!("mined {account_id}/{nonce}"),
            AccountEvent::CoinsSent { transfer_id, .. } => format!("sent {transfer_id}"),
            AccountEvent::CoinsReceived { .. } => continue,
        };
        let position = event.position.as_u64();
        assert_eq!(told.done.get(&position), Some(&what), "what was told of position {position}");
        asked_for.insert(position);
    }
    assert_eq!(asked_for.len(), told.done.len(), "what was told is in the log");
}

/// Whether each read model is the fold of the log, up to its end.
async fn check_tables(pool: &PgPool, events: &[RecordedEvent<AccountEvent>], ledger: &Ledger) {
    let found = table(pool, "SELECT account_id, balance FROM cqrs.coins_accounts").await;
    assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), ledger.balances);
    let sql = "SELECT account_id, version, balance FROM cqrs.coins_statements ORDER BY position";
    assert_eq!(table::<(String, i64, i64)>(pool, sql).await, statements(events));
    let sql = "SELECT transfer_id::text, sender, amount, arrived_at IS NOT NULL FROM cqrs.coins_transfers ORDER BY position";
    assert_eq!(table::<(String, String, i64, bool)>(pool, sql).await, transfers(events));
    let sql = "SELECT name, position FROM cqrs.projections UNION ALL SELECT process, position FROM cqrs.process_checkpoints";
    let checkpoints = table::<(String, i64)>(pool, sql).await;
    let at = |(_, position): &(String, i64)| *position as usize;
    assert!(checkpoints.iter().map(at).eq([events.len(); 4]), "{checkpoints:?} of {}", events.len());
}

/// Whether every transfer has come to its end, and none is stuck.
async fn check_outbox(pool: &PgPool) {
    let open = "SELECT id::text, last_error FROM cqrs.outbox WHERE state <> 1";
    let open = table::<(String, Option<String>)>(pool, open).await;
    assert!(open.is_empty(), "commands that are not done: {open:?}");
    let open = "SELECT instance, stuck_error FROM cqrs.process_instances WHERE stuck_at IS NOT NULL OR NOT finished";
    let open = table::<(String, Option<String>)>(pool, open).await;
    assert!(open.is_empty(), "transfers that have not ended: {open:?}");
}

async fn table<T>(pool: &PgPool, sql: &'static str) -> Vec<T>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}
