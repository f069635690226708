//! Bounds of the write path.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Bounds of the write path. Start from [`DispatchOptions::default`] and change what must be changed.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let mut options = DispatchOptions::default();
/// options.max_in_flight = 100;
/// options.live_idle = Some(Duration::from_secs(60));
/// let app = App::builder(MemoryStore::new()).dispatch_options(options).start().await?;
/// app.try_dispatch(deposit("me", 5)).await?; // answers `Overloaded` instead of waiting
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DispatchOptions {
    /// The most commands under way at a time, over all aggregates; further callers wait. 10,000 by default.
    pub max_in_flight: u32,
    /// The most commands of one aggregate that are decided before one commit. 1,024 by default.
    pub max_turn_commands: usize,
    /// The most aggregates of one type that stay in memory while nobody uses them. 10,000 by default.
    pub live_aggregates: NonZeroUsize,
    /// How long an aggregate stays in memory while nobody uses it, unless its
    /// [`lifespan`](crate::Aggregate::lifespan) says otherwise; `None` is until others need the room. 10 minutes by
    /// default.
    pub live_idle: Option<Duration>,
    /// A commit is closed once it has this many events. 4,096 by default.
    pub max_batch_events: usize,
    /// A commit is closed once it has this many bytes of events. 8 MiB by default.
    pub max_batch_bytes: usize,
    /// How often commands are decided again in a row because another process wrote to their stream first,
    /// before they fail with [`DispatchError::Conflict`](super::DispatchError::Conflict). 20 by default.
    pub max_conflict_retries: u32,
    /// The first pause before that; it doubles each time, with jitter. 1 ms by default.
    pub conflict_backoff: Duration,
}

impl Default for DispatchOptions {
    fn default() -> Self {
        Self {
            max_in_flight: 10_000,
            max_turn_commands: 1_024,
            live_aggregates: const { NonZeroUsize::new(10_000).expect("not zero") },
            live_idle: Some(Duration::from_secs(600)),
            max_batch_events: 4_096,
            max_batch_bytes: 8 << 20,
            max_conflict_retries: 20,
            conflict_backoff: Duration::from_millis(1),
        }
    }
}
