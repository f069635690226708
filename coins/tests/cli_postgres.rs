//! The command line on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[path = "../../cqrs-postgres/tests/common/scratch.rs"]
mod scratch;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Place, Said};
use scratch::Scratch;
use serde_json::{Value, json};

/// A database, and a directory that nothing is written to.
struct Server {
    place: Place,
    scratch: Scratch,
}

impl Server {
    async fn new() -> Self {
        Self { place: Place::new(), scratch: Scratch::new().await }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.env("COINS_DB", self.scratch.url());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[&["--json"], arguments].concat());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{arguments:?}");
        serde_json::from_str(&said.stdout).unwrap()
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn every_command_works() {
    let server = Server::new().await;
    let mined = server.json(&["mine", "me", "--count", "3"]);
    assert_eq!(mined, json!({ "account_id": "me", "mined": 3, "last_nonce": 486, "balance": 3 }));
    let refused = server.run(&["mine", "me", "--nonce", "443"]);
    assert_eq!(
        (refused.status, &*refused.stderr),
        (1, "error: used_nonce: nonce 443 was used: the last one of \"me\" is 486\n")
    );
    let sent = server.json(&["send", "me", "you", "2"]);
    assert_eq!((&sent["amount"], &sent["arrived"]), (&json!(2), &json!(true)));
    assert_eq!(server.json(&["richest"]), json!({ "account_id": "you", "balance": 2 }));
    let accounts = server.json(&["accounts"]);
    assert_eq!((&accounts[0]["account_id"], &accounts[1]["balance"]), (&json!("you"), &json!(1)));
    assert_eq!(server.json(&["account", "you"])["received"], json!(2));
    let statement = server.json(&["statement", "me"]);
    assert_eq!((&statement[0]["entry"], &statement[0]["balance"]), (&json!("sent"), &json!(1)));
    let transfers = server.json(&["transfers", "you"]);
    assert_eq!((&transfers[0]["transfer_id"], &transfers[0]["from"]), (&sent["transfer_id"], &json!("me")));
    let events = server.run(&["events"]);
    assert_eq!((events.status, events.stdout.lines().count()), (0, 5));
    let status = server.json(&["status"]);
    assert_eq!(status.as_array().unwrap().len(), 4);
    let rebuilt = server.run(&["rebuild"]);
    assert_eq!((rebuilt.status, rebuilt.stdout.lines().count()), (0, 3), "{rebuilt:?}");
    assert!(rebuilt.stdout.lines().all(|line| line.ends_with("up to position 5")), "{rebuilt:?}");
    assert_eq!(server.json(&["richest"]), json!({ "account_id": "you", "balance": 2 }));
    assert_eq!(std::fs::read_dir(server.place.directory()).unwrap().count(), 0, "no file is made");
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn the_demo_is_that_of_the_talk_and_wants_a_new_database() {
    let server = Server::new().await;
    let url = server.scratch.url();
    let said = server.run(&["demo", "--db", &url]);
    assert_eq!(said.status, 0, "{said:?}");
    // The transfer's id is random.
    let talk = |text: &str| {
        let lines = text.lines().map(|line| line.split(", transfer ").next().unwrap().to_owned());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(talk(&said.stdout), talk(&server.place.answer(&["demo"])));
    let again = server.run(&["demo", "--db", &url]);
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("wants a new database"), "{again:?}");
    assert_eq!(server.json(&["richest"])["account_id"], json!("me"));
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn who_follows_sees_what_another_process_does() {
    let server = Server::new().await;
    server.run(&["mine", "me"]);
    for (arguments, wanted) in [
        (["--json", "events", "--follow"], "CoinsReceived"),
        (["--json", "transfers", "--watch"], "arrived_at"),
    ] {
        let mut follower = server.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(!first.is_empty());
        assert_eq!(server.run(&["send", "me", "me", "1"]).status, 0);
        assert!(lines.any(|line| line.unwrap().contains(wanted)), "{arguments:?}");
        follower.kill().unwrap();
        follower.wait().unwrap();
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn who_reads_a_database_that_is_not_there_is_told_how_to_make_it() {
    let server = Server::new().await;
    let said = server.run(&["richest"]);
    assert_eq!(said.status, 3);
    assert!(said.stderr.contains("store: there is no database postgres://"), "{said:?}");
    assert!(said.stderr.contains("`coins mine` makes one"), "{said:?}");
}

/// Without a server, so that it is never left out.
#[test]
fn no_error_and_no_log_has_a_password() {
    let place = Place::new();
    for (url, told) in [
        ("postgres://me:s3cret@127.0.0.1:1/coins", "database coins on 127.0.0.1:1"),
        ("postgres://me:s3cret@127.0.0.1:port/coins", "the URL is not of the form"),
        ("postgres://me:s3cret@/coins?sslmode=s3cret-mode", "store"),
        ("postgresql://127.0.0.1:1/coins?password=s3cret", "database coins on 127.0.0.1:1"),
    ] {
        for arguments in [&["mine", "me"][..], &["richest"], &["--json", "status"], &["demo", "--db", url]]
        {
            let mut command = place.command(arguments);
            let said = Said::of(command.env("COINS_DB", url).env("RUST_LOG", "trace").output().unwrap());
            assert_eq!((said.status, said.stdout.as_str()), (3, ""), "{said:?}");
            assert!(said.stderr.contains(told), "{url}: {said:?}");
            assert!(!said.stderr.replace("s3cret-mode", "").contains("s3cret"), "{url}: {said:?}");
        }
    }
    let help =
        Said::of(place.command(&["--help"]).env("COINS_DB", "postgres://me:s3cret@h/c").output().unwrap());
    assert!(help.stdout.contains("COINS_DB") && !help.stdout.contains("s3cret"), "{help:?}");
}
