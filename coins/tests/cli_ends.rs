//! How long-running commands end: a reader that goes, Ctrl-C.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use common::{Place, Said};

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    place.answer(&["mine", "me", "--count", "600"]);
    for arguments in
        [&["events"][..], &["events", "--json"], &["accounts"], &["completions", "bash"], &["--help"]]
    {
        let mut child =
            place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Gone before the first byte is written.
        drop(child.stdout.take());
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn following_shows_what_comes_and_ends_with_ctrl_c() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        place.answer(&["mine", "me"]);
        let mut child = place
            .command(&["events", "me", "--follow", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut version = || {
            let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            line["version"].as_u64().unwrap()
        };
        assert_eq!(version(), 1);
        place.answer(&["mine", "you"]);
        place.answer(&["mine", "me"]);
        assert_eq!(version(), 2);
        signal(&child, name);
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""));
        assert!(lines.next().is_none());
        assert_eq!(place.json(&["account", "me"])["mined"], 2);
    }
}

#[test]
fn a_follower_whose_reader_has_gone_ends_with_the_next_event() {
    let place = Place::new();
    place.answer(&["mine", "me"]);
    let mut child = place
        .command(&["events", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    place.answer(&["mine", "me"]);
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
}

#[test]
fn mining_that_is_stopped_tells_exactly_what_was_mined() {
    let place = Place::new();
    place.answer(&["mine", "other"]);
    let mut child = place
        .command(&["--json", "mine", "me", "--count", "18446744073709551615"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is at work once its coins are in the log.
    let mut follower = place.command(&["events", "me", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = String::new();
    BufReader::new(follower.stdout.take().unwrap()).read_line(&mut seen).unwrap();
    assert!(seen.contains("CoinMined"), "{seen}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    signal(&child, "INT");
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!((said.status, said.stderr.as_str()), (130, ""));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let mined = answer["mined"].as_u64().unwrap();
    assert!(mined >= 1);
    let account = place.json(&["account", "me"]);
    assert_eq!((account["balance"].as_u64(), &account["last_nonce"]), (Some(mined), &answer["last_nonce"]));
    assert_eq!(place.json(&["mine", "me"])["balance"], mined + 1);
}
