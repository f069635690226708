//! A request with an `Idempotency-Key` is done once, whoever repeats it, and whatever dies meanwhile.

use std::collections::BTreeSet;

use cqrs_core::Position;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use coins::{AccountEvent, Coins};

use crate::common::Place;
use crate::program::Program;
use crate::site::{Answer, Site};

async fn keyed(site: &Site, path: &str, key: &str, body: Value) -> Answer {
    site.answer(site.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_the_first_and_another_one_is_refused() {
    let site = Site::new().await;
    let mine = "/api/coins";
    let first = keyed(&site, mine, "a", json!({ "account": "me", "nonce": 190 })).await;
    assert_eq!((first.status.as_u16(), &first.json["duplicate"]), (201, &json!(false)));
    site.mine("me", 443).await;
    let again = keyed(&site, mine, "a", json!({ "account": "me", "nonce": 190 })).await;
    let mut wanted = first.json.clone();
    wanted["duplicate"] = json!(true);
    assert_eq!((again.status, &again.json), (first.status, &wanted));
    for body in [json!({ "account": "me", "nonce": 486 }), json!({ "account": "you", "nonce": 488 })] {
        let other = keyed(&site, mine, "a", body).await;
        assert_eq!(other.outcome(), (422, "idempotency_key_reused"));
    }
    // The key names a request to one path; to another it is another.
    let body = json!({ "from": "me", "to": "you", "amount": 2 });
    let first = keyed(&site, "/api/transfers", "a", body.clone()).await;
    assert_eq!((first.status.as_u16(), &first.json["arrived"]), (201, &json!(true)));
    let again = keyed(&site, "/api/transfers", "a", body).await;
    let mut wanted = first.json.clone();
    wanted["duplicate"] = json!(true);
    assert_eq!((again.status, &again.json), (first.status, &wanted));
    for body in [
        json!({ "from": "me", "to": "you", "amount": 1 }),
        json!({ "from": "me", "to": "me", "amount": 2 }),
        json!({ "from": "you", "to": "me", "amount": 2 }),
        json!({ "from": "nobody", "to": "you", "amount": 2 }),
    ] {
        let other = keyed(&site, "/api/transfers", "a", body).await;
        assert_eq!(other.outcome(), (422, "idempotency_key_reused"));
    }
    assert_eq!(site.coins.head().await.unwrap(), Position::new(4), "nothing else was done");
    site.end().await;
}

/// Who asked again without waiting was told for ever that the coins were under way.
#[tokio::test]
async fn a_repeated_request_that_does_not_wait_is_told_that_the_coins_have_arrived() {
    let site = Site::new().await;
    site.mine("me", 190).await;
    let send = || {
        let request = site.request(Method::POST, "/api/transfers").header("prefer", "respond-async");
        let body = json!({ "from": "me", "to": "you", "amount": 1 });
        site.answer(request.header("idempotency-key", "a").json(&body))
    };
    let first = send().await;
    assert_eq!((first.status.as_u16(), &first.json["arrived"]), (202, &json!(false)));
    site.coins.settle().await.unwrap();
    let again = send().await;
    let mut wanted = first.json.clone();
    wanted["arrived"] = json!(true);
    wanted["duplicate"] = json!(true);
    assert_eq!((again.status.as_u16(), &again.json), (201, &wanted));
    site.end().await;
}

#[tokio::test]
async fn a_refused_request_is_decided_again() {
    let site = Site::new().await;
    let body = json!({ "from": "me", "to": "you", "amount": 1 });
    let refused = keyed(&site, "/api/transfers", "later", body.clone()).await;
    assert_eq!(refused.outcome(), (409, "not_enough_coins"));
    site.mine("me", 190).await;
    let sent = keyed(&site, "/api/transfers", "later", body).await;
    assert_eq!((sent.status.as_u16(), &sent.json["duplicate"]), (201, &json!(false)));
    site.end().await;
}

#[tokio::test]
async fn a_key_is_visible_ascii_and_one() {
    let site = Site::new().await;
    let body = json!({ "account": "me", "nonce": 190 });
    let request = || site.request(Method::POST, "/api/coins").json(&body);
    for key in ["", " ", "a b", "né", "a\tb", &"k".repeat(256)] {
        let refused = site.answer(request().header("idempotency-key", key)).await;
        assert_eq!(refused.outcome(), (400, "invalid_idempotency_key"), "{key:?}");
    }
    let twice = request().header("idempotency-key", "a").header("idempotency-key", "a");
    assert_eq!(site.answer(twice).await.outcome(), (400, "invalid_idempotency_key"));
    let longest = request().header("idempotency-key", "k".repeat(255));
    assert_eq!(site.answer(longest).await.status, 201);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_requests_that_race_with_one_key_one_is_done() {
    let site = Site::new().await;
    for nonce in [190, 443, 486, 908] {
        site.mine("me", nonce).await;
    }
    let racers: FuturesUnordered<_> = (0..100)
        .map(|number| {
            let (from, to) = if number % 2 == 0 { ("me", "you") } else { ("you", "me") };
            // Of one sender with different amounts, and of another one, who has nothing.
            let body = json!({ "from": from, "to": to, "amount": 1 + number / 2 % 2 });
            keyed(&site, "/api/transfers", "race", body)
        })
        .collect();
    let answers: Vec<_> = racers.collect().await;
    let done: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(done.iter().filter(|answer| answer.json["duplicate"] == false).count(), 1);
    let told: BTreeSet<_> =
        done.iter().map(|it| (it.json["amount"].to_string(), it.json["position"].to_string())).collect();
    assert_eq!(told.len(), 1, "all are told of the same transfer");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        // Who had nothing and came before the first was refused by the rule.
        assert!(["idempotency_key_reused", "not_enough_coins"].contains(&answer.outcome().1));
    }
    assert_eq!(site.get("/api/transfers").await.json["transfers"].as_array().unwrap().len(), 1);
    site.end().await;
}

/// When the server is killed.
#[derive(Clone, Copy, Debug)]
enum Killed {
    /// While requests are on their way to it.
    Early,
    /// When so many were answered.
    AfterAnswers(usize),
    /// When the coins have left the one account.
    AfterSending,
    /// When they have arrived at the other.
    AfterReceiving,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_equal_requests_and_a_kill_in_between_are_one_transfer() {
    use Killed::{AfterAnswers, AfterReceiving, AfterSending, Early};
    for killed in [Early, AfterSending, AfterAnswers(1), AfterReceiving, AfterAnswers(50), AfterAnswers(99)]
    {
        let place = Place::new();
        place.answer(&["mine", "me", "--count", "3"]);
        let body = json!({ "from": "me", "to": "you", "amount": 2 });

        let program = Program::start(&place);
        let client = Client::new();
        let mut events = client.get(format!("{}/api/events?after=3", program.origin)).send().await.unwrap();
        let mut answers: FuturesUnordered<_> =
            (0..100).map(|_| send(&client, &program.origin, &body).send()).collect();
        let mut positions = BTreeSet::new();
        let mut answered = 0;
        let mut seen = String::new();
        loop {
            let is_time = match killed {
                // Each is polled once, so that it is on its way.
                Early => futures::poll!(answers.next()).is_pending(),
                AfterAnswers(wanted) => answered == wanted,
                AfterSending => seen.contains("event: CoinsSent"),
                AfterReceiving => seen.contains("event: CoinsReceived"),
            };
            if is_time {
                break;
            }
            tokio::select! {
                chunk = events.chunk() => seen.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap())),
                Some(answer) = answers.next() => {
                    let answer: Value = answer.unwrap().json().await.unwrap();
                    positions.insert(answer["position"].as_u64().unwrap());
                    answered += 1;
                }
            }
        }
        program.kill();
        // Some were answered, the others' connections are broken. All of them ask again.
        drop(answers);

        let program = Program::start(&place);
        let again: FuturesUnordered<_> =
            (0..100).map(|_| send(&client, &program.origin, &body).send()).collect();
        let again: Vec<Value> = again
            .then(async |answer| {
                let answer = answer.unwrap();
                assert_eq!(answer.status(), 201, "{killed:?}");
                answer.json().await.unwrap()
            })
            .collect()
            .await;
        positions.extend(again.iter().map(|answer| answer["position"].as_u64().unwrap()));
        let firsts = again.iter().filter(|answer| answer["duplicate"] == false).count();
        assert!(firsts <= 1, "{killed:?}");
        assert_eq!(positions.len(), 1, "{killed:?}: all are told of the same transfer");
        assert!(again.iter().all(|answer| answer["arrived"] == true));
        program.kill();

        let coins = Coins::open(place.db()).await.unwrap();
        let log = coins.all_events(Position::ZERO, 1_000).await.unwrap().events;
        let moved: Vec<_> =
            log.iter().filter(|it| !matches!(it.data, AccountEvent::CoinMined { .. })).collect();
        assert_eq!(moved.len(), 2, "{killed:?}: coins left once and arrived once: {moved:?}");
        let balances = coins.accounts(10).await.unwrap();
        assert_eq!(balances.iter().map(|it| it.balance).collect::<Vec<_>>(), [2, 1]);
        coins.close().await;
    }
}

fn send(client: &Client, origin: &str, body: &Value) -> RequestBuilder {
    client.post(format!("{origin}/api/transfers")).header("idempotency-key", "one-transfer").json(body)
}
