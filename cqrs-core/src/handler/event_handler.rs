//! What a side effect implements.

use async_trait::async_trait;

use super::{HandlerFailure, Policy};
use crate::{BoxError, EventSet, RecordedEvent};

/// Does something in the world because of an event: sends mail, calls another system, publishes a message.
///
/// Every event is delivered at least once, and those of one key in order. It is delivered again when the process ends
/// before the delivery is recorded, so an effect that must not happen twice is guarded by the event's id: keep the ids
/// that were worked on, or pass the id to whoever can tell a repetition. Where a repetition begins at an event, the
/// later ones of its key are repeated too, in order.
///
/// Events of different keys are delivered at the same time, each on a task of its own. A key that fails, or takes its time,
/// holds up its own events alone.
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// The stored name of its checkpoint and of its parked events. It must never change.
    const NAME: &'static str;

    /// The events that it wants to see.
    type Event: EventSet;

    /// What the event must stay in order with: the stream that it is of, unless this says otherwise.
    ///
    /// It is a function of the event alone. When it changes, what is parked by then keeps its former key.
    fn key(&self, event: &RecordedEvent<Self::Event>) -> String {
        event.stream.to_string()
    }

    /// Does what is to be done because of an event. A panic counts as an error.
    ///
    /// When the application shuts down, it waits for this to end. When another process takes over, or the program
    /// ends, this may be dropped at any `.await`, and the event is delivered again.
    ///
    /// # Errors
    ///
    /// Any error is shown to [`EventHandler::failed`], which says what to do.
    async fn handle(&self, event: &RecordedEvent<Self::Event>) -> Result<(), BoxError>;

    /// Says what becomes of an event that failed: it is tried again, up to
    /// [`HandlerOptions::max_attempts`](super::HandlerOptions::max_attempts) times, and then it is parked, unless this
    /// says otherwise.
    fn failed(&self, failure: &HandlerFailure) -> Policy {
        failure.retry_or_park()
    }
}
