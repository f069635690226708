//! The log as server-sent events.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::site::Site;

/// What comes over a stream, event by event.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn of(site: &Site, path: &str) -> Self {
        Self::after(site, path, None).await
    }

    async fn after(site: &Site, path: &str, last: Option<&str>) -> Self {
        let mut request = site.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        Self { response, text: String::new() }
    }

    /// The fields of the next event; `None` at the end.
    async fn next(&mut self) -> Option<BTreeMap<String, String>> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let fields = event.lines().filter_map(|line| line.split_once(": "));
                let fields: BTreeMap<_, _> =
                    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                self.text = rest.to_owned();
                if fields.contains_key("data") {
                    return Some(fields);
                }
                continue;
            }
            self.text.push_str(std::str::from_utf8(&self.response.chunk().await.unwrap()?).unwrap());
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.next().await.unwrap()["id"].clone());
        }
        ids
    }
}

#[tokio::test]
async fn what_was_comes_first_and_then_what_comes() {
    let site = Site::new().await;
    site.mine("me", 190).await;
    let mut events = Events::of(&site, "/api/events").await;
    let event = events.next().await.unwrap();
    assert_eq!((event["id"].as_str(), event["event"].as_str()), ("1", "CoinMined"));
    let data: Value = serde_json::from_str(&event["data"]).unwrap();
    site.description.check_named("LogEvent", &data);
    assert_eq!((&data["stream"], &data["version"]), (&json!("account-me"), &json!(1)));
    assert_eq!(
        (&data["type"], &data["data"]),
        (&json!("CoinMined"), &json!({ "account_id": "me", "nonce": 190 }))
    );

    let sent = site.post("/api/transfers", json!({ "from": "me", "to": "you", "amount": 1 })).await.json;
    for (id, kind) in [("2", "CoinsSent"), ("3", "CoinsReceived")] {
        let event = events.next().await.unwrap();
        assert_eq!((event["id"].as_str(), event["event"].as_str()), (id, kind));
        let data: Value = serde_json::from_str(&event["data"]).unwrap();
        site.description.check_named("LogEvent", &data);
        assert_eq!(data["transfer_id"], sent["transfer_id"]);
    }
    // What another process writes comes as well.
    let other = coins::Coins::open(site.database()).await.unwrap();
    other.mine_coin(&"you".parse().unwrap(), 488).await.unwrap();
    other.close().await;
    assert_eq!(events.ids(1).await, ["4"]);
    site.end().await;
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_was_cut_off_goes_on_where_it_was() {
    let site = Site::new().await;
    for nonce in [190, 443, 486] {
        site.mine("me", nonce).await;
    }
    site.mine("you", 488).await;
    assert_eq!(Events::of(&site, "/api/events").await.ids(4).await, ["1", "2", "3", "4"]);
    assert_eq!(Events::of(&site, "/api/events?after=2").await.ids(2).await, ["3", "4"]);
    // What the browser says counts more than the address, which it keeps.
    let mut events = Events::after(&site, "/api/events?after=0", Some("3")).await;
    assert_eq!(events.ids(1).await, ["4"]);
    assert_eq!(Events::after(&site, "/api/events?after=3", Some("")).await.ids(1).await, ["4"]);
    assert_eq!(Events::of(&site, "/api/events?account=you").await.ids(1).await, ["4"]);
    // Beyond the end it waits for what comes.
    let mut events = Events::of(&site, "/api/events?after=4").await;
    site.mine("you", 1442).await;
    assert_eq!(events.ids(1).await, ["5"]);

    for id in ["x", "-1", "1.5", "18446744073709551616", "é"] {
        let request = site.request(Method::GET, "/api/events").header("last-event-id", id);
        assert_eq!(site.answer(request).await.outcome(), (400, "invalid_query"), "{id}");
    }
    let beyond = Events::of(&site, "/api/events?after=18446744073709551615").await;
    drop(beyond);
    site.end().await;
}

#[tokio::test]
async fn there_are_so_many_streams_and_no_more() {
    let site = Site::with(|options| options.max_streams = 2).await;
    let (one, two) = (Events::of(&site, "/api/events").await, Events::of(&site, "/api/events").await);
    let refused = site.get("/api/events").await;
    assert_eq!(refused.outcome(), (503, "too_many_streams"));
    assert!(refused.headers.contains_key("retry-after"));
    // A client that goes makes room, as soon as the server sees that it has gone.
    drop(one);
    while site.request(Method::GET, "/api/events").send().await.unwrap().status() != 200 {}
    drop(two);
    site.end().await;
}

/// A client that hears nothing cannot tell silence from a connection whose other end has vanished.
#[tokio::test]
async fn a_stream_on_which_nothing_happens_says_that_it_is_there() {
    let site = Site::with(|options| options.heartbeat = Duration::from_millis(20)).await;
    let mut events = Events::of(&site, "/api/events").await;
    for _ in 0..3 {
        let ping = events.next().await.unwrap();
        let wanted =
            [("event", "ping"), ("data", "{}")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        // Without an id, so that who comes back goes on behind the last event of the log.
        assert_eq!(ping, BTreeMap::from(wanted));
    }
    site.end().await;
}
