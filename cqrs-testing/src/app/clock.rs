//! A clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{Clock, Timestamp};
use tokio::sync::watch;

/// When a test begins: 2000-01-01T00:00:00Z.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_micros(946_684_800_000_000);

/// A clock that stands until it is moved. It begins on 2000-01-01. A clone is the same clock.
///
/// ```
/// use std::time::Duration;
///
/// use cqrs_core::Clock;
/// use cqrs_testing::ManualClock;
///
/// let clock = ManualClock::new();
/// let midnight = clock.now();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now().to_string(), "2000-01-01T00:01:30.000000Z");
/// clock.set(midnight);
/// assert_eq!(clock.now(), midnight);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl ManualClock {
    /// A clock at the beginning of the year 2000.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BEGINNING)))
    }

    /// Lets time pass. Whoever waits for a moment in it goes on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.plus(by));
    }

    /// Puts the clock to a moment, also an earlier one.
    pub fn set(&self, now: Timestamp) {
        self.0.send_replace(now);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn wait_until(&self, moment: Timestamp) {
        // The sender is the clock itself.
        let _ = self.0.subscribe().wait_for(|now| *now >= moment).await;
    }
}
