//! The time in a simulation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{Clock, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::app::BEGINNING;

/// Tokio's paused clock, over all runtimes that a simulation has one after the other; it can be put forward besides. It
/// begins on 2000-01-01.
#[derive(Clone, Debug)]
pub(super) struct SimulatedClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    time: Mutex<Time>,
    /// Told when the clock is put forward.
    put: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Time {
    /// The moment at which the present runtime began, or the clock was put forward last.
    then: Timestamp,
    /// The same on the runtime's own clock; none while there is no runtime.
    began: Option<Instant>,
}

impl SimulatedClock {
    pub(super) fn new() -> Self {
        let time = Mutex::new(Time { then: BEGINNING, began: None });
        Self(Arc::new(Shared { time, put: Notify::new() }))
    }

    /// Goes on with the clock of this runtime.
    pub(super) fn go(&self) {
        self.change(|time| time.began = Some(Instant::now()));
    }

    /// Stands still until there is another runtime.
    pub(super) fn stop(&self) {
        self.change(|time| *time = Time { then: time.now(), began: None });
    }

    /// Puts the clock forward. Whoever waits for a moment in between goes on.
    pub(super) fn put_forward(&self, by: Duration) {
        self.change(|time| time.then = time.then.plus(by));
        self.0.put.notify_waiters();
    }

    fn change<T>(&self, change: impl FnOnce(&mut Time) -> T) -> T {
        change(&mut self.0.time.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Time {
    fn now(&self) -> Timestamp {
        self.then.plus(self.began.map(|began| began.elapsed()).unwrap_or_default())
    }
}

#[async_trait]
impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.change(|time| time.now())
    }

    async fn wait_until(&self, moment: Timestamp) {
        loop {
            let put = self.0.put.notified();
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::select! {
                biased;
                () = put => {}
                () = sleep(left) => {}
            }
        }
    }
}
