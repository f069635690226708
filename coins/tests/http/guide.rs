//! What the guide shows is typed, and answered as it shows.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::site::Site;

const GUIDE: &str = include_str!("../../../docs/coins-service.md");

/// What was typed, and what was shown for it.
fn typed() -> Vec<(String, String)> {
    let blocks = GUIDE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let steps = blocks.flat_map(|block| block.split("$ ").skip(1));
    let steps = steps.map(|step| step.split_once('\n').unwrap());
    steps.map(|(typed, shown)| (typed.to_owned(), shown.to_owned())).collect()
}

/// Words as a shell makes them of a line with single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    words
}

/// Puts something else in the place of what is new each time, the same for the same.
fn settled(value: &mut Value, seen: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_new = ["at", "sent_at", "arrived_at", "transfer_id"].contains(&name.as_str());
                if let Some(text) = value.as_str().filter(|_| is_new).map(str::to_owned) {
                    let next = seen.len();
                    *value = json!(format!("{name} {}", seen.entry(text).or_insert(next)));
                } else {
                    settled(value, seen);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| settled(item, seen)),
        _ => {}
    }
}

#[tokio::test]
async fn who_types_the_guide_is_answered_as_it_shows() {
    let site = Site::new().await;
    let (mut answered, mut shown) = (BTreeMap::new(), BTreeMap::new());
    let mut count = 0;
    for (typed, said) in typed() {
        let Some(curl) = typed.strip_prefix("curl -s ") else {
            assert_eq!(said, "listening on http://127.0.0.1:3000; Ctrl-C ends it\n");
            continue;
        };
        let mut words = words(curl).into_iter();
        let url = words.next().unwrap();
        let path = url.strip_prefix("http://127.0.0.1:3000").unwrap();
        let mut request = site.request(Method::GET, path);
        let mut headers = Vec::new();
        while let Some(option) = words.next() {
            let value = words.next().unwrap();
            match option.as_str() {
                "-H" => headers.push(value),
                "-d" => request = site.request(Method::POST, path).body(value),
                other => panic!("{other} in {typed}"),
            }
        }
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let mut answer = site.answer(request).await.json;
        let mut wanted: Value = serde_json::from_str(&said).unwrap();
        settled(&mut answer, &mut answered);
        settled(&mut wanted, &mut shown);
        assert_eq!(answer, wanted, "{typed}");
        count += 1;
    }
    assert!(count > 10);
    site.end().await;
}

/// The table of what is refused has every code that the service knows, and no other.
#[test]
fn the_guide_has_every_code() {
    let sources = [
        include_str!("../../src/http/problem.rs"),
        include_str!("../../src/http/extract.rs"),
        include_str!("../../src/http/guard.rs"),
        include_str!("../../src/http/limits.rs"),
        include_str!("../../src/http/idempotency.rs"),
        include_str!("../../src/http/accounts.rs"),
        include_str!("../../src/http/transfers.rs"),
        include_str!("../../src/http/events.rs"),
        include_str!("../../src/http/operations.rs"),
        include_str!("../../src/http/page.rs"),
        include_str!("../../src/http/routes.rs"),
    ];
    let table = GUIDE.split("## What is refused").nth(1).unwrap().split("##").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").nth(1));
    let told: Vec<_> = rows.flat_map(|codes| codes.split('`').skip(1).step_by(2)).collect();
    let rules = [
        "used_nonce",
        "invalid_nonce",
        "not_enough_coins",
        "used_transfer",
        "invalid_amount",
        "invalid_account",
    ];
    for code in &told {
        let written = format!("\"{code}\"");
        let known = rules.contains(code) || sources.iter().any(|source| source.contains(&written));
        assert!(known, "{code} is in the guide alone");
    }
    // Codes stand in a place of their own: the argument after a status or a constructor.
    for source in sources {
        for start in ["bad_request(", "not_found(", "unavailable("] {
            for call in source.split(start).skip(1) {
                let Some(code) = call.trim_start().strip_prefix('"') else { continue };
                let code = code.split('"').next().unwrap();
                assert!(told.contains(&code), "{code} is not in the guide");
            }
        }
        for call in source.split("Problem::new(").skip(1) {
            let code = call.split('"').nth(1).unwrap();
            assert!(told.contains(&code), "{code} is not in the guide");
        }
    }
}
