//! One delivery: from an event to what came of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use super::desk::{Delivery, Outcome};
use super::lane::Key;
use super::{EventHandler, HandlerFailure, HandlerOptions, Policy, measure};
use crate::dispatch::{backoff, panic_message};
use crate::{BoxError, EventPart, EventSet, IdSource, Position, RecordedEvent, Store, describe};

/// What deliveries need.
pub(super) struct Counter<H> {
    pub(super) handler: H,
    pub(super) store: Arc<dyn Store>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) options: HandlerOptions,
}

/// An event in memory.
pub(super) type Event<H> = Arc<RecordedEvent<<H as EventHandler>::Event>>;

impl<H: EventHandler> Counter<H> {
    /// Delivers an event, and says what came of it.
    pub(super) async fn deliver(self: Arc<Self>, delivery: Delivery<Event<H>>) -> (Key, Outcome) {
        let Delivery { key, part, attempt, payload } = delivery;
        let event = match payload {
            Some(event) => event,
            None => match self.read_again(part).await {
                Ok(Some(event)) => event,
                Ok(None) => {
                    tracing::warn!(handler = H::NAME, %part, "a parked event is none that the handler wants any more");
                    return (key, Outcome::Done);
                }
                Err(error) => {
                    let error = describe(&*error);
                    tracing::warn!(handler = H::NAME, %part, %error, "a parked event cannot be read");
                    return (key, Outcome::Unread { error, pause: self.pause(attempt) });
                }
            },
        };
        let span = tracing::info_span!("handle", handler = H::NAME, %part, event = %event.id, attempt);
        let outcome = self.handle(&key, part, attempt, &event).instrument(span).await;
        (key, outcome)
    }

    async fn handle(
        &self,
        key: &Key,
        part: EventPart,
        attempts: u32,
        event: &RecordedEvent<H::Event>,
    ) -> Outcome {
        let began = Instant::now();
        let handled = AssertUnwindSafe(async { self.handler.handle(event).await }).catch_unwind().await;
        let handled = handled.unwrap_or_else(|panic| Err(panicked(&*panic)));
        let (outcome, word) = match handled {
            Ok(()) => (Outcome::Done, "handled"),
            Err(error) => self.failed(HandlerFailure {
                part,
                event: event.id,
                event_type: Arc::clone(&event.event_type),
                stream: event.stream.clone(),
                key: key.to_string(),
                attempts,
                max_attempts: self.options.max_attempts,
                error,
            }),
        };
        measure::delivered(H::NAME, word, began.elapsed());
        outcome
    }

    /// What becomes of a failure, and the word for it. A handler that panics over it has not said anything.
    fn failed(&self, failure: HandlerFailure) -> (Outcome, &'static str) {
        let policy = std::panic::catch_unwind(AssertUnwindSafe(|| self.handler.failed(&failure)));
        let policy = policy.unwrap_or_else(|_| failure.retry_or_park());
        let (attempts, error) = (failure.attempts, describe(&*failure.error));
        match policy {
            Policy::Retry | Policy::RetryAfter(_) => {
                let pause = match policy {
                    Policy::RetryAfter(pause) => pause,
                    _ => self.pause(attempts),
                };
                tracing::warn!(attempts, %error, ?pause, "an event failed and will be tried again");
                (Outcome::Retry { error, pause }, "retried")
            }
            Policy::Park => {
                tracing::error!(attempts, %error, key = failure.key, "an event is parked, with the later ones of its key");
                (Outcome::Park { error }, "parked")
            }
            Policy::Skip => {
                tracing::warn!(attempts, %error, "an event failed and is skipped");
                (Outcome::Done, "skipped")
            }
            Policy::Stop => {
                tracing::error!(attempts, %error, "an event failed and ends its handler");
                (Outcome::Stop { error }, "stopped")
            }
        }
    }

    fn pause(&self, attempts: u32) -> Duration {
        let HandlerOptions { first_retry, max_retry, .. } = self.options;
        let full = first_retry.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(max_retry);
        backoff(full, 1, &*self.ids)
    }

    /// Reads an event as [`Counter::read`] does. A panic of what decodes it is an error.
    async fn read_again(&self, part: EventPart) -> Result<Option<Event<H>>, BoxError> {
        let read = AssertUnwindSafe(self.read(part)).catch_unwind().await;
        read.unwrap_or_else(|panic| Err(panicked(&*panic)))
    }

    /// Reads an event; none when it is not, or no longer, of those that the handler wants.
    async fn read(&self, part: EventPart) -> Result<Option<Event<H>>, BoxError> {
        let before = Position::new(part.position.as_u64().saturating_sub(1));
        let page = self.store.read_log(before, &H::Event::filter(), 1).await?;
        let found = page.events.into_iter().filter(|event| event.position == part.position);
        let mut parts = RecordedEvent::decode_all(found)?.into_iter();
        Ok(parts.nth(part.part as usize).map(Arc::new))
    }
}

/// A panic as an error.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> BoxError {
    format!("panicked: {}", panic_message(panic)).into()
}
