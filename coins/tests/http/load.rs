//! `coins load` on a running service.

use std::process::Stdio;

use serde_json::Value;

use crate::common::{Place, Said};
use crate::program::Program;

#[test]
fn it_makes_as_many_requests_as_were_wanted_and_finds_all_coins_again() {
    let place = Place::new();
    let service = Program::start(&place);
    let arguments = [
        "load",
        "--url",
        &service.origin,
        "--clients",
        "4",
        "--seconds",
        "600",
        "--requests",
        "203",
        "--mix",
        "2:2:1",
    ];
    let report = place.json(&arguments);
    assert_eq!(
        (&report["requests"], &report["clients"], &report["mix"]),
        (&203.into(), &4.into(), &"2:2:1".into())
    );
    let kinds = report["kinds"].as_array().unwrap();
    let of = |name: &str| kinds.iter().find(|kind| kind["kind"] == name).unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    for kind in kinds {
        let refused: u64 = kind["refused"].as_object().unwrap().values().map(number).sum();
        assert_eq!(number(&kind["requests"]), number(&kind["done"]) + refused, "{kind}");
        assert_eq!(kind["failed"], serde_json::json!({}), "{kind}");
        let [p50, p99, max] = ["p50_ms", "p99_ms", "max_ms"].map(|name| kind[name].as_f64().unwrap());
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{kind}");
    }
    // Each nonce is a good one, and each refusal is for lack of coins.
    assert_eq!(of("mine")["done"], of("mine")["requests"]);
    let refused: Vec<_> = of("send")["refused"].as_object().unwrap().keys().collect();
    assert!(refused.iter().all(|rule| *rule == "not_enough_coins"), "{refused:?}");
    assert!(number(&of("send")["done"]) > 0 && number(&of("read")["done"]) > 0);

    let books = &report["conservation"];
    assert_eq!(books["outcome"], "kept", "{books}");
    assert_eq!(books["mined"], of("mine")["done"]);
    service.kill();
}

#[test]
fn ctrl_c_ends_it_with_the_report_of_what_was_done() {
    let place = Place::new();
    let service = Program::start(&place);
    let load = place
        .command(&["--json", "load", "--url", &service.origin, "--clients", "2", "--seconds", "86400"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It is at work once its coins are in the log.
    let mut follower = place.command(&["events", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = String::new();
    let mut lines = std::io::BufReader::new(follower.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut lines, &mut seen).unwrap();
    assert!(seen.contains("CoinMined"), "{seen}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    let kill = format!("kill -INT {}", load.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let said = Said::of(load.wait_with_output().unwrap());
    assert_eq!((said.status, said.stderr.as_str()), (130, ""));
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(report["requests"].as_u64().unwrap() > 0, "{report}");
    service.kill();
}

#[test]
fn a_service_that_is_not_there_and_an_address_that_is_none_are_told() {
    let place = Place::new();
    // Nobody listens at this port.
    let gone = "http://127.0.0.1:1";
    let (code, message) = place.error(3, &["load", "--url", gone]);
    assert_eq!(code, "service");
    assert!(message.contains(gone), "{message}");
    for url in [
        "https://127.0.0.1:1",
        "ftp://127.0.0.1",
        "127.0.0.1:3000",
        "nonsense",
        "",
        "http://127.0.0.1/path",
    ] {
        assert_eq!(place.error(2, &["load", "--url", url]).0, "usage", "{url}");
    }
    assert_eq!(place.run(&["load", "--mix", "0:0:0"]).status, 2);
    assert_eq!(place.run(&["load", "--clients", "0"]).status, 2);
}
