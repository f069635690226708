//! What is in the files of users: these names and shapes never change.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use coins::{
    AccountBalances, AccountEvent, AccountId, Amount, MineCoin, ReceiveCoins, SendCoins, SendCoinsProcess,
    TransferId,
};
use cqrs_core::{
    Aggregate, BoxCommand, Command, Event, EventId, Interest, Json, Metadata, Position, ProcessManager,
    Projection, RecordedEvent, Timestamp, Version, decode, encode,
};
use serde_json::json;
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

#[test]
fn names() {
    assert_eq!(AccountEvent::CATEGORY, "account");
    assert_eq!(
        (MineCoin::NAME, SendCoins::NAME, ReceiveCoins::NAME),
        ("MineCoin", "SendCoins", "ReceiveCoins")
    );
    assert_eq!(SendCoinsProcess::NAME, "send-coins");
    assert_eq!(AccountBalances::NAME, "account-balances");
    assert_eq!(coins::Account::stream(&id("me")).unwrap().as_str(), "account-me");
}

#[test]
fn events() {
    let cases = [
        (
            AccountEvent::CoinMined { account_id: id("me"), nonce: u64::MAX },
            "CoinMined",
            r#"{"account_id":"me","nonce":18446744073709551615}"#.to_owned(),
        ),
        (
            sent(),
            "CoinsSent",
            format!(
                r#"{{"account_id":"me","to":"you","amount":9223372036854775807,"transfer_id":"{TRANSFER}"}}"#
            ),
        ),
        (
            received(),
            "CoinsReceived",
            format!(r#"{{"account_id":"you","from":"me","amount":1,"transfer_id":"{TRANSFER}"}}"#),
        ),
    ];
    for (event, name, data) in cases {
        let (found_name, found) = encode(&event).unwrap();
        assert_eq!((found_name, found.as_str()), (name, data.as_str()));
        assert_eq!(decode::<AccountEvent>(name, &Json::parse(data).unwrap()).unwrap(), event);
    }
}

#[test]
fn commands() {
    fn check<C: Command + PartialEq + std::fmt::Debug>(command: C, name: &str, data: serde_json::Value) {
        let boxed = BoxCommand::of(&command).unwrap();
        assert_eq!((boxed.name.as_str(), boxed.data.decode::<serde_json::Value>().unwrap()), (name, data));
        assert_eq!(boxed.data.decode::<C>().unwrap(), command);
    }
    let (account_id, amount, transfer_id) = (id("me"), Amount::MIN, transfer_id());
    check(
        MineCoin { account_id: account_id.clone(), nonce: 190 },
        "MineCoin",
        json!({ "account_id": "me", "nonce": 190 }),
    );
    check(
        SendCoins { account_id: account_id.clone(), to: id("you"), amount, transfer_id },
        "SendCoins",
        json!({ "account_id": "me", "to": "you", "amount": 1, "transfer_id": TRANSFER }),
    );
    check(
        ReceiveCoins { account_id, from: id("you"), amount, transfer_id },
        "ReceiveCoins",
        json!({ "account_id": "me", "from": "you", "amount": 1, "transfer_id": TRANSFER }),
    );
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
fn the_process_and_its_instances() {
    assert_eq!(Json::of(&SendCoinsProcess::default()).unwrap().as_str(), "{}");
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
