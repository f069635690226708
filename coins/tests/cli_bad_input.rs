//! What is refused, with which code and which exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use common::Place;

#[test]
fn rules_refuse_with_one() {
    let place = Place::new();
    let (code, message) = place.error(1, &["mine", "me", "--nonce", "1"]);
    assert_eq!(code, "invalid_nonce");
    assert!(message.starts_with(r#"nonce 1 proves no work of "me""#), "{message}");
    place.answer(&["mine", "me", "--nonce", "443"]);
    for nonce in ["443", "190", "0"] {
        let (code, message) = place.error(1, &["mine", "me", "--nonce", nonce]);
        assert_eq!(code, "used_nonce");
        assert_eq!(message, format!(r#"nonce {nonce} was used: the last one of "me" is 443"#));
    }
    let (code, message) = place.error(1, &["send", "me", "you", "2"]);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("not_enough_coins", r#""me" has 1 coins, less than the 2 to send"#)
    );
    assert_eq!(place.error(1, &["send", "nobody", "me", "1"]).0, "not_enough_coins");
}

#[test]
fn bad_amounts_reach_the_rule_and_name_what_was_found() {
    let place = Place::new();
    place.answer(&["mine", "me"]);
    for (amount, message) in [
        ("0", "an amount is at least 1, found 0"),
        ("-5", "an amount is at least 1, found -5"),
        ("-9223372036854775809", "an amount is at least 1, found -9223372036854775809"),
        ("9223372036854775808", "an amount is at most 9223372036854775807, found 9223372036854775808"),
        ("1.5", "an amount is a whole number in digits, found \"1.5\""),
        ("-1.5", "an amount is a whole number in digits, found \"-1.5\""),
        ("ten", "an amount is a whole number in digits, found \"ten\""),
        ("", "an amount is a whole number in digits, found \"\""),
    ] {
        let (code, found) = place.error(1, &["send", "me", "you", amount]);
        assert_eq!((code.as_str(), found.as_str()), ("invalid_amount", message), "{amount}");
    }
    let huge = "9".repeat(100_000);
    assert_eq!(place.error(1, &["send", "me", "you", &huge]).0, "invalid_amount");
    assert_eq!(place.json(&["account", "me"])["balance"], 1);
}

#[test]
fn bad_accounts_are_refused_everywhere_and_make_no_database() {
    let place = Place::new();
    let long = "x".repeat(65);
    for account in ["", " ", " me", "me ", "a\nb", "\u{1b}[31m", long.as_str()] {
        for arguments in [
            &["mine", account][..],
            &["mine", account, "--nonce", "1"],
            &["send", account, "you", "1"],
            &["send", "you", account, "1"],
            &["account", account],
            &["events", account],
        ] {
            let (code, message) = place.error(1, arguments);
            assert_eq!(code, "invalid_account");
            assert!(!message.contains('\u{1b}'), "a terminal's control sequences are not repeated");
        }
    }
    assert!(place.directory().read_dir().unwrap().next().is_none());
}

#[test]
fn accounts_of_any_script_work_everywhere() {
    let place = Place::new();
    let longest = "🦀".repeat(64);
    for account in ["né 🦀", "账户", "a/b", "a-b", "'; DROP TABLE events; --", "%s", "..", longest.as_str()]
    {
        assert_eq!(place.json(&["mine", account])["account_id"], account);
        assert_eq!(place.json(&["send", account, "a/b-c", "1"])["arrived"], true);
        assert_eq!(place.json(&["account", account])["sent"], 1);
        assert!(place.answer(&["events", account]).contains(account));
    }
    assert_eq!(place.json(&["account", "a/b-c"])["balance"], 8);
    // One that looks like a flag goes behind `--`.
    assert_eq!(place.json(&["mine", "--", "-x"])["account_id"], "-x");
    assert_eq!(place.error(2, &["mine", "-x"]).0, "usage");
}

#[test]
fn what_is_not_understood_is_refused_with_two() {
    let place = Place::new();
    for arguments in [
        &["bla"][..],
        &["mine"],
        &["mine", "me", "you"],
        &["mine", "me", "--nonce"],
        &["mine", "me", "--nonce", "-1"],
        &["mine", "me", "--nonce", "18446744073709551616"],
        &["mine", "me", "--nonce", "1", "--count", "2"],
        &["mine", "me", "--count", "0"],
        &["send", "me", "you"],
        &["accounts", "--top", "0"],
        &["completions", "tcl"],
        &["richest", "--bla"],
    ] {
        assert_eq!(place.error(2, arguments).0, "usage", "{arguments:?}");
    }
    assert!(place.directory().read_dir().unwrap().next().is_none(), "and makes no database");
}

#[test]
fn a_nonce_out_of_range_is_told_the_range() {
    let place = Place::new();
    let (_, message) = place.error(2, &["mine", "me", "--nonce", "18446744073709551616"]);
    assert!(message.contains("from 0 to 18446744073709551615"), "{message}");
    assert_eq!(place.error(1, &["mine", "me", "--nonce", "18446744073709551615"]).0, "invalid_nonce");
}

#[test]
fn an_argument_that_is_no_unicode_is_not_understood() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let output = place.command(&["mine"]).arg(std::ffi::OsStr::from_bytes(b"\xff")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
