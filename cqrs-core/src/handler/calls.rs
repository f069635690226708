//! What a runner asks of the store.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::delivery::{Counter, Event, panicked};
use super::desk::{Arrival, Bounds, Desk, WINDOW};
use super::insist::Troubles;
use super::lane::Key;
use super::{EventHandler, HandlerOptions};
use crate::{
    BoxError, EventPart, EventSet, HandlerStep, LogPage, ParkedEvent, ParkedQuery, Position, RecordedEvent,
    StepError, Store, describe,
};

/// How many keys are read at a time at the start.
const HEADS: usize = 1_000;

/// The calls of one handler.
pub(super) struct Calls<H> {
    counter: Arc<Counter<H>>,
    pub(super) troubles: Arc<Troubles>,
    stop: watch::Receiver<bool>,
}

/// Events of the log, and up to where it was read.
pub(super) struct Page<H: EventHandler> {
    pub(super) arrivals: Vec<Arrival<Event<H>>>,
    pub(super) scanned_to: Position,
    /// Whether there is likely to be more behind it.
    pub(super) is_full: bool,
}

/// What the store has of parked events.
pub(super) enum Seen {
    /// Those of a key.
    Rows(Key, Vec<ParkedEvent>),
    /// Those that an operator has marked.
    Marked(Vec<ParkedEvent>),
}

/// Whether a step was stored.
pub(super) enum Committed {
    Yes,
    Fenced,
    /// The handler was to end, and the store did not work.
    GaveUp,
}

impl<H: EventHandler> Calls<H> {
    pub(super) fn new(
        counter: Arc<Counter<H>>,
        troubles: Arc<Troubles>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { counter, troubles, stop }
    }

    /// What the store knows of the handler.
    pub(super) async fn load(&self) -> Desk<Event<H>> {
        let Counter { store, options, .. } = &*self.counter;
        self.troubles.insist("read where it is", || load(&**store, H::NAME, options)).await
    }

    /// How many steps of the handler there were.
    pub(super) async fn revision(&self) -> u64 {
        let store = &self.counter.store;
        let read = || async { Ok(store.handler_checkpoint(H::NAME).await?.revision) };
        self.troubles.insist("read where it is", read).await
    }

    /// How far the log has come.
    pub(super) fn head(&self) -> BoxFuture<'static, Position> {
        let (store, troubles) = (Arc::clone(&self.counter.store), Arc::clone(&self.troubles));
        async move {
            let head = || {
                let store = Arc::clone(&store);
                async move { Ok(store.head().await?) }
            };
            troubles.insist("read the head of the log", head).await
        }
        .boxed()
    }

    /// The next page of the log after a position. It waits for one.
    pub(super) fn page(&self, at: Position, limit: usize) -> BoxFuture<'static, Page<H>> {
        let (counter, troubles) = (Arc::clone(&self.counter), Arc::clone(&self.troubles));
        async move { troubles.insist("read the log", || page(Arc::clone(&counter), at, limit)).await }
            .boxed()
    }

    /// The first parked events of a key after a place.
    pub(super) fn rows(&self, key: Key, after: EventPart) -> BoxFuture<'static, Seen> {
        let query = ParkedQuery::Key(key.to_string());
        let rows = self.parked(query, after, WINDOW);
        async move { Seen::Rows(key, rows.await) }.boxed()
    }

    /// What an operator has marked. It is more than what is worked on already.
    pub(super) fn marked(&self) -> BoxFuture<'static, Seen> {
        let limit = self.counter.options.in_flight + HEADS;
        self.parked(ParkedQuery::Marked, EventPart::ZERO, limit).map(Seen::Marked).boxed()
    }

    fn parked(
        &self,
        query: ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> BoxFuture<'static, Vec<ParkedEvent>> {
        let (store, troubles) = (Arc::clone(&self.counter.store), Arc::clone(&self.troubles));
        async move {
            let read = || {
                let (store, query) = (Arc::clone(&store), query.clone());
                async move { Ok(store.parked_events(H::NAME, &query, after, limit).await?) }
            };
            troubles.insist("read parked events", read).await
        }
        .boxed()
    }

    /// Stores a step.
    pub(super) fn commit(&self, step: HandlerStep) -> BoxFuture<'static, Committed> {
        let (store, troubles) = (Arc::clone(&self.counter.store), Arc::clone(&self.troubles));
        let mut stop = self.stop.clone();
        async move {
            let mut failures = 0;
            loop {
                let error = match store.commit_handler(step.clone()).await {
                    Ok(()) => break troubles.over("commit", Committed::Yes),
                    Err(StepError::Fenced) => break troubles.over("commit", Committed::Fenced),
                    Err(error) => describe(&error),
                };
                if *stop.borrow() {
                    tracing::warn!(handler = H::NAME, %error, "what was delivered last is delivered again");
                    break Committed::GaveUp;
                }
                failures += 1;
                tokio::select! {
                    () = troubles.pause("commit", failures, error) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            }
        }
        .boxed()
    }
}

/// What the store knows of a handler.
pub(super) async fn load<E: Clone>(
    store: &dyn Store,
    handler: &'static str,
    options: &HandlerOptions,
) -> Result<Desk<E>, BoxError> {
    let checkpoint = store.handler_checkpoint(handler).await?;
    let (mut heads, mut after) = (Vec::new(), EventPart::ZERO);
    loop {
        let page = store.parked_events(handler, &ParkedQuery::Heads, after, HEADS).await?;
        let Some(last) = page.last() else { break };
        after = last.part;
        heads.extend(page);
    }
    let bounds = Bounds {
        partitions: options.partitions,
        concurrency: options.concurrency,
        in_flight: options.in_flight,
    };
    Ok(Desk::new(handler, bounds, checkpoint, heads))
}

async fn page<H: EventHandler>(
    counter: Arc<Counter<H>>,
    at: Position,
    limit: usize,
) -> Result<Page<H>, BoxError> {
    let filter = H::Event::filter();
    loop {
        let found = counter.store.read_log(at, &filter, limit).await?;
        if found.scanned_to > at {
            let is_full = found.events.len() >= limit;
            return decode(&counter.handler, at, found, is_full);
        }
        counter.store.wait_beyond(at).await?;
    }
}

/// Decodes a page, up to the first event that cannot be read. It is an error when that is the first of all.
fn decode<H: EventHandler>(
    handler: &H,
    at: Position,
    page: LogPage,
    is_full: bool,
) -> Result<Page<H>, BoxError> {
    let mut arrivals = Vec::with_capacity(page.events.len());
    let mut good = at;
    for event in page.events {
        let position = event.position;
        match arrivals_of(handler, event) {
            Ok(parts) => arrivals.extend(parts),
            Err(error) if good == at => return Err(error),
            // The next page begins with it.
            Err(_) => return Ok(Page { arrivals, scanned_to: good, is_full: true }),
        }
        good = position;
    }
    Ok(Page { arrivals, scanned_to: page.scanned_to, is_full })
}

fn arrivals_of<H: EventHandler>(
    handler: &H,
    event: RecordedEvent,
) -> Result<Vec<Arrival<Event<H>>>, BoxError> {
    let decoded = RecordedEvent::decode_all::<H::Event>([event])?;
    let arrival = |(event, part): (RecordedEvent<H::Event>, u32)| {
        let key = std::panic::catch_unwind(AssertUnwindSafe(|| handler.key(&event)));
        let key = Key::from(key.map_err(|panic| panicked(&*panic))?);
        let part = EventPart { position: event.position, part };
        let (id, recorded_at) = (event.id, event.recorded_at);
        Ok(Arrival { part, event: id, recorded_at, key, payload: Arc::new(event) })
    };
    decoded.into_iter().zip(0..).map(arrival).collect()
}
