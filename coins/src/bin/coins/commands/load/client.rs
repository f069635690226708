//! Who makes the requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coins::{AccountId, Proof};
use cqrs_core::describe;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Run;
use super::mix::Kind;
use super::tally::Outcome;
use crate::failure::Failure;

/// How long an answer is waited for: longer than the service itself lets a request take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client rests after a request that failed, so that a service in trouble is not hit harder.
const REST: Duration = Duration::from_millis(100);

/// The most coins that are sent at once; an account has a few.
const MOST_COINS: u64 = 3;

/// A service on plain HTTP.
#[derive(Clone, Debug)]
pub(super) struct Service {
    http: reqwest::Client,
    base: Url,
}

/// Why there is no answer that could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nobody answers.
    #[error("no answer from {url}: {reason}")]
    Unreachable { url: Url, reason: String },
    /// It is not this service that answers, or not in its words.
    #[error("{url} answers with status {status}, and is no service of coins")]
    Strange { url: Url, status: u16 },
}

impl Service {
    pub(super) fn at(url: &str) -> Result<Self, Failure> {
        let wanted = || {
            Failure::Misplaced(format!("wanted is an address such as http://127.0.0.1:3000, found {url:?}"))
        };
        let base: Url = url.parse().map_err(|_| wanted())?;
        if base.scheme() != "http" || base.cannot_be_a_base() || base.path() != "/" {
            return Err(wanted());
        }
        // Nothing but the service itself is ever talked to.
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(TIMEOUT).build();
        let http = http.map_err(|error| Failure::Service(describe(&error)))?;
        Ok(Self { http, base })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(path);
        self.http.request(method, url)
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, NoAnswer> {
        let mut request =
            self.request(Method::GET, path).build().map_err(|error| self.unreachable(&error))?;
        if !query.is_empty() {
            request.url_mut().query_pairs_mut().extend_pairs(query);
        }
        let url = request.url().clone();
        let response = self.http.execute(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        match response.json().await {
            Ok(answer) if status.is_success() => Ok(answer),
            _ => Err(NoAnswer::Strange { url, status: status.as_u16() }),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> NoAnswer {
        NoAnswer::Unreachable { url: self.base.clone(), reason: describe(error) }
    }

    /// Where the log ends, and whether all that follows from it is done.
    pub(super) async fn head(&self) -> Result<(u64, bool), NoAnswer> {
        let status = self.get("/api/status", &[]).await?;
        let subscribers = status["subscribers"].as_array();
        match (status["head"].as_u64(), subscribers) {
            (Some(head), Some(subscribers)) => {
                Ok((head, subscribers.iter().all(|subscriber| subscriber["position"] == head)))
            }
            _ => Err(NoAnswer::Strange { url: self.base.clone(), status: 200 }),
        }
    }

    /// Makes a request; what became of it, and how long to leave the service alone.
    async fn outcome(&self, request: RequestBuilder) -> (Outcome, Duration) {
        let failed = |code: String, rest| (Outcome::Failed(code), rest);
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return failed("no_answer_in_time".to_owned(), REST),
            Err(_) => return failed("no_connection".to_owned(), REST),
        };
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
        let rest = after.and_then(|seconds| seconds.parse().ok()).map_or(REST, Duration::from_secs);
        let body = response.bytes().await;
        match body {
            Ok(_) if status.is_success() => (Outcome::Done, Duration::ZERO),
            Ok(body) => {
                let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
                match (problem["rule"].as_str(), problem["code"].as_str()) {
                    (Some(rule), _) => (Outcome::Refused(rule.to_owned()), Duration::ZERO),
                    (None, Some(code)) => failed(code.to_owned(), rest),
                    (None, None) => failed(format!("status_{}", status.as_u16()), rest),
                }
            }
            Err(_) => failed("no_connection".to_owned(), REST),
        }
    }
}

/// The accounts of the clients, which no other run has.
pub(super) fn names(clients: u64) -> Result<Arc<[AccountId]>, Failure> {
    let run = Uuid::now_v7().simple().to_string();
    let run = run.get(..12).unwrap_or(&run);
    (1..=clients).map(|number| Ok(format!("load-{run}-{number}").parse()?)).collect()
}

/// One client: it mines for an account of its own, and waits for each answer before its next request.
#[derive(Debug)]
pub(super) struct Client {
    service: Service,
    names: Arc<[AccountId]>,
    number: usize,
    proof: Proof,
    /// The next nonce to try.
    nonce: u64,
    /// A nonce that was found, and of which the service has not said what it thinks.
    offer: Option<u64>,
}

impl Client {
    pub(super) fn new(service: Service, names: Arc<[AccountId]>, number: usize) -> Self {
        let proof = Proof::of(&names[number]);
        Self { service, names, number, proof, nonce: 0, offer: None }
    }

    pub(super) async fn work(mut self, run: Arc<Run>) {
        let mut round = 0;
        while run.go_on() {
            // Clients do not all begin with the same kind.
            let kind = run.wanted.mix.kind(round + self.number as u64);
            let request = match kind {
                Kind::Mine => self.mine(),
                Kind::Send => self.send(round),
                Kind::Read => self.read(round),
            };
            let began = Instant::now();
            let (outcome, rest) = self.service.outcome(request).await;
            if kind == Kind::Mine && !matches!(outcome, Outcome::Failed(_)) {
                self.offer = None;
            }
            run.tally.count(kind, outcome, began.elapsed());
            let rest = rest.min(run.deadline.saturating_duration_since(Instant::now()));
            let mut interrupt = run.interrupt.clone();
            tokio::select! {
                () = tokio::time::sleep(rest), if !rest.is_zero() => {}
                () = interrupt.asked(), if !rest.is_zero() => {}
                else => {}
            }
            round += 1;
        }
    }

    fn me(&self) -> &AccountId {
        &self.names[self.number]
    }

    fn mine(&mut self) -> RequestBuilder {
        // A nonce whose fate is unknown is offered again; its key is the same, so that it counts once.
        let nonce = self.offer.unwrap_or_else(|| {
            let found = (self.nonce..u64::MAX).find(|nonce| self.proof.accepts(*nonce)).unwrap_or(u64::MAX);
            self.nonce = found.saturating_add(1);
            found
        });
        self.offer = Some(nonce);
        let body = json!({ "account": self.me(), "nonce": nonce });
        let request = self.service.request(Method::POST, "/api/coins");
        request.header("idempotency-key", format!("{}-{nonce}", self.me())).json(&body)
    }

    fn send(&self, round: u64) -> RequestBuilder {
        let to = &self.names[(self.number + 1 + round as usize) % self.names.len()];
        let body = json!({ "from": self.me(), "to": to, "amount": 1 + round % MOST_COINS });
        let request = self.service.request(Method::POST, "/api/transfers");
        request.header("idempotency-key", Uuid::now_v7().to_string()).json(&body)
    }

    /// One question after the other: what the page asks.
    fn read(&self, round: u64) -> RequestBuilder {
        let get = |path: &str| self.service.request(Method::GET, path);
        match round % 4 {
            0 => get("/api/accounts"),
            1 => get("/api/leaderboard"),
            2 => get("/api/transfers"),
            _ => get("/api/status"),
        }
    }
}
