//! `coins demo` says what the slides of the talk say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::Place;
use serde_json::{Value, json};

/// Up to the transfer's id, which is random.
const TRANSCRIPT: &str = r#"> Coins.mine_coin("me", 1)
error: invalid_nonce
> Coins.mine_coin("me", 190)
ok
> Coins.mine_coin("me", 190)
error: used_nonce
> Coins.mine_coin("me", 443)
ok
> Coins.events("me")
1  CoinMined      nonce 190
2  CoinMined      nonce 443
> Coins.richest()
{account_id: "me", balance: 2}
> Coins.mine_coin("you", 488)
ok
> Coins.mine_coin("you", 1442)
ok
> Coins.mine_coin("you", 1597)
ok
> Coins.richest()
{account_id: "you", balance: 3}
> Coins.send_coins("you", "me", 99999)
error: not_enough_coins
> Coins.send_coins("you", "me", 3)
ok
> Coins.richest()
{account_id: "me", balance: 5}
> Coins.events("me")
1  CoinMined      nonce 190
2  CoinMined      nonce 443
3  CoinsReceived  3 from you, transfer ID
> Coins.events("you")
1  CoinMined      nonce 488
2  CoinMined      nonce 1442
3  CoinMined      nonce 1597
4  CoinsSent      3 to me, transfer ID
"#;

fn without_ids(transcript: &str) -> String {
    let lines = transcript.lines().map(|line| match line.split_once(", transfer ") {
        Some((start, id)) => {
            assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            format!("{start}, transfer ID\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn every_answer_and_both_streams_are_those_of_the_talk() {
    let place = Place::new();
    assert_eq!(without_ids(&place.answer(&["demo"])), TRANSCRIPT);
    assert!(place.directory().read_dir().unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn a_file_that_is_named_is_made_and_kept() {
    let place = Place::new();
    assert_eq!(without_ids(&place.answer(&["demo", "--db", "session.db"])), TRANSCRIPT);
    let richest = place.json(&["--db", "session.db", "richest"]);
    assert_eq!(richest, json!({ "account_id": "me", "balance": 5 }));
}

#[test]
fn a_file_that_exists_is_refused_and_left_alone() {
    let place = Place::new();
    place.answer(&["mine", "me"]);
    let (code, message) = place.error(2, &["demo", "--db", "coins.db"]);
    assert_eq!(code, "usage");
    assert!(message.starts_with("coins.db exists"), "{message}");
    assert_eq!(place.json(&["richest"])["balance"], 1);
}

#[test]
fn the_everyday_database_is_not_touched() {
    let place = Place::new();
    place.answer(&["mine", "me"]);
    let said = place.command(&["demo"]).env("COINS_DB", place.db()).output().unwrap();
    assert_eq!(without_ids(&String::from_utf8(said.stdout).unwrap()), TRANSCRIPT);
    assert_eq!(place.json(&["richest"]), json!({ "account_id": "me", "balance": 1 }));
}

#[test]
fn in_json_it_is_one_document() {
    let place = Place::new();
    let Value::Array(calls) = place.json(&["demo"]) else { panic!("no array") };
    let asked = TRANSCRIPT.lines().filter_map(|line| line.strip_prefix("> "));
    assert_eq!(
        calls.iter().map(|call| call["call"].as_str().unwrap()).collect::<Vec<_>>(),
        asked.collect::<Vec<_>>()
    );
    assert_eq!(calls[0]["answer"]["error"], "invalid_nonce");
    assert_eq!(calls[1]["answer"], "ok");
    assert_eq!(calls[2]["answer"]["error"], "used_nonce");
    assert_eq!(calls[5]["answer"], json!({ "account_id": "me", "balance": 2 }));
    assert_eq!(calls[12]["answer"], json!({ "account_id": "me", "balance": 5 }));
    let last = calls[14]["answer"].as_array().unwrap();
    let types: Vec<_> = last.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["CoinMined", "CoinMined", "CoinMined", "CoinsSent"]);
}
