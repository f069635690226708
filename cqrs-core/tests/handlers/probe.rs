//! A handler that writes down what it is given, and does what a test wants.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_core::*;
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::common::PotEvent;

/// A delivery: the pot, and the position.
pub(crate) type Seen = (String, u64);

type Act = dyn Fn(Seen) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;
type Key = dyn Fn(&RecordedEvent<PotEvent>) -> String + Send + Sync;
type Say = dyn Fn(&HandlerFailure) -> Policy + Send + Sync;

/// What was delivered, in order; one that is cloned is the same.
#[derive(Clone)]
pub(crate) struct Probe {
    begun: Arc<watch::Sender<Vec<Seen>>>,
    ended: Arc<watch::Sender<Vec<Seen>>>,
    act: Arc<Act>,
    say: Arc<Say>,
    dead: Arc<dyn Fn() -> bool + Send + Sync>,
    key: Arc<Key>,
}

pub(crate) const NAME: &str = "probe";

impl Probe {
    pub(crate) fn new<F>(act: impl Fn(Seen) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self {
            begun: Arc::new(watch::Sender::default()),
            ended: Arc::new(watch::Sender::default()),
            act: Arc::new(move |seen| Box::pin(act(seen))),
            say: Arc::new(HandlerFailure::retry_or_park),
            dead: Arc::new(|| false),
            key: Arc::new(|event| event.stream.to_string()),
        }
    }

    /// One that succeeds at once.
    pub(crate) fn quick() -> Self {
        Self::new(async |_| Ok(()))
    }

    /// One that fails while a test says so of a pot.
    pub(crate) fn failing(pots: &Pots) -> Self {
        let pots = pots.clone();
        Self::new(move |(pot, _)| {
            let fails = pots.has(&pot);
            async move { if fails { Err(format!("{pot} is down").into()) } else { Ok(()) } }
        })
    }

    pub(crate) fn saying(
        mut self,
        say: impl Fn(&HandlerFailure) -> Policy + Send + Sync + 'static,
    ) -> Self {
        self.say = Arc::new(say);
        self
    }

    /// The same one in a program that has another key.
    pub(crate) fn keyed(
        &self,
        key: impl Fn(&RecordedEvent<PotEvent>) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { key: Arc::new(key), ..self.clone() }
    }

    /// The same one in a process that may die: nothing is handled there after its death.
    pub(crate) fn of_process(&self, dead: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { dead: Arc::new(dead), ..self.clone() }
    }

    /// What was begun, in order.
    pub(crate) fn begun(&self) -> Vec<Seen> {
        self.begun.borrow().clone()
    }

    /// What was handled, in order.
    pub(crate) fn ended(&self) -> Vec<Seen> {
        self.ended.borrow().clone()
    }

    /// The positions of a pot that were handled, in order.
    pub(crate) fn of(&self, pot: &str) -> Vec<u64> {
        self.ended().into_iter().filter(|(of, _)| of == pot).map(|(_, position)| position).collect()
    }

    pub(crate) async fn until_begun(&self, count: usize) {
        self.begun.subscribe().wait_for(|seen| seen.len() >= count).await.unwrap();
    }

    pub(crate) async fn until_ended(&self, count: usize) {
        self.ended.subscribe().wait_for(|seen| seen.len() >= count).await.unwrap();
    }
}

#[async_trait]
impl EventHandler for Probe {
    const NAME: &'static str = NAME;
    type Event = PotEvent;

    fn key(&self, event: &RecordedEvent<PotEvent>) -> String {
        (self.key)(event)
    }

    async fn handle(&self, event: &RecordedEvent<PotEvent>) -> Result<(), BoxError> {
        let seen = (event.stream.key().to_owned(), event.position.as_u64());
        self.begun.send_modify(|all| all.push(seen.clone()));
        let acted = (self.act)(seen.clone()).await;
        if (self.dead)() {
            std::future::pending::<()>().await;
        }
        acted?;
        self.ended.send_modify(|all| all.push(seen));
        Ok(())
    }

    fn failed(&self, failure: &HandlerFailure) -> Policy {
        (self.say)(failure)
    }
}

/// The pots that fail at present.
#[derive(Clone, Default)]
pub(crate) struct Pots(Arc<Mutex<Vec<String>>>);

impl Pots {
    pub(crate) fn of(pots: &[&str]) -> Self {
        Self(Arc::new(Mutex::new(pots.iter().map(|pot| (*pot).to_owned()).collect())))
    }

    pub(crate) fn has(&self, pot: &str) -> bool {
        self.0.lock().unwrap().iter().any(|other| other == pot)
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// Options that park what fails at once.
pub(crate) fn once() -> HandlerOptions {
    let mut options = HandlerOptions::default();
    options.max_attempts = 1;
    options
}

/// What the store holds back: pot, position, attempts and state.
pub(crate) async fn held(store: &dyn Store) -> Vec<(String, u64, u32, ParkedState)> {
    let all = store.parked_events(NAME, &ParkedQuery::All, EventPart::ZERO, 10_000).await.unwrap();
    let key = |event: &ParkedEvent| event.key.strip_prefix("pot-").unwrap().to_owned();
    all.iter()
        .map(|event| (key(event), event.part.position.as_u64(), event.attempts, event.state))
        .collect()
}
