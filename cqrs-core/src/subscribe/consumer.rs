//! The log as a stream, for whoever consumes events by himself.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, Stream};
use tokio::sync::watch;

use super::StartFrom;
use crate::{EventFilter, Position, RecordedEvent, Store, StoreError};

/// How many events are read ahead of the consumer.
const PAGE: usize = 500;

struct Consumer {
    store: Arc<dyn Store>,
    filter: EventFilter,
    stop: watch::Receiver<bool>,
    at: Place,
    read: VecDeque<RecordedEvent>,
}

enum Place {
    From(StartFrom),
    At(Position),
    /// It has failed.
    Over,
}

/// What is there, then what comes, without gap or duplicate, whoever writes. Ends with its first error, and
/// when `stop` becomes true.
pub(crate) fn follow(
    store: Arc<dyn Store>,
    from: StartFrom,
    filter: EventFilter,
    stop: watch::Receiver<bool>,
) -> impl Stream<Item = Result<RecordedEvent, StoreError>> + Send {
    let consumer = Consumer { store, filter, stop, at: Place::From(from), read: VecDeque::new() };
    stream::unfold(consumer, |mut consumer| async {
        let next = consumer.next().await;
        if let Some(Err(_)) = next {
            consumer.at = Place::Over;
        }
        Some((next?, consumer))
    })
}

impl Consumer {
    async fn next(&mut self) -> Option<Result<RecordedEvent, StoreError>> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(event) = self.read.pop_front() {
                return Some(Ok(event));
            }
            match self.read_on().await {
                Ok(true) => {}
                Ok(false) => return None,
                // The store is closed when the application ends.
                Err(_) if *self.stop.borrow() => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads a page, or waits for one. False when it is over.
    async fn read_on(&mut self) -> Result<bool, StoreError> {
        let after = match self.at {
            Place::Over => return Ok(false),
            Place::At(position) | Place::From(StartFrom::Position(position)) => position,
            Place::From(StartFrom::Origin) => Position::ZERO,
            Place::From(StartFrom::Now) => self.store.head().await?,
        };
        self.at = Place::At(after);
        let page = self.store.read_log(after, &self.filter, PAGE).await?;
        if page.scanned_to == after {
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => {}
                head = self.store.wait_beyond(after) => { head?; }
            }
        }
        self.at = Place::At(page.scanned_to);
        self.read.extend(page.events);
        Ok(true)
    }
}
