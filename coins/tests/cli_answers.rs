//! What commands answer, in words and in JSON.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::Place;
use serde_json::{Value, json};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn mining_answers_with_what_was_mined() {
    let place = Place::new();
    assert_eq!(
        place.json(&["mine", "me", "--nonce", "190"]),
        json!({ "account_id": "me", "mined": 1, "last_nonce": 190, "balance": 1 })
    );
    assert_eq!(
        place.json(&["mine", "me"]),
        json!({ "account_id": "me", "mined": 1, "last_nonce": 443, "balance": 2 })
    );
    assert_eq!(
        place.json(&["mine", "me", "--count", "2"]),
        json!({ "account_id": "me", "mined": 2, "last_nonce": 908, "balance": 4 })
    );
    assert_eq!(place.answer(&["mine", "you"]), "you mined 1 coin, last nonce 488, and has 1 coin now\n");
}

#[test]
fn sending_answers_when_the_coins_have_arrived() {
    let place = Place::new();
    place.answer(&["mine", "you", "--count", "3"]);
    let sent = place.json(&["send", "you", "me", "2"]);
    sent["transfer_id"].as_str().unwrap().parse::<coins::TransferId>().unwrap();
    let mut rest = sent.clone();
    rest.as_object_mut().unwrap().remove("transfer_id");
    assert_eq!(rest, json!({ "from": "you", "to": "me", "amount": 2, "arrived": true }));
    assert_eq!(place.answer(&["send", "you", "you", "1"]), "you sent 1 coin to you\n");
    assert_eq!(place.json(&["richest"]), json!({ "account_id": "me", "balance": 2 }));
}

#[test]
fn accounts_are_listed_the_richest_first() {
    let place = Place::new();
    place.answer(&["mine", "me", "--count", "2"]);
    place.answer(&["mine", "you", "--count", "3"]);
    place.answer(&["send", "you", "me", "3"]);
    let me = json!({ "account_id": "me", "balance": 5, "mined": 2, "sent": 0, "received": 3, "last_nonce": 443 });
    let you = json!({ "account_id": "you", "balance": 0, "mined": 3, "sent": 3, "received": 0, "last_nonce": 1597 });
    assert_eq!(place.json(&["accounts"]), json!([me, you]));
    assert_eq!(place.json(&["accounts", "--top", "1"]), json!([me]));
    assert_eq!(place.json(&["account", "you"]), you);
    assert_eq!(place.json(&["account", "nobody"]), Value::Null);
    assert_eq!(place.answer(&["richest"]), "me has 5 coins\n");
    assert_eq!(place.answer(&["account", "nobody"]), "nothing has happened to nobody yet\n");
    let table = place.answer(&["accounts"]);
    assert!(table.contains("me") && table.contains("1597"), "{table}");
}

#[test]
fn a_statement_has_a_line_for_each_event() {
    let place = Place::new();
    place.answer(&["mine", "me", "--count", "2"]);
    place.answer(&["send", "me", "you", "2"]);
    let statement = place.json(&["statement", "me"]);
    assert_eq!(statement[0]["entry"], "sent");
    assert_eq!((&statement[0]["change"], &statement[0]["balance"]), (&json!(-2), &json!(0)));
    assert_eq!(statement[2]["nonce"], 190);
    assert_eq!(place.json(&["statement", "me", "--top", "1"]).as_array().unwrap().len(), 1);
    let table = place.answer(&["statement", "me"]);
    assert!(table.contains("mined with nonce 443") && table.contains("sent to you"), "{table}");
    assert_eq!(place.answer(&["statement", "nobody"]), "nothing has happened to nobody yet\n");
}

#[test]
fn transfers_are_listed_the_newest_first() {
    let place = Place::new();
    place.answer(&["mine", "me", "--count", "2"]);
    assert_eq!(place.answer(&["transfers"]), "no transfers\n");
    place.answer(&["send", "me", "you", "1"]);
    place.answer(&["send", "me", "them", "1"]);
    let transfers = place.json(&["transfers"]);
    assert_eq!((&transfers[0]["to"], &transfers[1]["to"]), (&json!("them"), &json!("you")));
    assert!(transfers[0]["arrived_at"].is_string());
    assert_eq!(place.json(&["transfers", "you"]).as_array().unwrap().len(), 1);
    assert_eq!(place.json(&["transfers", "--under-way"]), json!([]));
    let table = place.answer(&["transfers", "--top", "1"]);
    assert!(table.contains("them") && !table.contains("you"), "{table}");
}

#[test]
fn nobody_is_null() {
    let place = Place::new();
    // A refused command makes the database, and nothing in it.
    place.error(1, &["mine", "me", "--nonce", "1"]);
    assert_eq!(place.json(&["richest"]), Value::Null);
    assert_eq!(place.json(&["accounts"]), json!([]));
    assert_eq!(place.answer(&["richest"]), "nobody has an account yet\n");
    assert_eq!(place.answer(&["accounts"]), "nobody has an account yet\n");
    assert_eq!(place.answer(&["events"]), "");
}

#[test]
fn an_event_is_a_line() {
    let place = Place::new();
    place.answer(&["mine", "you", "--count", "1"]);
    place.answer(&["send", "you", "me", "1"]);
    let all = lines(&place.answer(&["events", "--json"]));
    let head: Vec<_> = all
        .iter()
        .map(|event| json!([event["position"], event["stream"], event["version"], event["type"]]))
        .collect();
    assert_eq!(
        head,
        [
            json!([1, "account-you", 1, "CoinMined"]),
            json!([2, "account-you", 2, "CoinsSent"]),
            json!([3, "account-me", 1, "CoinsReceived"]),
        ]
    );
    for event in &all {
        let mut keys: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["data", "metadata", "position", "recorded_at", "stream", "type", "version"]);
        event["recorded_at"].as_str().unwrap().parse::<cqrs_core::Timestamp>().unwrap();
    }
    assert_eq!(all[0]["data"], json!({ "account_id": "you", "nonce": 488 }));
    let correlation = |event: &Value| event["metadata"]["correlation_id"].as_str().unwrap().to_owned();
    assert_eq!(correlation(&all[1]), correlation(&all[2]), "a transfer is one causal chain");
    assert_ne!(correlation(&all[0]), correlation(&all[1]));
    assert_eq!(lines(&place.answer(&["events", "--json", "you"])), all[..2]);
    assert_eq!(place.answer(&["events", "nobody"]), "");
    let words = place.answer(&["events", "me"]);
    assert!(words.contains("me@1") && words.contains("CoinsReceived  1 from you"), "{words}");
}

#[test]
fn a_long_history_is_told_whole() {
    let place = Place::new();
    // More than two pages, from two streams.
    for account in ["me", "you"] {
        place.answer(&["mine", account, "--count", "520"]);
    }
    let positions = |arguments: &[&str]| -> Vec<u64> {
        lines(&place.answer(arguments)).iter().map(|event| event["position"].as_u64().unwrap()).collect()
    };
    assert_eq!(positions(&["events", "--json"]), (1..=1_040).collect::<Vec<_>>());
    assert_eq!(positions(&["events", "--json", "you"]), (521..=1_040).collect::<Vec<_>>());
}

#[test]
fn help_version_and_completions_are_answers() {
    let place = Place::new();
    for arguments in
        [&["--help"][..], &["help"], &["mine", "--help"], &["events", "-h"], &["--json", "--help"]]
    {
        assert!(place.answer(arguments).contains("Usage: coins"), "{arguments:?}");
    }
    assert_eq!(place.answer(&["--version"]), format!("coins {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.answer(&["completions", shell]).contains("richest"), "{shell}");
    }
    let nothing = place.run(&[]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (2, ""));
    assert!(nothing.stderr.contains("Usage: coins"), "{}", nothing.stderr);
}

#[test]
fn the_environment_may_name_the_database_and_the_command_line_wins() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = place.command(arguments).env("COINS_DB", "other.db").output().unwrap();
        common::Said::of(output).status
    };
    assert_eq!(run(&["mine", "me"]), 0);
    assert!(place.directory().join("other.db").exists());
    assert_eq!(run(&["--db", "typed.db", "mine", "me"]), 0);
    assert!(place.directory().join("typed.db").exists() && !place.db().exists());
}

#[test]
fn logs_are_for_those_who_ask_for_them() {
    let place = Place::new();
    let output = place.command(&["mine", "me"]).env("RUST_LOG", "trace").output().unwrap();
    let said = common::Said::of(output);
    assert_eq!((said.status, said.stdout.lines().count()), (0, 1));
    assert!(!said.stderr.is_empty());
}
