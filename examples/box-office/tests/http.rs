//! Over real connections, on a port that the system chooses.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use box_office::Service;
use cqrs_core::Store;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A service that runs, and a client.
struct Office {
    client: Client,
    url: String,
    end: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Office {
    async fn on(store: impl Store) -> Self {
        let service = Service::start(store).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(service.serve(listener, async { ended.await.unwrap() }));
        Self { client: Client::new(), url, end, served }
    }

    async fn open() -> Self {
        Self::on(MemoryStore::new()).await
    }

    async fn reserve(&self, seat: &str, guest: &str, key: Option<&str>) -> Response {
        let request =
            self.client.put(format!("{}/seats/{seat}", self.url)).json(&json!({ "guest": guest }));
        let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        request.send().await.unwrap()
    }

    async fn release(&self, seat: &str) -> Response {
        self.client.delete(format!("{}/seats/{seat}", self.url)).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    /// Ends the service, and waits until it has ended.
    async fn close(self) {
        self.end.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

async fn json(response: Response) -> (StatusCode, Value) {
    (response.status(), response.json().await.unwrap())
}

/// The next event of a feed: its lines, until an empty one.
async fn next(feed: &mut Response, buffer: &mut String) -> Vec<String> {
    loop {
        if let Some((event, rest)) = buffer.split_once("\n\n") {
            let lines = event.lines().map(str::to_owned).collect();
            *buffer = rest.to_owned();
            return lines;
        }
        let chunk = feed.chunk().await.unwrap().unwrap();
        buffer.push_str(std::str::from_utf8(&chunk).unwrap());
    }
}

#[tokio::test]
async fn a_seat_is_reserved_once_and_the_plan_says_so_at_once() {
    let office = Office::open().await;
    let first = json(office.reserve("A1", "zoë", None).await).await;
    assert_eq!(first, (StatusCode::OK, json!({ "position": 1, "duplicate": false })));
    assert_eq!(office.get("/seats").await, json!({ "A1": "zoë" }));
    let second = json(office.reserve("A1", "tom", None).await).await;
    let taken = json!({ "code": "taken", "detail": "the seat is taken" });
    assert_eq!(second, (StatusCode::CONFLICT, taken));
    assert_eq!(office.release("A1").await.status(), StatusCode::OK);
    assert_eq!(office.get("/seats").await, json!({}));
    let (status, problem) = json(office.release("A1").await).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("not_reserved")));
    office.close().await;
}

#[tokio::test]
async fn an_answer_waits_for_a_plan_that_is_behind() {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let office = Office::on(store.clone()).await;
    // The plan cannot read the log, and pauses longer each time; whoever does not wait sees it empty.
    store.inject(Operation::ReadLog, [Fault::Fail; 4]);
    assert_eq!(office.reserve("A1", "zoë", None).await.status(), StatusCode::OK);
    assert_eq!(office.get("/seats").await, json!({ "A1": "zoë" }));
    assert_eq!(store.injected().len(), 4, "{}", store.report());
    office.close().await;
}

#[tokio::test]
async fn a_request_with_a_key_may_come_twice() {
    let office = Office::open().await;
    let first = json(office.reserve("A1", "zoë", Some("k1")).await).await;
    let again = json(office.reserve("A1", "zoë", Some("k1")).await).await;
    assert_eq!(first, (StatusCode::OK, json!({ "position": 1, "duplicate": false })));
    assert_eq!(again, (StatusCode::OK, json!({ "position": 1, "duplicate": true })));
    // One key for another seat is another request.
    let other = json(office.reserve("A2", "zoë", Some("k1")).await).await;
    assert_eq!(other, (StatusCode::OK, json!({ "position": 2, "duplicate": false })));
    let (status, problem) = json(office.reserve("A3", "zoë", Some(&"k".repeat(201))).await).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("bad_key")));
    office.close().await;
}

#[tokio::test]
async fn a_key_is_not_taken_for_another_request() {
    // The story of the bug: the guest was not looked at, so tom was told that the seat of zoë was his.
    let office = Office::open().await;
    office.reserve("A1", "zoë", Some("k1")).await;
    let (status, problem) = json(office.reserve("A1", "tom", Some("k1")).await).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("key_reused")), "{problem}");
    // Also when the seat is free again.
    office.release("A1").await;
    assert_eq!(office.reserve("A1", "tom", Some("k1")).await.status(), 422);
    assert_eq!(office.get("/seats").await, json!({}));
    assert_eq!(office.reserve("A1", "zoë", Some("k1")).await.status(), 200, "the same request as before");
    office.close().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_before_anything_is_decided() {
    let office = Office::open().await;
    let put = |seat: &str| office.client.put(format!("{}/seats/{seat}", office.url));
    let json_type = ("content-type", "application/json");
    for (request, status, code) in [
        (put("A1").json(&json!({ "visitor": "zoë" })), 422, "malformed"),
        (put("A1").header(json_type.0, json_type.1).body("{"), 400, "malformed"),
        (put("A1").body("{}"), 415, "malformed"),
        // A name that no stream may have.
        (put("A%0A1").json(&json!({ "guest": "zoë" })), 400, "invalid"),
    ] {
        let (found, problem) = json(request.send().await.unwrap()).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
    }
    assert_eq!(office.get("/seats").await, json!({}));
    office.close().await;
}

#[tokio::test]
async fn a_feed_tells_what_happens_and_goes_on_where_the_client_was() {
    let office = Office::open().await;
    let url = format!("{}/events", office.url);
    office.reserve("A1", "zoë", None).await;
    // From the beginning: a client who has had nothing says so.
    let mut feed = office.client.get(&url).header("Last-Event-ID", "0").send().await.unwrap();
    assert_eq!(feed.headers()["content-type"], "text/event-stream");
    let mut buffer = String::new();
    let first = next(&mut feed, &mut buffer).await;
    assert_eq!(first, ["id: 1", "event: Reserved", r#"data: {"seat":"A1","guest":"zoë"}"#]);
    // And then live.
    office.release("A1").await;
    assert_eq!(next(&mut feed, &mut buffer).await[..2], ["id: 2", "event: Released"]);
    drop(feed);
    office.reserve("A2", "tom", None).await;
    let mut feed = office.client.get(&url).header("Last-Event-ID", "2").send().await.unwrap();
    assert_eq!(next(&mut feed, &mut String::new()).await[..2], ["id: 3", "event: Reserved"]);
    let bad = office.client.get(&url).header("Last-Event-ID", "x").send().await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    office.close().await;
}

#[tokio::test]
async fn an_open_feed_ends_with_the_service_and_the_next_one_has_everything() {
    let store = MemoryStore::new();
    let office = Office::on(store.clone()).await;
    office.reserve("A1", "zoë", Some("k1")).await;
    assert_eq!(office.get("/health").await, json!({ "plan": 0 }));
    let mut feed = office.client.get(format!("{}/events", office.url)).send().await.unwrap();
    office.close().await;
    while let Some(chunk) = feed.chunk().await.unwrap() {
        assert!(chunk.starts_with(b":"), "nothing but comments that keep it alive");
    }
    let office = Office::on(store).await;
    assert_eq!(office.get("/seats").await, json!({ "A1": "zoë" }));
    let (_, again) = json(office.reserve("A1", "zoë", Some("k1")).await).await;
    assert_eq!(again["duplicate"], true, "also after a restart");
    office.close().await;
}
