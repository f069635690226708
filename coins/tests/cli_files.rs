//! Files that are no database of ours, or cannot be used.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{Place, Said};

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn commands_that_only_read_make_no_database() {
    let place = Place::new();
    for arguments in
        [&["richest"][..], &["accounts"], &["account", "me"], &["events"], &["events", "--follow"]]
    {
        let (code, message) = place.error(3, arguments);
        assert_eq!(code, "store");
        assert!(message.starts_with("there is no database coins.db"), "{message}");
    }
    assert!(!place.db().exists());
}

#[test]
fn a_foreign_file_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let file = place.directory().join("notes.txt");
    let text = "SQLite format 2 was long ago, and this is a text".repeat(50);
    fs::write(&file, &text).unwrap();
    for arguments in [&["--db", "notes.txt", "mine", "me"][..], &["--db", "notes.txt", "richest"]] {
        let (code, message) = place.error(3, arguments);
        assert_eq!(code, "store");
        assert!(message.contains("notes.txt"), "{message}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(place.directory().read_dir().unwrap().count(), 1, "nothing appears beside it");
}

#[test]
fn a_directory_is_no_database() {
    let place = Place::new();
    fs::create_dir(place.directory().join("sub")).unwrap();
    for arguments in
        [&["--db", "sub", "mine", "me"][..], &["--db", "sub", "richest"], &["--db", ".", "events"]]
    {
        assert_eq!(place.error(3, arguments).0, "store");
    }
    let (_, message) = place.error(3, &["--db", "gone/coins.db", "mine", "me"]);
    assert!(message.contains("gone"), "{message}");
    assert!(!place.directory().join("gone").exists());
}

#[test]
fn a_file_that_may_only_be_read_fails_with_a_reason() {
    let place = Place::new();
    place.answer(&["mine", "me"]);
    fs::set_permissions(place.db(), Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(place.directory(), Permissions::from_mode(0o555)).unwrap();
    for arguments in [&["mine", "me"][..], &["send", "me", "you", "1"]] {
        let mut command = place.command(arguments);
        // Permissions do not bind the superuser.
        if fs::metadata(place.directory()).unwrap().uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        let said = Said::of(command.output().unwrap());
        assert_eq!((said.status, said.stdout.as_str()), (3, ""), "{}", said.stderr);
        assert!(
            said.stderr.starts_with("error: store: ") && said.stderr.contains("coins.db"),
            "{}",
            said.stderr
        );
    }
    fs::set_permissions(place.directory(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(place.db(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(place.json(&["richest"])["balance"], 1);
}

#[test]
fn a_disk_that_is_full_for_the_answer_is_a_failure() {
    let place = Place::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.command(&["mine", "me"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: output: cannot write the answer: "), "{told}");
    assert_eq!(place.json(&["richest"])["balance"], 1, "what was done is done");
}

/// The shell's limit on the size of files stands for a disk without room.
#[test]
fn a_file_that_cannot_grow_is_a_failure_that_names_it_and_loses_nothing() {
    let place = Place::new();
    assert_eq!(place.json(&["mine", "me", "--count", "10"])["balance"], 10);
    // In units of 1,024 bytes. The signal is ignored, so that the write fails instead of ending the process.
    let script = r#"ulimit -f 160; trap '' XFSZ; exec "$@""#;
    let coins = env!("CARGO_BIN_EXE_coins");
    let arguments = ["-c", script, "bash", coins, "mine", "me", "--count", "5000"];
    let output = Command::new("bash").args(arguments).current_dir(place.directory()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.starts_with("error: store: mining ended after "), "{told}");
    assert!(told.contains("coins.db"), "it names the file: {told}");
    let before: u64 = told.split_whitespace().nth(5).unwrap().parse().unwrap();
    let balance = place.json(&["richest"])["balance"].as_u64().unwrap();
    assert!(balance >= 10 + before, "{balance} after {told}");
    assert_eq!(place.json(&["mine", "me"])["balance"], balance + 1);
}
