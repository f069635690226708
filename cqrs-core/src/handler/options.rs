//! How an event handler runs.

use std::time::Duration;

use crate::StartFrom;
use crate::subscribe::SHORTEST;

/// How an event handler runs. Start from [`HandlerOptions::default`] and change what must be changed.
///
/// ```
/// use cqrs_core::{HandlerOptions, StartFrom};
///
/// let mut options = HandlerOptions::default();
/// options.start = StartFrom::Now; // nobody wants mail about last year
/// options.max_attempts = 3; // then the event is parked
/// options.concurrency = 4; // events of different keys at the same time
/// # assert_eq!(options.max_attempts, 3);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HandlerOptions {
    /// Where it begins when it has never run. From the first event by default.
    pub start: StartFrom,
    /// Into how many partitions the keys are spread, by the 64-bit FNV-1a hash of the key modulo this number. Each has a
    /// watermark of its own, up to which it is never delivered again. 8 by default.
    ///
    /// It may change at any start. The handler then begins at the lowest of the old watermarks; after a shutdown in
    /// good order they are all the same, but for events that wait in memory behind others.
    pub partitions: usize,
    /// How many events are delivered at a time, at most. 32 by default.
    pub concurrency: usize,
    /// How many events are in memory at a time, at most; also how many deliveries are not recorded yet. 512 by default.
    ///
    /// After a crash, about three times as many events, and twice [`concurrency`](Self::concurrency), are delivered again
    /// at most: those under way, those whose delivery was being recorded or was to be, and those that were delivered
    /// before a slower one of their partition.
    pub in_flight: usize,
    /// How often an event is tried before it is parked, unless [`EventHandler::failed`](super::EventHandler::failed) says
    /// otherwise. 10 by default.
    pub max_attempts: u32,
    /// The first pause before another attempt; it doubles each time, and is cut short at random by up to half. 100 ms by
    /// default.
    pub first_retry: Duration,
    /// The longest pause before another attempt. One minute by default.
    pub max_retry: Duration,
    /// How long a delivery stays unrecorded while others follow. When there is nothing else to do, it is recorded at
    /// once. 50 ms by default.
    pub commit_every: Duration,
    /// For how long a runner that has died without a word keeps others from its work, unless the store knows of its
    /// death; one second at least, and the same in all processes. It is renewed when a third of it has passed. 10 s by
    /// default.
    pub lease: Duration,
}

impl Default for HandlerOptions {
    fn default() -> Self {
        Self {
            start: StartFrom::Origin,
            partitions: 8,
            concurrency: 32,
            in_flight: 512,
            max_attempts: 10,
            first_retry: Duration::from_millis(100),
            max_retry: Duration::from_secs(60),
            commit_every: Duration::from_millis(50),
            lease: Duration::from_secs(10),
        }
    }
}

impl HandlerOptions {
    /// With bounds that nobody can work within made the least that one can.
    pub(super) fn bounded(self) -> Self {
        Self {
            partitions: self.partitions.max(1),
            concurrency: self.concurrency.max(1),
            in_flight: self.in_flight.max(1),
            lease: self.lease.max(SHORTEST),
            ..self
        }
    }
}
