//! The application as a library, on a file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::PathBuf;

use coins::{
    AccountEvent, AccountId, Amount, Coins, DatabaseAddress, MinedCoins, MiningError, OpenError, Search,
    StatementEntry, StatementLine, TransferQuery,
};
use cqrs_core::{Consistency, Position, Version};
use futures::StreamExt;
use tempfile::TempDir;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn amount(coins: u64) -> Amount {
    coins.try_into().unwrap()
}

fn on(_: &MinedCoins) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("coins.db")
    }

    async fn open(&self) -> Coins {
        Coins::open(self.path()).await.unwrap()
    }
}

async fn nonces(coins: &Coins, account: &AccountId) -> Vec<u64> {
    let events = coins.events(account, Version::ZERO, 100_000).await.unwrap();
    let nonces = events.iter().map(|event| match event.data {
        AccountEvent::CoinMined { nonce, .. } => nonce,
        ref other => panic!("{other:?}"),
    });
    nonces.collect()
}

async fn balance(coins: &Coins, account: &str) -> Option<u64> {
    coins.account(&id(account)).await.unwrap().map(|account| account.balance)
}

#[tokio::test]
async fn nobody_is_richest_before_anybody_mines() {
    let place = Place::new();
    let coins = place.open().await;
    assert_eq!(coins.richest().await.unwrap(), None);
    assert_eq!(coins.accounts(10).await.unwrap(), []);
    assert_eq!(coins.account(&id("me")).await.unwrap(), None);
    coins.close().await;
}

#[tokio::test]
async fn among_equals_the_smallest_account_is_richest() {
    let place = Place::new();
    let coins = place.open().await;
    for account in ["you", "me", "Zoe", "é"] {
        coins.mine_next(&id(account), 2, on).await.unwrap();
    }
    let top = |limit| {
        let coins = coins.clone();
        async move {
            let top = coins.accounts(limit).await.unwrap();
            top.into_iter().map(|account| account.account_id.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(top(10).await, ["Zoe", "me", "you", "é"], "by the bytes of UTF-8, as `Ord` has it");
    assert_eq!(top(2).await, ["Zoe", "me"]);
    coins.mine_next(&id("you"), 1, on).await.unwrap();
    assert_eq!(coins.richest().await.unwrap().unwrap().account_id, id("you"));
    coins.close().await;
}

#[tokio::test]
async fn mining_finds_the_first_nonces_and_goes_on_behind_them() {
    let place = Place::new();
    let coins = place.open().await;
    let me = id("me");
    let mut seen = Vec::new();
    let first = coins
        .mine_next(&me, 3, |mined| {
            seen.push((mined.coins, mined.last_nonce));
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert_eq!(first, MinedCoins { coins: 3, last_nonce: Some(486) });
    assert_eq!(seen, [(1, Some(190)), (2, Some(443)), (3, Some(486))]);
    coins.close().await;

    let coins = place.open().await;
    assert_eq!(coins.mine_next(&me, 1, on).await.unwrap().last_nonce, Some(908));
    assert_eq!(balance(&coins, "me").await, Some(4));
    let wanted: Vec<u64> = Search::after(&me, None).flatten().take(400).collect();
    coins.mine_next(&me, 396, on).await.unwrap();
    assert_eq!(nonces(&coins, &me).await, wanted, "no nonce is passed over, none is used twice");
    coins.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_miners_of_one_account_share_its_nonces() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    let me = id("me");
    let (first, second) = tokio::join!(one.mine_next(&me, 300, on), two.mine_next(&me, 300, on));
    assert_eq!((first.unwrap().coins, second.unwrap().coins), (300, 300));
    let nonces = nonces(&one, &me).await;
    assert_eq!(nonces.len(), 600);
    assert!(nonces.is_sorted_by(|earlier, later| earlier < later));
    assert_eq!(one.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(balance(&one, "me").await, Some(600));
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn mining_ends_with_the_largest_nonce() {
    let place = Place::new();
    let coins = place.open().await;
    let me = id("me");
    let last: Vec<u64> = Search::from(&me, u64::MAX - 5_000).flatten().collect();
    let [.., before, largest] = last[..] else { panic!("too few nonces: {last:?}") };
    coins.mine_coin(&me, before).await.unwrap();
    let error = coins.mine_next(&me, 3, on).await.unwrap_err();
    assert!(matches!(
        &error,
        MiningError::EndOfNonces { wanted: 3, mined: MinedCoins { coins: 1, last_nonce }, .. } if *last_nonce == Some(largest)
    ));
    assert_eq!(error.to_string(), r#""me" has no nonce left below 2^64: mined 1 of 3 coins"#);
    assert_eq!(coins.account(&me).await.unwrap().unwrap().last_nonce, Some(largest));
    coins.close().await;
}

#[tokio::test]
async fn mining_that_is_told_to_stop_finishes_what_is_under_way() {
    let place = Place::new();
    let coins = place.open().await;
    let me = id("me");
    let mined = coins.mine_next(&me, u64::MAX, |_| ControlFlow::Break(())).await.unwrap();
    assert!(mined.coins >= 1 && mined.coins < 10_000, "{mined:?}");
    assert_eq!(nonces(&coins, &me).await.len() as u64, mined.coins, "all that happened is told");
    coins.close().await;
}

#[tokio::test]
async fn sent_coins_have_arrived_when_the_call_returns() {
    let place = Place::new();
    let coins = place.open().await;
    coins.mine_next(&id("you"), 3, on).await.unwrap();
    for (from, to, count) in [("you", "né 🦀/-", 2), ("you", "you", 1), ("né 🦀/-", "me", 1)] {
        assert!(coins.send_coins(&id(from), &id(to), amount(count)).await.unwrap().arrived());
    }
    let balances =
        [balance(&coins, "you").await, balance(&coins, "né 🦀/-").await, balance(&coins, "me").await];
    assert_eq!(balances, [Some(1), Some(1), Some(1)]);
    let error = coins.send_coins(&id("me"), &id("you"), amount(2)).await.unwrap_err();
    assert_eq!(error.rejection().unwrap().code(), "not_enough_coins");
    coins.close().await;
}

#[tokio::test]
async fn a_follower_sees_what_was_and_what_comes_from_another_opener() {
    let place = Place::new();
    let (reader, writer) = (place.open().await, place.open().await);
    writer.mine_coin(&id("me"), 190).await.unwrap();
    let mut all = Box::pin(reader.follow(None, Position::ZERO));
    let mut mine = Box::pin(reader.follow(Some(&id("me")), Position::ZERO));
    assert_eq!(all.next().await.unwrap().unwrap().position, Position::new(1));
    assert_eq!(mine.next().await.unwrap().unwrap().position, Position::new(1));
    // The follower looks first, finds nothing new, and waits.
    let you = id("you");
    let (next, mined) = tokio::join!(all.next(), writer.mine_coin(&you, 488));
    mined.unwrap();
    assert_eq!(next.unwrap().unwrap().position, Position::new(2));
    writer.mine_coin(&id("me"), 443).await.unwrap();
    assert_eq!(all.next().await.unwrap().unwrap().position, Position::new(3));
    assert_eq!(mine.next().await.unwrap().unwrap().position, Position::new(3));
    drop((all, mine));
    reader.close().await;
    writer.close().await;
}

#[tokio::test]
async fn pages_of_history_join_without_gap_or_overlap() {
    let place = Place::new();
    let coins = place.open().await;
    coins.mine_next(&id("me"), 7, on).await.unwrap();
    coins.mine_next(&id("you"), 3, on).await.unwrap();
    let mut positions = Vec::new();
    let mut after = Position::ZERO;
    loop {
        let page = coins.all_events(after, 4).await.unwrap();
        positions.extend(page.events.iter().map(|event| event.position.as_u64()));
        if page.scanned_to == after {
            break;
        }
        after = page.scanned_to;
    }
    assert_eq!(positions, (1..=10).collect::<Vec<_>>());
    let page = coins.events(&id("me"), Version::new(5), 4).await.unwrap();
    assert_eq!(page.iter().map(|event| event.version.as_u64()).collect::<Vec<_>>(), [6, 7]);
    coins.close().await;
}

#[tokio::test]
async fn a_database_that_must_exist_is_not_made() {
    let place = Place::new();
    let error = Coins::open_existing(place.path()).await.unwrap_err();
    assert!(
        matches!(error, OpenError::Missing(database) if database == DatabaseAddress::File(place.path()))
    );
    assert!(!place.path().exists());
}

#[tokio::test]
async fn a_statement_has_the_balance_at_every_step() {
    let place = Place::new();
    let coins = place.open().await;
    let (me, you) = (id("me"), id("you"));
    for nonce in [190, 443] {
        coins.mine_coin(&me, nonce).await.unwrap();
    }
    let transfer_id = coins.send_coins(&me, &you, amount(2)).await.unwrap().transfer_id;
    let told = |lines: Vec<StatementLine>| {
        lines
            .into_iter()
            .map(|line| (line.version.as_u64(), line.entry, line.change, line.balance))
            .collect::<Vec<_>>()
    };
    let lines = told(coins.statement(&me, None, 10).await.unwrap());
    let (sent, mined) =
        (StatementEntry::Sent { to: you.clone(), transfer_id }, |nonce| StatementEntry::Mined { nonce });
    assert_eq!(lines, [(3, sent, -2, 0), (2, mined(443), 1, 2), (1, mined(190), 1, 1)]);
    let older = told(coins.statement(&me, Some(Version::new(3)), 1).await.unwrap());
    assert_eq!(older, [(2, mined(443), 1, 2)]);
    let received = StatementEntry::Received { from: me, transfer_id };
    assert_eq!(told(coins.statement(&you, None, 10).await.unwrap()), [(1, received, 2, 2)]);
    assert_eq!(coins.statement(&id("nobody"), None, 10).await.unwrap(), []);
    coins.close().await;
}

#[tokio::test]
async fn transfers_are_found_by_account_page_and_state() {
    let place = Place::new();
    let coins = place.open().await;
    let (me, you, them) = (id("me"), id("you"), id("them"));
    for nonce in [190, 443, 486] {
        coins.mine_coin(&me, nonce).await.unwrap();
    }
    let mut ids = Vec::new();
    for (from, to) in [(&me, &you), (&me, &them), (&you, &me), (&me, &me)] {
        ids.push(coins.send_coins(from, to, amount(1)).await.unwrap().transfer_id);
    }
    let found = async |query: &TransferQuery, limit| {
        let found = coins.transfers(query, limit).await.unwrap();
        found
            .iter()
            .map(|transfer| ids.iter().position(|id| *id == transfer.transfer_id).unwrap())
            .collect::<Vec<_>>()
    };
    let all = TransferQuery::default();
    assert_eq!(found(&all, 10).await, [3, 2, 1, 0]);
    assert_eq!(found(&TransferQuery { account: Some(you), ..all.clone() }, 10).await, [2, 0]);
    assert_eq!(found(&TransferQuery { account: Some(me), ..all.clone() }, 10).await, [3, 2, 1, 0]);
    assert!(found(&TransferQuery { under_way: true, ..all.clone() }, 10).await.is_empty());
    let first = coins.transfers(&all, 2).await.unwrap();
    let before = first.last().map(|last| last.position);
    assert_eq!(found(&TransferQuery { before, ..all }, 10).await, [1, 0]);
    let one = coins.transfer(ids[1]).await.unwrap();
    assert_eq!((one.len(), &one[0].to, one[0].amount), (1, &them, amount(1)));
    assert!(one[0].duration().is_some());
    coins.close().await;
}

#[tokio::test]
async fn who_watches_transfers_sees_what_another_opener_sends() {
    let place = Place::new();
    let (coins, other) = (place.open().await, place.open().await);
    let mut lists = Box::pin(coins.watch_transfers(TransferQuery::default(), 10));
    assert_eq!(lists.next().await.unwrap().unwrap(), []);
    other.mine_coin(&id("me"), 190).await.unwrap();
    other.send_coins(&id("me"), &id("you"), amount(1)).await.unwrap();
    loop {
        let list = lists.next().await.unwrap().unwrap();
        if list[0].arrived_at.is_some() {
            break;
        }
    }
    other.close().await;
    coins.close().await;
    assert!(lists.next().await.is_none());
}

#[tokio::test]
async fn a_rebuild_mends_what_was_changed_by_hand() {
    let place = Place::new();
    let coins = place.open().await;
    for nonce in [190, 443] {
        coins.mine_coin(&id("me"), nonce).await.unwrap();
    }
    coins.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
    let mut by_hand = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let change = "UPDATE coins_accounts SET mined = 9, balance = 9; DELETE FROM coins_statements;";
    sqlx::raw_sql(change).execute(&mut by_hand).await.unwrap();
    sqlx::Connection::close(by_hand).await.unwrap();

    let coins = place.open().await;
    assert_eq!(balance(&coins, "me").await, Some(9));
    for projection in coins.projections() {
        assert_eq!(coins.rebuild(projection).await.unwrap(), Position::new(2));
    }
    assert_eq!(balance(&coins, "me").await, Some(2));
    assert_eq!(coins.statement(&id("me"), None, 10).await.unwrap().len(), 2);
    coins.mine_coin(&id("me"), 486).await.unwrap();
    assert_eq!(balance(&coins, "me").await, Some(3));
    coins.close().await;
}
