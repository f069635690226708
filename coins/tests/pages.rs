//! Pages of accounts, and the leaderboard of any moment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "common/long_log.rs"]
mod long_log;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use coins::{AccountEvent, AccountId, Amount, Coins, Leaderboard, RecordedAccountEvent};
use cqrs_core::{EventStore, Position, Timestamp};
use cqrs_sqlite::SqliteStore;
use tempfile::TempDir;

/// How long a leaderboard waits for the read model at least, before it tells of an earlier position.
const PATIENCE: Duration = Duration::from_secs(2);

const NAMES: [&str; 7] = ["me", "you", "Zoe", "é", "né 🦀", "a:b", "a"];

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

async fn open(directory: &TempDir) -> Coins {
    Coins::open(directory.path().join("coins.db")).await.unwrap()
}

/// Many equals among them.
async fn populate(coins: &Coins) {
    for (index, name) in NAMES.iter().enumerate() {
        coins.mine_next(&id(name), 1 + index as u64 % 2, |_| ControlFlow::Continue(())).await.unwrap();
    }
    for (from, to, count) in [("you", "me", 2), ("me", "né 🦀", 1), ("a", "a", 1), ("me", "new", 1)] {
        let count: Amount = u64::try_into(count).unwrap();
        coins.send_coins(&id(from), &id(to), count).await.unwrap();
    }
}

async fn log(coins: &Coins) -> Vec<RecordedAccountEvent> {
    coins.all_events(Position::ZERO, 1_000).await.unwrap().events
}

fn change(event: &RecordedAccountEvent) -> i64 {
    match &event.data {
        AccountEvent::CoinMined { .. } => 1,
        AccountEvent::CoinsSent { amount, .. } => -(amount.as_u64() as i64),
        AccountEvent::CoinsReceived { amount, .. } => amount.as_u64() as i64,
    }
}

#[tokio::test]
async fn pages_of_accounts_join_to_the_whole_order_however_long_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    assert_eq!(coins.accounts_page(None, 3).await.unwrap().next, None);
    populate(&coins).await;
    let whole = coins.accounts(1_000).await.unwrap();
    assert_eq!(whole.len(), NAMES.len() + 1);
    for limit in 1..=9 {
        let (mut joined, mut after) = (Vec::new(), None);
        loop {
            let page = coins.accounts_page(after.as_ref(), limit).await.unwrap();
            assert!(!page.accounts.is_empty() && page.accounts.len() as u64 <= limit);
            joined.extend(page.accounts);
            match page.next {
                // As it comes back from a client.
                Some(next) => after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        assert_eq!(joined, whole, "in pages of {limit}");
    }
    let nothing = coins.accounts_page(None, 0).await.unwrap();
    assert_eq!((nothing.accounts, nothing.next), (vec![], None));
    coins.close().await;
}

#[tokio::test]
async fn the_leaderboard_of_any_position_is_what_the_events_say() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    populate(&coins).await;
    let events = log(&coins).await;
    let head = coins.head().await.unwrap();
    let mut balances = BTreeMap::<AccountId, i64>::new();
    let mut at = None::<Timestamp>;
    for position in 0..=head.as_u64() {
        if let Some(event) = position.checked_sub(1).map(|index| &events[usize::try_from(index).unwrap()]) {
            *balances.entry(event.data.account_id().clone()).or_default() += change(event);
            at = Some(event.recorded_at);
        }
        let mut wanted: Vec<_> =
            balances.iter().map(|(account, balance)| (account.clone(), *balance as u64)).collect();
        wanted.sort_by_key(|(account, balance)| (std::cmp::Reverse(*balance), account.clone()));
        for limit in [1, 3, 100] {
            let found = coins.leaderboard(Some(Position::new(position)), limit).await.unwrap();
            let standings: Vec<_> =
                found.accounts.iter().map(|it| (it.account_id.clone(), it.balance)).collect();
            assert_eq!(standings, wanted[..wanted.len().min(limit as usize)], "at {position}");
            assert_eq!((found.position, found.head, found.at), (Position::new(position), head, at));
        }
    }
    // Beyond the end, and without a position, it is the one of now.
    let now = coins.leaderboard(None, 100).await.unwrap();
    assert_eq!(coins.leaderboard(Some(Position::new(u64::MAX)), 100).await.unwrap(), now);
    let accounts = coins.accounts(100).await.unwrap();
    assert!(accounts.iter().map(|it| &it.account_id).eq(now.accounts.iter().map(|it| &it.account_id)));
    coins.close().await;
}

#[tokio::test]
async fn so_is_that_of_a_log_with_more_accounts_than_are_kept_and_after_a_rebuild() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("coins.db")).await.unwrap();
    long_log::write(&store).await;
    store.close().await;
    let coins = open(&directory).await;
    long_log::check(&coins).await;
    coins.rebuild("account-statements").await.unwrap();
    long_log::check(&coins).await;
    coins.close().await;
}

#[tokio::test]
async fn before_the_first_event_there_is_nobody_on_the_leaderboard() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let (position, head) = (Position::ZERO, Position::ZERO);
    let empty = Leaderboard { position, head, at: None, accounts: Vec::new() };
    assert_eq!(coins.leaderboard(None, 10).await.unwrap(), empty);
    assert_eq!(coins.event_at(Position::ZERO).await.unwrap(), None);
    assert_eq!(coins.event_at(Position::new(1)).await.unwrap(), None);
    coins.close().await;
}

/// What is told of a position has all that happened up to it, also where the read model is not so far yet.
#[tokio::test]
async fn what_was_just_written_is_on_the_leaderboard() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let me = id("me");
    coins.mine_next(&me, 60, |_| ControlFlow::Continue(())).await.unwrap();
    for _ in 0..60 {
        let sent = coins.send_coins(&me, &me, Amount::MIN).without_waiting().await.unwrap().sent;
        loop {
            let asked = Instant::now();
            let board = coins.leaderboard(Some(sent.position), 1).await.unwrap();
            let waited = asked.elapsed();
            let events = log(&coins).await;
            let balance: i64 = events[..board.position.as_u64() as usize].iter().map(change).sum();
            assert_eq!(board.accounts.iter().map(|it| it.balance as i64).sum::<i64>(), balance);
            if board.position == sent.position {
                break;
            }
            assert!(waited >= PATIENCE, "{} after {waited:?}, asked for {}", board.position, sent.position);
        }
    }
    coins.close().await;
}
