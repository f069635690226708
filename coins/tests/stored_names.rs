//! What is in the files of users: these names and shapes never change.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use coins::{
    Account, AccountBalances, AccountEvent, AccountId, AccountStatements, Amount, MineCoin, ReceiveCoins,
    SendCoins, SendCoinsProcess, TransferId, Transfers,
};
use cqrs_core::{Aggregate, Json, Projection, decode};
use cqrs_testing::PersistedShapes;

const TRANSFER: &str = "292e275d-0f1a-4129-a780-6bf7d1c27dc3";

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn transfer_id() -> TransferId {
    TRANSFER.parse().unwrap()
}

fn sent() -> AccountEvent {
    let (account_id, to, amount) = (id("me"), id("you"), Amount::MAX);
    AccountEvent::CoinsSent { account_id, to, amount, transfer_id: transfer_id() }
}

fn received() -> AccountEvent {
    let (account_id, from, amount) = (id("you"), id("me"), Amount::MIN);
    AccountEvent::CoinsReceived { account_id, from, amount, transfer_id: transfer_id() }
}

/// A form that was stored once is in the file for ever, and must be readable for ever.
#[test]
fn what_is_stored_keeps_its_shape() {
    let (me, you) = (id("me"), id("you"));
    let (amount, transfer_id) = (Amount::MIN, transfer_id());
    PersistedShapes::in_file("tests/shapes/coins.json")
        .event(&AccountEvent::CoinMined { account_id: me.clone(), nonce: u64::MAX })
        .event(&sent())
        .event(&received())
        .command(&MineCoin { account_id: me.clone(), nonce: 190 })
        .command(&SendCoins { account_id: me.clone(), to: you.clone(), amount, transfer_id })
        .command(&ReceiveCoins { account_id: me.clone(), from: you, amount, transfer_id })
        .process(&SendCoinsProcess::default())
        .name("projection", <AccountBalances>::NAME)
        .name("projection of transfers", <Transfers>::NAME)
        .name("projection of statements", <AccountStatements>::NAME)
        .name("stream of me", Account::stream(&me).unwrap().as_str())
        .check();
}

#[test]
fn an_event_with_a_bad_account_or_amount_cannot_be_read() {
    let read = |data: &str| decode::<AccountEvent>("CoinsSent", &Json::parse(data).unwrap());
    let good = format!(r#"{{"account_id":"me","to":"you","amount":3,"transfer_id":"{TRANSFER}"}}"#);
    assert!(read(&good).is_ok());
    for (from, to) in
        [("\"me\"", "\" me\""), ("\"you\"", "\"\""), (":3", ":0"), (":3", ":-3"), (":3", ":3.5")]
    {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert!(read(&bad).is_err(), "{bad}");
    }
}
