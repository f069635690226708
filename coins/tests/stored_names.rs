//! What is in the files of users: these names and shapes never change.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use coins::{
    Account, AccountBalances, AccountEvent, AccountId, Amount, MineCoin, ReceiveCoins, SendCoins,
    SendCoinsProcess, TransferId,
};
use cqrs_core::{
    Aggregate, EventId, Interest, Json, Metadata, Position, ProcessManager, Projection, RecordedEvent,
    Timestamp, Version, decode,
};
use cqrs_testing::PersistedShapes;
use uuid::Uuid;

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
        .name("projection", AccountBalances::NAME)
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

#[test]
fn the_instances_of_the_process() {
    let instance = format!("{TRANSFER}/me");
    assert_eq!(SendCoinsProcess::interested(&sent()), Interest::start(&instance));
    assert_eq!(
        SendCoinsProcess::interested(&received()),
        Interest::stop(&instance),
        "named after the sender"
    );
    let mined = AccountEvent::CoinMined { account_id: id("me"), nonce: 190 };
    assert_eq!(SendCoinsProcess::interested(&mined), Interest::none());
}

#[test]
fn a_sent_coin_asks_for_one_command_and_a_received_one_for_none() {
    let event = |data: AccountEvent| RecordedEvent {
        position: Position::new(7),
        stream: coins::Account::stream(data.account_id()).unwrap(),
        version: Version::new(4),
        id: EventId::new(Uuid::nil()),
        event_type: "any".into(),
        data,
        metadata: Metadata::default(),
        recorded_at: Timestamp::from_micros(0),
    };
    let asked = SendCoinsProcess::default().handle(&event(sent()));
    assert_eq!(asked.len(), 1);
    let asked = format!("{asked:?}");
    let wanted = format!(
        r#"{{"account_id":"you","from":"me","amount":9223372036854775807,"transfer_id":"{TRANSFER}"}}"#
    );
    assert!(asked.contains("ReceiveCoins") && asked.contains(&wanted), "{asked}");
    assert!(SendCoinsProcess::default().handle(&event(received())).is_empty());
}
