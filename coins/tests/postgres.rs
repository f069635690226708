//! The application on PostgreSQL: it answers as it does on SQLite.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/long_log.rs"]
mod long_log;
#[path = "common/random.rs"]
mod random;
#[path = "../../cqrs-postgres/tests/common/scratch.rs"]
mod scratch;

use std::ops::ControlFlow;

use coins::{AccountId, Amount, Coins, OpenError, TransferId, TransferQuery};
use cqrs_core::{CommandId, Consistency, EventStore, Position, Version, describe};
use cqrs_postgres::PostgresStore;
use random::Random;
use scratch::Scratch;
use sqlx::Executor;
use uuid::Uuid;

const NAMES: [&str; 6] = ["me", "you", "Zoe", "né 🦀 '\"\\", "a", "a:b"];

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

/// Mines and sends at random; and what was answered.
async fn live(coins: &Coins, seed: u64) -> Vec<String> {
    let mut random = Random::of(seed);
    let mut told = Vec::new();
    let name = |random: &mut Random| id(NAMES[random.below(NAMES.len() as u64) as usize]);
    for round in 0..60_u128 {
        let (from, to) = (name(&mut random), name(&mut random));
        let command = CommandId::new(Uuid::from_u128(round / 2 + 1));
        told.push(match random.below(4) {
            0 => {
                let count = 1 + random.below(3);
                format!("{:?}", coins.mine_next(&from, count, |_| ControlFlow::Continue(())).await)
            }
            1 => {
                let mined = coins.mine_coin(&from, random.below(500)).command_id(command).await;
                mined.map_or_else(|error| describe(&error), |it| format!("{} {}", it.version, it.duplicate))
            }
            _ => {
                let amount = Amount::try_from(1 + random.below(3)).unwrap();
                let sent = coins.send_coins(&from, &to, amount).command_id(command).await;
                sent.map_or_else(
                    |error| describe(&error),
                    |it| format!("{} {} {}", it.transfer_id, it.arrived(), it.sent.duplicate),
                )
            }
        });
    }
    assert_eq!(coins.settle().await.unwrap(), Consistency::Reached);
    told
}

/// All that can be asked, without the times.
async fn answers(coins: &Coins) -> Vec<String> {
    let mut told = vec![
        format!("{:?}", coins.richest().await.unwrap()),
        format!("{:?}", coins.accounts(100).await.unwrap()),
        format!("{:?}", coins.account(&id("nobody")).await.unwrap()),
        format!("{:?}", coins.transfer(TransferId::new(Uuid::from_u128(5))).await.unwrap().len()),
    ];
    let mut after = None;
    loop {
        let page = coins.accounts_page(after.as_ref(), 2).await.unwrap();
        told.push(format!("{:?}", page.accounts));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for name in NAMES {
        told.push(format!("{:?}", coins.account(&id(name)).await.unwrap()));
        for before in [None, Some(Version::new(4))] {
            let lines = coins.statement(&id(name), before, 3).await.unwrap();
            let lines = lines.into_iter().map(|line| (line.version, line.entry, line.change, line.balance));
            told.push(format!("{:?}", lines.collect::<Vec<_>>()));
        }
    }
    for account in [None, Some(id("me")), Some(id("a:b")), Some(id("nobody"))] {
        for (under_way, before) in [(false, None), (true, None), (false, Some(Position::new(40)))] {
            let query = TransferQuery { account: account.clone(), under_way, before };
            let found = coins.transfers(&query, 5).await.unwrap();
            let found = found.into_iter().map(|it| {
                (it.position, it.transfer_id, it.from, it.to, it.amount, it.arrived_at.is_some())
            });
            told.push(format!("{:?}", found.collect::<Vec<_>>()));
        }
    }
    for at in 0..=coins.head().await.unwrap().as_u64() {
        let board = coins.leaderboard(Some(Position::new(at)), 3).await.unwrap();
        told.push(format!("{} {:?} {}", board.position, board.accounts, board.at.is_some()));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn both_databases_give_the_same_answers_to_everything() {
    let directory = tempfile::tempdir().unwrap();
    for seed in [1, 2, 3] {
        let scratch = Scratch::new().await;
        let sqlite = Coins::open(directory.path().join(seed.to_string())).await.unwrap();
        let postgres = Coins::open(scratch.url()).await.unwrap();
        assert_eq!(live(&postgres, seed).await, live(&sqlite, seed).await, "seed {seed}");
        let wanted = answers(&sqlite).await;
        assert_eq!(answers(&postgres).await, wanted, "seed {seed}");
        // The same follows from the log again.
        for projection in postgres.projections() {
            assert_eq!(postgres.rebuild(projection).await.unwrap(), postgres.head().await.unwrap());
        }
        assert_eq!(answers(&postgres).await, wanted, "seed {seed}, rebuilt");
        sqlite.close().await;
        postgres.close().await;
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn the_leaderboards_of_a_long_log_are_what_the_events_say() {
    let scratch = Scratch::new().await;
    let store = PostgresStore::connect(&scratch.url()).await.unwrap();
    long_log::write(&store).await;
    store.close().await;
    let coins = Coins::open(scratch.url()).await.unwrap();
    long_log::check(&coins).await;
    coins.close().await;
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn numbers_at_their_limits_are_exact() {
    let scratch = Scratch::new().await;
    let coins = Coins::open(scratch.url()).await.unwrap();
    let me = id("me");
    let last: Vec<u64> = coins::Search::from(&me, u64::MAX - 5_000).flatten().collect();
    let largest = *last.last().unwrap();
    coins.mine_coin(&me, largest).await.unwrap();
    assert_eq!(coins.account(&me).await.unwrap().unwrap().last_nonce, Some(largest));
    let statement = coins.statement(&me, None, 1).await.unwrap();
    assert!(format!("{:?}", statement[0].entry).contains(&largest.to_string()));
    coins.close().await;
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_database_that_must_exist_is_not_made() {
    let scratch = Scratch::new().await;
    let error = Coins::open_existing(scratch.url()).await.unwrap_err();
    assert!(matches!(&error, OpenError::Missing(_)), "{error:?}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'cqrs'";
    let mut outsider = scratch.outsider().await;
    let schemas: i64 = sqlx::query_scalar(schemas).fetch_one(&mut outsider).await.unwrap();
    assert_eq!(schemas, 0);
    Coins::open(scratch.url()).await.unwrap().close().await;
    Coins::open_existing(scratch.url()).await.unwrap().close().await;
}

/// What a query costs must not grow with the tables: on PostgreSQL, its plans are looked at with a million rows.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_page_of_accounts_is_read_by_index_among_many_equals() {
    let scratch = Scratch::new().await;
    let coins = Coins::open(scratch.url()).await.unwrap();
    let mut outsider = scratch.outsider().await;
    let many = "INSERT INTO cqrs.coins_accounts
                SELECT 'account ' || n, n % 2, n % 2, 0, 0, NULL FROM generate_series(1, 100000) AS n;
                ANALYZE cqrs.coins_accounts; SET search_path = cqrs";
    outsider.execute(many).await.unwrap();
    let sql = include_str!("../src/query/accounts_after.postgres.sql");
    let explain =
        sqlx::AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, COSTS OFF) {sql}"));
    let plan: Vec<String> = sqlx::query_scalar(explain)
        .bind(1_i64)
        .bind("account 5")
        .bind(20_i64)
        .persistent(false)
        .fetch_all(&mut outsider)
        .await
        .unwrap();
    // Whatever index it takes: it reads rows by the dozen, and throws none away by the thousand.
    let rows = |line: &str, after: &str| {
        let number = line.split(after).nth(1).map(|rest| rest.split(' ').next().unwrap().to_owned());
        number.map_or(0.0, |number| number.parse::<f64>().unwrap())
    };
    let scans: Vec<_> = plan.iter().filter(|line| line.contains(" Scan ")).collect();
    assert!(scans.len() == 2 && scans.iter().all(|line| line.contains("Index Scan using")), "{plan:#?}");
    for line in &plan {
        assert!(rows(line, "rows=") <= 20.0 && rows(line, "Removed by Filter: ") <= 200.0, "{plan:#?}");
    }
    coins.close().await;
}
