//! Clients of the service, which ask again until they are answered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use coins::{AccountId, Search};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::random::Random;

/// How many coins each client has to begin with.
const COINS: u64 = 40;

/// How long a client leaves the nodes alone after one that did not answer, so that it does not keep them from getting up.
const REST: Duration = Duration::from_millis(20);

/// What all clients work on, until it is enough.
pub(crate) struct Work {
    accounts: Vec<AccountId>,
    origins: watch::Receiver<Vec<String>>,
    enough: AtomicBool,
    /// What those have done who do not wait until coins arrive, and those who do.
    pub(crate) hasty: Progress,
    pub(crate) patient: Progress,
}

/// How much was done.
#[derive(Default)]
pub(crate) struct Progress(watch::Sender<u64>);

impl Progress {
    fn step(&self) {
        self.0.send_modify(|done| *done += 1);
    }

    /// Waits until so much more is done.
    pub(crate) async fn more(&self, count: u64) {
        let mut done = self.0.subscribe();
        let enough = *done.borrow() + count;
        done.wait_for(|done| *done >= enough).await.unwrap();
    }
}

impl Work {
    pub(crate) fn among(clients: usize, origins: watch::Receiver<Vec<String>>) -> Self {
        let accounts = (0..clients).map(|number| format!("client-{number}").parse().unwrap()).collect();
        let (hasty, patient) = Default::default();
        Self { accounts, origins, enough: AtomicBool::new(false), hasty, patient }
    }

    /// Lets each client finish what it has begun.
    pub(crate) fn end(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// What clients were told.
#[derive(Default)]
pub(crate) struct Told {
    /// What has happened, by the position that was told.
    pub(crate) done: HashMap<u64, String>,
    /// How many coins were not sent, because there were not enough of them.
    refused: u64,
    /// How many requests came again to an end that they had come to before.
    duplicates: u64,
    /// How often a request was made again.
    pub(crate) repeated: u64,
}

impl Told {
    /// Takes in what another client was told.
    pub(crate) fn take(&mut self, other: Self) {
        for (position, what) in other.done {
            self.note(position, what);
        }
        self.refused += other.refused;
        self.duplicates += other.duplicates;
        self.repeated += other.repeated;
    }

    fn note(&mut self, position: u64, what: String) {
        let before = self.done.insert(position, what);
        assert_eq!(before, None, "position {position} was told of twice");
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, refused, duplicates, repeated } = self;
        let done = done.len();
        write!(
            f,
            "{done} requests done, {refused} refused, {duplicates} found done, {repeated} attempts in vain"
        )
    }
}

/// A client. It has an account of its own, for which nobody else mines.
pub(crate) struct Client {
    me: AccountId,
    work: Arc<Work>,
    random: Random,
    http: reqwest::Client,
    requests: u64,
    told: Told,
}

impl Client {
    pub(crate) fn new(number: usize, work: Arc<Work>, random: Random) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let me = work.accounts[number].clone();
        Self { me, work, random, http, requests: 0, told: Told::default() }
    }

    /// Makes requests until it is enough; returns what it was told.
    pub(crate) async fn run(mut self, is_hasty: bool) -> Told {
        let me = self.me.clone();
        let mut nonces = Search::from(&me, 0).flatten();
        for _ in 0..COINS {
            self.mine(nonces.next().unwrap()).await;
        }
        while !self.work.enough.load(Ordering::Relaxed) {
            if is_hasty {
                self.send(true).await;
            } else {
                self.mine(nonces.next().unwrap()).await;
                self.send(false).await;
            }
        }
        self.told
    }

    async fn mine(&mut self, nonce: u64) {
        let body = json!({ "account": self.me, "nonce": nonce });
        let answer = self.answer("/api/coins", false, body).await;
        let answer =
            answer.unwrap_or_else(|rule| panic!("nonce {nonce} of {} is refused: {rule}", self.me));
        self.told.note(answer["position"].as_u64().unwrap(), format!("mined {}/{nonce}", self.me));
    }

    /// Sends some coins from anybody to anybody.
    async fn send(&mut self, is_hasty: bool) {
        let work = Arc::clone(&self.work);
        let (from, to) = (self.random.of_these(&work.accounts), self.random.of_these(&work.accounts));
        let body = json!({ "from": from, "to": to, "amount": 1 + self.random.below(3) });
        match self.answer("/api/transfers", is_hasty, body).await {
            Ok(answer) => {
                let id = answer["transfer_id"].as_str().unwrap();
                self.told.note(answer["position"].as_u64().unwrap(), format!("sent {id}"));
                // Of a hasty one nobody has promised that they have arrived.
                let progress = if is_hasty { &work.hasty } else { &work.patient };
                if is_hasty || answer["arrived"] == true {
                    progress.step();
                }
            }
            Err(rule) => {
                assert_eq!(rule, "not_enough_coins");
                self.told.refused += 1;
            }
        }
    }

    /// Makes a request at any node, and makes it again until somebody answers. Or the rule that forbids it.
    async fn answer(&mut self, path: &str, is_hasty: bool, body: Value) -> Result<Value, String> {
        self.requests += 1;
        let key = format!("{}-{}", self.me, self.requests);
        let mut origins = self.work.origins.clone();
        loop {
            let up = origins.wait_for(|origins| !origins.is_empty()).await.unwrap().clone();
            let url = format!("{}{path}", self.random.of_these(&up));
            let mut request = self.http.post(url).header("idempotency-key", &key).json(&body);
            if is_hasty {
                request = request.header("prefer", "respond-async");
            }
            if let Some(answer) = answered(request).await {
                self.told.duplicates += u64::from(answer.as_ref().is_ok_and(|it| it["duplicate"] == true));
                return answer;
            }
            self.told.repeated += 1;
            tokio::time::sleep(REST).await;
        }
    }
}

/// What a request came to, if that is known.
async fn answered(request: reqwest::RequestBuilder) -> Option<Result<Value, String>> {
    let response = request.send().await.ok()?;
    let status = response.status();
    let answer: Value = response.json().await.ok()?;
    if status.is_success() {
        return Some(Ok(answer));
    }
    if let Some(rule) = answer["rule"].as_str() {
        return Some(Err(rule.to_owned()));
    }
    let passes = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status);
    assert!(passes, "{answer}");
    None
}
