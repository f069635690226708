//! Hostile requests over real HTTP: whatever comes, the service answers with what HTTP knows, does not panic, and not one
//! coin comes or goes that should not.
//!
//! `HOSTILE_REQUESTS` says how many requests to make; what fails is made smaller and printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use coins::http::{ServeOptions, Server};
use coins::{AccountEvent, Coins};
use cqrs_core::{Consistency, Position};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are no text, text that is no token, tokens that are too long, and what looks right.
fn odd() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
        Just(vec![0xff, 0xfe, 0x80]),
        Just(b"\xed\xa0\x80".to_vec()),
        (0..70_000_usize).prop_map(|length| vec![b'a'; length]),
        Just(b"-1".to_vec()),
        Just(b"18446744073709551616".to_vec()),
        Just("né 🦀".as_bytes().to_vec()),
        Just(b"../../../etc/passwd".to_vec()),
        Just(b"'; DROP TABLE coins_accounts; --".to_vec()),
    ]
}

fn method() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        10 => prop::sample::select(vec!["GET", "POST"]).prop_map(|it| it.as_bytes().to_vec()),
        3 => prop::sample::select(vec![
            "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "PRI", "BREW", "",
        ])
        .prop_map(|it| it.as_bytes().to_vec()),
        1 => odd(),
    ]
}

/// Something as a part of a path, with its bytes encoded or as they are.
fn segment() -> impl Strategy<Value = Vec<u8>> {
    (prop_oneof![3 => Just(b"me".to_vec()), 1 => odd()], any::<bool>()).prop_map(|(text, encoded)| {
        match encoded {
            true => text.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect(),
            false => text,
        }
    })
}

fn target() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "/",
        "/assets/",
        "/api/coins",
        "/api/account?account=#",
        "/api/statement?account=#",
        "/api/transfers",
        "/api/transfers/#",
        "/api/richest",
        "/api/accounts",
        "/api/leaderboard",
        "/api/status",
        "/api/openapi.json",
        "/health",
        "/ready",
        "/metrics",
        "//",
        "*",
        "/%",
        "/%zz",
        "/..%2f..%2f",
        "http://localhost/api/accounts",
        "http://evil.example/",
        "localhost:80",
        "/?",
        "/api/#/#/#",
    ]);
    let query = prop::option::of((
        prop::sample::select(vec!["limit", "after", "before", "at", "account", "under_way", "x", ""]),
        segment(),
    ));
    (known, segment(), query).prop_map(|(known, segment, query)| {
        let mut target = Vec::new();
        for (index, part) in known.split('#').enumerate() {
            if index > 0 {
                target.extend(&segment);
            }
            target.extend(part.as_bytes());
        }
        if let Some((name, value)) = query {
            let joined = if known.contains('?') { b"&" } else { b"?" };
            target.extend([joined, name.as_bytes(), b"=", &value].concat());
        }
        target
    })
}

fn header() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "Content-Type: application/json",
        "Content-Type: application/json; charset=utf-16",
        "Content-Type: text/plain",
        "Content-Length: 0",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5, 5",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Connection: close, host",
        "Connection: upgrade",
        "Upgrade: h2c",
        "Expect: 100-continue",
        "Expect: a miracle",
        "Idempotency-Key: 1",
        "Origin: null",
        "Origin: http://localhost",
        "Host: localhost",
        "Sec-Fetch-Site: same-origin",
        "Prefer: respond-async",
        "If-None-Match: \"x\", *",
        "Range: bytes=0-",
        "Accept-Encoding: gzip",
        "no colon",
        ": no name",
        " folded: line",
    ]);
    let named = prop::sample::select(vec![
        "Idempotency-Key",
        "Last-Event-ID",
        "Origin",
        "Host",
        "X-Request-Id",
        "Prefer",
        "Cookie",
        "X",
    ]);
    prop_oneof![
        4 => known.prop_map(|line| line.as_bytes().to_vec()),
        2 => (named, odd()).prop_map(|(name, value)| [name.as_bytes(), b": ", &value].concat()),
        1 => (0..200_usize).prop_map(|count| b"X: y\r\n".repeat(count)),
    ]
}

fn number() -> impl Strategy<Value = String> {
    let right = prop::sample::select(vec!["190", "443", "486", "908", "1"]).prop_map(str::to_owned);
    prop_oneof![
        4 => right,
        1 => prop::sample::select(vec![
            "0",
            "-1",
            "-0",
            "1.5",
            "1e999",
            "1E400",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775808",
            "00",
            "+1",
            "NaN",
            "0x10",
            "\"1\"",
            "null",
            "true",
            "[]",
            "{}",
        ])
        .prop_map(str::to_owned),
        1 => any::<i128>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => (1..5_000_usize).prop_map(|digits| "9".repeat(digits)),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let account = || any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    prop_oneof![
        3 => number().prop_map(|number| format!(r#"{{"account":"me","nonce":{number}}}"#).into_bytes()),
        3 => number().prop_map(|number| format!(r#"{{"from":"me","to":"you","amount":{number}}}"#).into_bytes()),
        2 => (account(), account(), number())
            .prop_map(|(from, to, number)| format!(r#"{{"from":{from},"to":{to},"amount":{number}}}"#).into_bytes()),
        1 => (1..8_000_usize).prop_map(|depth| b"[".repeat(depth)),
        1 => (1..1_500_usize).prop_map(|depth| format!(r#"{{"account":"me","nonce":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes()),
        1 => Just(br#"{"account":"me","nonce":190,"nonce":443}"#.to_vec()),
        1 => Just(b"{\"account\":\"me\",\"nonce\":190,\"\xff\":1}".to_vec()),
        1 => Just("\u{feff}{\"account\":\"me\",\"nonce\":190}".as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20_000),
    ]
}

/// A command with a number that may be right, and nothing else that is wrong but a header or two.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let commands = prop::sample::select(vec![
        ("/api/coins", r#"{"account":"me","nonce":#}"#),
        ("/api/transfers", r#"{"from":"me","to":"you","amount":#}"#),
        ("/api/transfers", r#"{"from":"you","to":"me","amount":#}"#),
    ]);
    (commands, number(), vec(header(), 0..2)).prop_map(|((target, body), number, headers)| {
        let body = body.replace('#', &number).into_bytes();
        let start = format!("POST {target} HTTP/1.1\r\n{}", usual(&body));
        assemble(start.into_bytes(), &headers, &body)
    })
}

/// Anything, which may end anywhere.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![
        20 => Just("HTTP/1.1"),
        1 => prop::sample::select(vec!["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "", "http/1.1"]),
    ];
    let is_usual = prop_oneof![10 => Just(true), 1 => Just(false)];
    let head = (method(), target(), version, vec(header(), 0..3));
    (head, body(), is_usual, any::<prop::sample::Index>()).prop_map(
        |((method, target, version, headers), body, is_usual, cut)| {
            let mut start = [&method[..], b" ", &target, b" ", version.as_bytes(), b"\r\n"].concat();
            if is_usual {
                start.extend(usual(&body).into_bytes());
            }
            let mut request = assemble(start, &headers, &body);
            if !is_usual {
                request.truncate(cut.index(request.len() + 1));
            }
            request
        },
    )
}

fn usual(body: &[u8]) -> String {
    let lines = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    format!("{lines}Content-Length: {}\r\n", body.len())
}

fn assemble(mut start: Vec<u8>, headers: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    for header in headers {
        start.extend([&header[..], b"\r\n"].concat());
    }
    start.extend([b"\r\n", body].concat());
    start
}

/// Sends a request, and tells what is answered until the connection is closed.
async fn answer(address: std::net::SocketAddr, request: &[u8]) -> Vec<u8> {
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = connection.into_split();
    let mut answer = Vec::new();
    // The server may have closed the connection before it has read everything, and reset it.
    let _ = tokio::join!(writing.write_all(request), reading.read_to_end(&mut answer));
    answer
}

fn check(request: &[u8], answer: &[u8]) -> Result<(), TestCaseError> {
    let told = || {
        format!("{:?} is answered {:?}", String::from_utf8_lossy(request), String::from_utf8_lossy(answer))
    };
    prop_assert_eq!(PANICS.load(Ordering::SeqCst), 0, "{}", told());
    if answer.is_empty() {
        return Ok(());
    }
    let answer = answer.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(answer);
    let status = answer.strip_prefix(b"HTTP/1.1 ").or_else(|| answer.strip_prefix(b"HTTP/1.0 "));
    let status = status.and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse::<u16>().ok());
    let Some(status) = status else { return Err(TestCaseError::fail(told())) };
    prop_assert!([200..=202, 304..=304, 400..=431].iter().any(|fine| fine.contains(&status)), "{}", told());
    Ok(())
}

#[test]
fn no_request_does_harm() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(panic);
    }));
    let cases = std::env::var("HOSTILE_REQUESTS").map_or(500, |count| count.parse().unwrap());
    let runtime = Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (coins, address, server) = runtime.block_on(async {
        let coins = Coins::open(directory.path().join("coins.db")).await.unwrap();
        let mut options = ServeOptions::default();
        options.address = "127.0.0.1:0".parse().unwrap();
        options.requests_per_second = None;
        // Who sends half a request is not to hold up the test.
        options.request_timeout = Duration::from_millis(200);
        options.head_timeout = Duration::from_millis(200);
        let server = Server::bind(coins.clone(), options).await.unwrap();
        (coins, server.address(), server)
    });
    let serving = runtime.spawn(server.run(std::future::pending()));

    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&prop_oneof![command(), anything()], |request| {
        let answer = runtime.block_on(answer(address, &request));
        check(&request, &answer)
    });
    // A panic of this thread is the test's own.
    let _ = std::panic::take_hook();
    if let Err(error) = result {
        panic!("{error}");
    }

    runtime.block_on(async {
        assert!(!serving.is_finished());
        // On a busy machine this request, too, may take longer than one has here.
        let ready = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let deadline = Instant::now() + Duration::from_secs(60);
        while !answer(address, ready).await.starts_with(b"HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "the service is not ready");
        }
        while coins.settle().await.unwrap() == Consistency::TimedOut {}
        let log = coins.all_events(Position::ZERO, usize::MAX >> 1).await.unwrap().events;
        let mined = log.iter().filter(|it| matches!(it.data, AccountEvent::CoinMined { .. })).count();
        let accounts = coins.accounts(1_000_000).await.unwrap();
        assert_eq!(accounts.iter().map(|it| it.balance).sum::<u64>(), mined as u64);
        assert!(mined >= 1, "some requests were right");
        coins.close().await;
    });
}
