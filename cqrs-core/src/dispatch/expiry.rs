//! When idle aggregates leave memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::live::LiveSet;
use crate::{Aggregate, StreamId};

/// The times at which aggregates are to be looked at, the next one first. Each aggregate has one that counts at most;
/// one that was brought forward leaves the later one behind, which finds nothing to do.
#[derive(Default)]
pub(super) struct Expiry {
    times: Mutex<BinaryHeap<Reverse<(Instant, StreamId)>>>,
    /// Told when the next time is earlier than it was, and when the set is gone.
    wake: Notify,
}

impl Expiry {
    fn times(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(Instant, StreamId)>>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an aggregate looked at.
    pub(super) fn schedule(&self, at: Instant, stream: StreamId) {
        let mut times = self.times();
        let first = times.peek().is_none_or(|Reverse((next, _))| at < *next);
        times.push(Reverse((at, stream)));
        if first {
            self.wake.notify_one();
        }
    }

    /// Ends the sweeping of a set that is gone.
    pub(super) fn end(&self) {
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Instant> {
        self.times().peek().map(|Reverse((at, _))| *at)
    }

    fn due(&self, now: Instant) -> Option<(Instant, StreamId)> {
        let mut times = self.times();
        times
            .peek()
            .is_some_and(|Reverse((at, _))| *at <= now)
            .then(|| times.pop())?
            .map(|Reverse(due)| due)
    }
}

/// Lets aggregates of a set go when their time has come, until the set is gone.
pub(super) async fn sweep<A: Aggregate>(set: Weak<LiveSet<A>>, expiry: Arc<Expiry>) {
    loop {
        match expiry.next() {
            None => expiry.wake.notified().await,
            Some(at) => tokio::select! {
                biased;
                () = sleep_until(at) => {}
                () = expiry.wake.notified() => {}
            },
        }
        let Some(set) = set.upgrade() else { return };
        let now = Instant::now();
        while let Some((at, stream)) = expiry.due(now) {
            set.expire(&stream, at, now);
        }
    }
}
