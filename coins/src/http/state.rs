//! What every request has at hand.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::measure::Metrics;
use crate::Coins;

/// What every request has at hand. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) coins: Coins,
    pub(super) metrics: Metrics,
    /// One permit for each stream of events.
    pub(super) streams: Arc<Semaphore>,
    /// How often a stream on which nothing happens says that it is there.
    pub(super) heartbeat: Duration,
    /// Becomes true when the server is to end.
    pub(super) stopping: watch::Receiver<bool>,
}
