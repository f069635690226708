//! A command with an id of its caller's own takes effect once, and is answered as the first time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use coins::{AccountEvent, AccountId, Amount, Coins, MineCoinError, SendCoinsError};
use cqrs_core::{CommandId, Consistency, DispatchError, Dispatched, Position, Version};
use tempfile::TempDir;
use uuid::Uuid;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn amount(coins: u64) -> Amount {
    coins.try_into().unwrap()
}

fn command(number: u128) -> CommandId {
    CommandId::new(Uuid::from_u128(number))
}

async fn open(directory: &TempDir) -> Coins {
    Coins::open(directory.path().join("coins.db")).await.unwrap()
}

async fn balances(coins: &Coins) -> Vec<(String, u64)> {
    let accounts = coins.accounts(10).await.unwrap();
    accounts.into_iter().map(|account| (account.account_id.to_string(), account.balance)).collect()
}

#[tokio::test]
async fn a_coin_is_mined_once_for_an_id_and_the_first_outcome_is_told_again() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let me = id("me");
    let first = coins.mine_coin(&me, 190).command_id(command(1)).await.unwrap();
    assert_eq!((first.version, first.duplicate), (Version::new(1), false));
    coins.mine_coin(&me, 443).await.unwrap();
    coins.close().await;

    // Also by another process, when the nonce is long used.
    let coins = open(&directory).await;
    let again = coins.mine_coin(&me, 190).command_id(command(1)).await.unwrap();
    assert_eq!(again, Dispatched { duplicate: true, ..first });
    assert_eq!(balances(&coins).await, [("me".to_owned(), 2)]);
    let other = coins.mine_coin(&me, 190).command_id(command(2)).await.unwrap_err();
    assert!(matches!(other.rejection(), Some(MineCoinError::UsedNonce { .. })));
    coins.close().await;
}

#[tokio::test]
async fn coins_are_sent_once_for_an_id_and_the_transfer_is_named_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let (me, you) = (id("me"), id("you"));
    coins.mine_coin(&me, 190).await.unwrap();
    let first = coins.send_coins(&me, &you, amount(1)).command_id(command(7)).await.unwrap();
    assert_eq!(first.transfer_id.as_uuid(), command(7).as_uuid());
    assert!(first.arrived() && !first.sent.duplicate);

    // The money is spent by now.
    let again = coins.send_coins(&me, &you, amount(1)).command_id(command(7)).await.unwrap();
    assert!(again.arrived(), "who is answered again may rely on the same");
    assert_eq!(again.transfer_id, first.transfer_id);
    assert_eq!(again.sent, Dispatched { duplicate: true, ..first.sent });
    assert_eq!(balances(&coins).await, [("you".to_owned(), 1), ("me".to_owned(), 0)]);
    coins.close().await;
}

#[tokio::test]
async fn an_id_that_named_another_command_is_refused_whatever_differs() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let (me, you) = (id("me"), id("you"));
    for nonce in [190, 443, 486] {
        coins.mine_coin(&me, nonce).command_id(command(nonce.into())).await.unwrap();
    }
    coins.send_coins(&me, &you, amount(1)).command_id(command(7)).await.unwrap();
    let head = coins.head().await.unwrap();
    let refused = |error: Option<&MineCoinError>, number: u128| {
        assert_eq!(error, Some(&MineCoinError::UsedCommandId { command_id: command(number) }));
    };
    for (account, nonce, number) in [("me", 443, 190), ("you", 488, 190), ("me", 908, 7)] {
        let error = coins.mine_coin(&id(account), nonce).command_id(command(number)).await.unwrap_err();
        refused(error.rejection(), number);
    }
    for (from, to, coin, number) in
        [("me", "you", 2, 7), ("me", "them", 1, 7), ("you", "me", 1, 7), ("me", "you", 1, 190)]
    {
        let sending = coins.send_coins(&id(from), &id(to), amount(coin)).command_id(command(number));
        let error = sending.await.unwrap_err();
        let wanted = SendCoinsError::UsedCommandId { command_id: command(number) };
        assert_eq!(error.rejection(), Some(&wanted));
        assert_eq!(wanted.code(), "used_command_id");
    }
    assert_eq!(coins.head().await.unwrap(), head, "nothing was changed");
    coins.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_race_with_one_id_get_one_coin_and_one_outcome() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(&directory).await, open(&directory).await);
    let racers = (0..16).map(|number| {
        let coins = if number % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move { coins.mine_coin(&id("me"), 190).command_id(command(1)).await })
    });
    let mut firsts = 0;
    for racer in racers.collect::<Vec<_>>() {
        let outcome = racer.await.unwrap().unwrap();
        firsts += usize::from(!outcome.duplicate);
        assert_eq!((outcome.version, outcome.position), (Version::new(1), Position::new(1)));
    }
    assert_eq!(firsts, 1);
    assert_eq!(one.head().await.unwrap(), Position::new(1));
    one.close().await;
    two.close().await;
}

#[tokio::test]
async fn who_does_not_wait_is_answered_with_the_commit_alone() {
    let directory = tempfile::tempdir().unwrap();
    let coins = open(&directory).await;
    let (me, you) = (id("me"), id("you"));
    coins.mine_coin(&me, 190).await.unwrap();
    let sent = coins.send_coins(&me, &you, amount(1)).without_waiting().await.unwrap();
    assert_eq!(sent.sent.consistency, Consistency::NotAwaited);
    assert!(!sent.arrived());
    let event = coins.event_at(sent.sent.position).await.unwrap().unwrap();
    assert!(
        matches!(event.data, AccountEvent::CoinsSent { transfer_id, .. } if transfer_id == sent.transfer_id)
    );
    assert_eq!(coins.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(balances(&coins).await, [("you".to_owned(), 1), ("me".to_owned(), 0)]);
    let error = coins.send_coins(&me, &you, amount(1)).without_waiting().await.unwrap_err();
    assert!(matches!(error, DispatchError::Rejected(SendCoinsError::NotEnoughCoins { .. })));
    coins.close().await;
}
