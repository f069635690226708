//! How much a client may ask for, and how slow it may be.

use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use futures::future::join_all;
use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::site::Site;

/// Short enough for a test to wait for, and long enough for a request that nobody holds up.
const SOON: Duration = Duration::from_millis(500);

/// What is answered on a connection until it is closed.
async fn all(mut connection: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is closed with something unread is reset.
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn sent(site: &Site, request: &str) -> TcpStream {
    let mut connection = TcpStream::connect(site.address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

#[tokio::test]
async fn a_body_is_as_long_as_it_may_be() {
    let site = Site::new().await;
    let body = |length: usize| format!("{:>length$}", r#"{"account":"me","nonce":190}"#);
    let post = |body: reqwest::Body| {
        let request = site.request(Method::POST, "/api/coins");
        site.answer(request.header("content-type", "application/json").body(body))
    };
    assert_eq!(post(body(16 * 1024 + 1).into()).await.outcome(), (413, "too_large"));
    // Also when its length is not said beforehand.
    let chunks = (0..1_000).map(|_| Ok::<_, std::io::Error>(" ".repeat(1_000)));
    let endless = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    assert_eq!(post(endless).await.outcome(), (413, "too_large"));
    assert_eq!(post(body(16 * 1024).into()).await.status, 201);
    site.end().await;
}

#[tokio::test]
async fn a_head_is_as_long_as_it_may_be() {
    let site = Site::new().await;
    let headers = |count: usize, length: usize| {
        let more: String =
            (0..count).map(|number| format!("X-{number}: {}\r\n", "x".repeat(length))).collect();
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
    };
    for (request, status) in [
        (headers(10, 1_000), "200"),
        (headers(100, 1), "431"),
        (headers(1, 30_000), "431"),
        (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)), "4"),
    ] {
        let answer = all(sent(&site, &request).await).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
    site.end().await;
}

/// The status of an answer to a client with another address.
async fn of_another_address(site: &Site) -> u16 {
    let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
    let client = Client::builder().local_address(address).build().unwrap();
    client.get(format!("http://{}/health", site.address)).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_to_wait_and_others_are_not() {
    let site = Site::with(|options| options.requests_per_second = NonZeroU32::new(1)).await;
    // One request was for the description.
    assert_eq!(site.get("/health").await.status, 200);
    // More at once than there are seconds in which they could be answered.
    let answers = join_all((0..20).map(|_| site.get("/health"))).await;
    let refused = answers.iter().find(|answer| answer.status != 200).expect("one is refused");
    assert_eq!(refused.outcome(), (429, "too_many_requests"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(of_another_address(&site).await, 200);
    // After the pause it is answered again.
    while site.get("/health").await.status != 200 {}
    site.end().await;
}

#[tokio::test]
async fn there_are_so_many_connections_and_further_ones_wait() {
    let site = Site::with(|options| options.max_connections = 2).await;
    // The client of the site keeps one.
    let first = sent(&site, "GET /health HTTP/1.1\r\nHost: localhost\r\n").await;
    let second = sent(&site, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let answer = tokio::spawn(all(second));
    for _ in 0..50 {
        assert_eq!(site.get("/health").await.status, 200);
    }
    assert!(!answer.is_finished());
    drop(first);
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    site.end().await;
}

/// One who opens connections and says little on them, or listens for ever, keeps nobody out.
#[tokio::test]
async fn a_client_has_so_many_connections_and_others_have_theirs() {
    let site = Site::with(|options| {
        options.connections_per_client = NonZeroUsize::new(3);
        options.max_connections = 5;
    })
    .await;
    // The client of the site keeps one.
    let slow = sent(&site, "GET /health HTTP/1.1\r\nHost: localhost\r\n").await;
    let mut listening = sent(&site, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(listening.read(&mut [0]).await.unwrap(), 1);
    let request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for _ in 0..20 {
        assert_eq!(all(sent(&site, request).await).await, "", "closed without a word");
    }
    assert_eq!(site.get("/health").await.status, 200);
    assert_eq!(of_another_address(&site).await, 200);
    let metrics = site.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("http_connections_refused_total"), "{metrics}");
    // A place that is let go of can be had, as soon as the server sees that it is free.
    drop(slow);
    while !all(sent(&site, request).await).await.starts_with("HTTP/1.1 200") {}
    site.end().await;
}

#[tokio::test]
async fn who_is_slow_to_send_is_cut_off() {
    let site = Site::with(|options| {
        options.request_timeout = SOON;
        options.head_timeout = SOON;
    })
    .await;
    // Neither a head that never ends, nor one that never begins, nor silence after an answer.
    assert_eq!(all(sent(&site, "GET /health HTTP/1.1\r\nHost:").await).await, "");
    assert_eq!(all(sent(&site, "").await).await, "");
    let answer = all(sent(&site, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // A body that never ends.
    let head = "POST /api/transfers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let answer = all(sent(&site, &format!("{head}Content-Length: 10\r\n\r\n{{")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    let answer = all(sent(&site, &format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    site.end().await;
}

#[tokio::test]
async fn a_stream_of_events_is_not_too_slow() {
    let site = Site::with(|options| options.request_timeout = SOON).await;
    let mut events = site.request(Method::GET, "/api/events").send().await.unwrap();
    assert!(events.chunk().await.unwrap().is_some());
    // By now a request that is no stream would have been answered that it is too slow.
    let slow = sent(
        &site,
        "POST /api/transfers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n",
    );
    assert!(all(slow.await).await.starts_with("HTTP/1.1 408"));
    site.mine("me", 190).await;
    assert!(events.chunk().await.unwrap().unwrap().starts_with(b"id: 1\n"));
    site.end().await;
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_makes_room() {
    let site = Site::with(|options| {
        options.write_timeout = SOON;
        options.max_connections = 2;
        // The client of the site keeps its place, and makes no room.
        options.head_timeout = Duration::from_secs(1_000_000);
    })
    .await;
    // More answers than the system keeps for somebody who does not read them.
    let requests = "GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
    let mut deaf = TcpStream::connect(site.address).await.unwrap();
    let (_unread, mut asking) = deaf.split();
    let _ = asking.write_all(requests.as_bytes()).await;
    // It has the last place among the connections until it is cut off.
    let next = sent(&site, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(all(next).await.starts_with("HTTP/1.1 200"));
    site.end().await;
}
