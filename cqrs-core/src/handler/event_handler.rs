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
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// Thanks whoever pays something in.
/// struct Thanks(tokio::sync::mpsc::UnboundedSender<String>);
///
/// #[async_trait]
/// impl EventHandler for Thanks {
///     const NAME: &'static str = "thanks";
///     type Event = AccountEvent;
///
///     async fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Result<(), BoxError> {
///         if let AccountEvent::Deposited { account, .. } = &event.data {
///             // Whoever gets it twice knows by the id.
///             self.0.send(format!("{}: thank you, {account}", event.id))?;
///         }
///         Ok(())
///     }
///
///     fn failed(&self, failure: &HandlerFailure) -> Policy {
///         failure.retry_or_park()
///     }
/// }
///
/// let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel();
/// let app = App::builder(MemoryStore::new()).event_handler(Thanks(sender)).start().await?;
/// app.dispatch(deposit("me", 5)).wait_for(["thanks"]).await?;
/// assert!(sent.recv().await.is_some_and(|mail| mail.ends_with("thank you, me")));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait EventHandler: Send + Sync + 'static {
    /// The stored name of its checkpoint and of its parked events. It must never change.
    const NAME: &'static str;

    /// The events that it wants to see.
    type Event: EventSet;

    /// What the event must stay in order with: the stream that it is of, unless this says otherwise.
    ///
    /// It is a function of the event alone. When it changes, what is parked by then keeps its former key. Change it
    /// while nothing is parked: an event that was under way is taken for handled when a later one is parked with its
    /// new key.
    fn key(&self, event: &RecordedEvent<Self::Event>) -> String {
        event.stream.to_string()
    }

    /// Does what is to be done because of an event. A panic counts as an error.
    ///
    /// When the application shuts down, it waits for this to end. When another process takes over, the store does not
    /// answer for longer than the handler's lease, or the program ends, this may be dropped at any `.await`, and the event
    /// is delivered again.
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
