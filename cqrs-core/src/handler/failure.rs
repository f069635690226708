//! What went wrong with an event, and what to do about it.

use std::sync::Arc;
use std::time::Duration;

use crate::{BoxError, EventId, EventPart, StreamId};

/// An event that could not be handled.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandlerFailure {
    /// Where it is in the log.
    pub part: EventPart,
    /// Its id.
    pub event: EventId,
    /// Its stored type.
    pub event_type: Arc<str>,
    /// Its stream.
    pub stream: StreamId,
    /// Its key.
    pub key: String,
    /// How often it has failed, this time included. An operator's retry begins anew.
    pub attempts: u32,
    /// [`HandlerOptions::max_attempts`](super::HandlerOptions::max_attempts).
    pub max_attempts: u32,
    /// What went wrong.
    pub error: BoxError,
}

impl HandlerFailure {
    /// What is done unless the handler says otherwise: [`Policy::Retry`] until there were
    /// [`max_attempts`](Self::max_attempts), then [`Policy::Park`].
    pub fn retry_or_park(&self) -> Policy {
        if self.attempts < self.max_attempts { Policy::Retry } else { Policy::Park }
    }
}

/// What becomes of an event that could not be handled.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # struct Letters;
/// # #[async_trait]
/// # impl EventHandler for Letters {
/// #     const NAME: &'static str = "letters";
/// #     type Event = AccountEvent;
/// #     async fn handle(&self, _: &RecordedEvent<AccountEvent>) -> Result<(), BoxError> { Ok(()) }
/// fn failed(&self, failure: &HandlerFailure) -> Policy {
///     match failure.error.downcast_ref::<std::io::Error>() {
///         // The printer is off. It will not take long.
///         Some(_) if failure.attempts < 3 => Policy::RetryAfter(Duration::from_secs(60)),
///         // Nobody will miss a letter about a withdrawal.
///         Some(_) if &*failure.event_type == "Withdrawn" => Policy::Skip,
///         _ => failure.retry_or_park(),
///     }
/// }
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// Try again after a pause, which doubles each time, with jitter. The later events of its key wait.
    Retry,
    /// Try again after so long.
    RetryAfter(Duration),
    /// Hold it back, and with it the later events of its key, until an operator decides.
    Park,
    /// Go on as if it had been handled.
    Skip,
    /// End the handler. It begins at this event when the application starts again.
    Stop,
}
