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
