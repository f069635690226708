//! Tokio's clock, as a clock of the application.

use cqrs_core::{Clock, Timestamp};
use tokio::time::Instant;

/// Tokio's clock, which tests pause.
#[derive(Clone, Copy)]
pub struct PausedClock(Instant);

impl PausedClock {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}
