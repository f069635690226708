//! How subscribers work.

use std::time::Duration;

use super::StartFrom;

/// The shortest lease: a shorter one would end before whoever has it has asked for it again.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);

/// How subscribers work. Start from [`SubscribeOptions::default`] and change what must be changed.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let mut options = SubscribeOptions::default();
/// options.start = StartFrom::Now; // what was before is none of its business
/// options.batch_wait = Duration::from_millis(50); // fewer and larger transactions
/// let app = App::builder(MemoryStore::new()).projection_with(Balances, InMemory::default(), options).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where a subscriber begins that has no checkpoint yet. At the origin by default.
    pub start: StartFrom,
    /// The most events that are worked on in one transaction; at least one. 1,000 by default.
    pub batch_events: usize,
    /// How long events may wait for others to fill the batch up. Not at all by default: a batch is what is there.
    pub batch_wait: Duration,
    /// The first pause after a failure; it doubles each time, with jitter. 20 ms by default.
    pub first_retry: Duration,
    /// The longest pause after a failure. 20 s by default.
    pub longest_retry: Duration,
    /// For how long a runner that has died without a word keeps others from its work, unless the store knows of
    /// its death; one second at least, and the same in all processes. It is renewed when a third of it has passed. 10 s by
    /// default. Event handlers have their own, [`HandlerOptions::lease`](crate::HandlerOptions::lease).
    pub lease: Duration,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            start: StartFrom::Origin,
            batch_events: 1_000,
            batch_wait: Duration::ZERO,
            first_retry: Duration::from_millis(20),
            longest_retry: Duration::from_secs(20),
            lease: Duration::from_secs(10),
        }
    }
}

impl SubscribeOptions {
    /// Without what nothing can be done with.
    pub(crate) fn bounded(self) -> Self {
        Self { batch_events: self.batch_events.max(1), lease: self.lease.max(SHORTEST), ..self }
    }
}
