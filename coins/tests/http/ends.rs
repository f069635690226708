//! How the server begins and ends.

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Place, Said};
use crate::program::Program;
use crate::site::Site;

#[tokio::test]
async fn streams_end_when_the_server_does() {
    // Streams end because they are told to, and not because nobody waits for them any longer.
    let site = Site::with(|options| options.drain_timeout = Duration::from_secs(1_000_000)).await;
    let mut events = site.request(Method::GET, "/api/events").send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.chunk().await.unwrap().unwrap(), "retry: 1000\n\n");
    site.mine("me", 190).await;
    let event = events.chunk().await.unwrap().unwrap();
    assert!(event.starts_with(b"id: 1\n"), "{event:?}");
    let rest = tokio::spawn(async move {
        // All that comes until the server closes the stream.
        while events.chunk().await.unwrap().is_some() {}
    });
    let address = site.address;
    site.end().await;
    rest.await.unwrap();
    let refused = Client::new().get(format!("http://{address}/health")).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused}");
}

#[tokio::test]
async fn a_request_that_is_under_way_at_the_end_is_answered() {
    let site = Site::new().await;
    let body = r#"{"account":"me","nonce":190}"#;
    let mut slow = begun(&site.address.to_string(), "/api/coins", body.len()).await;
    let address = site.address;
    let end = tokio::spawn(site.end());
    while TcpStream::connect(address).await.is_ok() {}
    slow.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("HTTP/1.1 201 Created") && answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with(r#""version":1,"position":1,"visible":true,"duplicate":false}"#), "{answer}");
    end.await.unwrap();
}

/// A request whose body has still to come, and which the server has begun to answer: it has said that it waits for it.
async fn begun(address: &str, path: &str, length: usize) -> TcpStream {
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow
}

#[tokio::test]
async fn the_program_ends_cleanly_when_it_is_told_to() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let mut program = Program::start(&place);
        let client = Client::new();
        let mut events = client.get(format!("{}/api/events", program.origin)).send().await.unwrap();
        assert!(events.chunk().await.unwrap().is_some());
        let mine = client.post(format!("{}/api/coins", program.origin));
        assert_eq!(
            mine.json(&json!({ "account": "me", "nonce": 190 })).send().await.unwrap().status(),
            201
        );
        program.signal(name);
        while events.chunk().await.unwrap().is_some() {}
        let mut more = String::new();
        program.stdout.read_to_string(&mut more).unwrap();
        let said = Said::of(program.child.wait_with_output().unwrap());
        assert_eq!((said.status, more.as_str(), said.stderr.as_str()), (0, "", ""), "{name}");
        assert_eq!(place.json(&["account", "me"])["balance"], 1);
    }
}

/// It went on by itself after the server had ended, with the application that was being closed.
#[tokio::test]
async fn a_request_that_is_not_finished_in_time_is_cut_off() {
    let site = Site::with(|options| options.drain_timeout = Duration::from_millis(20)).await;
    let mut slow = begun(&site.address.to_string(), "/api/coins", 100).await;
    site.end().await;
    let mut answer = Vec::new();
    // It is closed, or reset.
    let _ = slow.read_to_end(&mut answer).await;
    assert_eq!(String::from_utf8(answer).unwrap(), "");
}

/// A request that does not come to its end holds up a clean end, and nothing but a second signal.
#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let place = Place::new();
    let program = Program::start(&place);
    let address = program.origin.strip_prefix("http://").unwrap().to_owned();
    let _slow = begun(&address, "/api/transfers", 100).await;
    program.signal("INT");
    // It has heard of the first signal once it refuses clients.
    while TcpStream::connect(&address).await.is_ok() {}
    program.signal("INT");
    let said = Said::of(program.child.wait_with_output().unwrap());
    assert_eq!((said.status, said.stderr.as_str()), (130, ""));
}

#[test]
fn an_address_that_cannot_be_had_is_told() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, message) = place.error(3, &["serve", "--addr", &address]);
    assert_eq!(code, "listen");
    assert!(message.starts_with(&format!("cannot listen on {address}: ")), "{message}");
    assert_eq!(place.error(3, &["serve", "--addr", "203.0.113.1:80"]).0, "listen");
    for address in ["here", "localhost:3000", "127.0.0.1", "127.0.0.1:65536", ":3000", ""] {
        let (code, message) = place.error(2, &["serve", "--addr", address]);
        assert_eq!(code, "usage");
        assert!(message.contains("--addr"), "{message}");
    }
    for host in ["", "a b", "user@host", "http://host", "host:port", "host/path"] {
        let (code, message) = place.error(2, &["serve", "--addr", "127.0.0.1:0", "--allow-host", host]);
        assert_eq!(code, "usage");
        assert!(message.contains("a host is a name"), "{message}");
    }
}

#[test]
fn a_file_that_is_no_database_is_told_before_it_listens() {
    let place = Place::new();
    std::fs::write(place.db(), "no database").unwrap();
    assert_eq!(place.error(3, &["serve", "--addr", "127.0.0.1:0"]).0, "store");
}
