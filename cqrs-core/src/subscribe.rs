//! What follows the log: one loop, and what projections and process managers do on it.

mod projection;
mod run;
mod start;
mod status;

use std::time::Duration;

pub(crate) use projection::ProjectionWorker;
pub use projection::{Projection, ReadModel};
pub(crate) use run::{Runner, Worker};
pub use start::StartFrom;
pub(crate) use status::Reporter;
pub use status::{SubscriberKind, SubscriberState, SubscriberStatus};

/// How subscribers work. Start from [`SubscribeOptions::default`] and change what must be changed.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// The most events that are worked on in one transaction. 1,000 by default.
    pub batch_events: usize,
    /// The first pause after a failure; it doubles each time, with jitter. 20 ms by default.
    pub first_retry: Duration,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { batch_events: 1_000, first_retry: Duration::from_millis(20) }
    }
}
