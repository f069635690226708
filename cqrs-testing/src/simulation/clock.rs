//! The time in a simulation.

use std::sync::{Arc, Mutex, PoisonError};

use cqrs_core::{Clock, Timestamp};
use tokio::time::Instant;

use crate::app::BEGINNING;

/// Tokio's paused clock, over all runtimes that a simulation has one after the other. It begins on 2000-01-01.
#[derive(Clone, Debug)]
pub(super) struct SimulatedClock(Arc<Mutex<Time>>);

#[derive(Clone, Copy, Debug)]
struct Time {
    /// The moment at which the present runtime began.
    then: Timestamp,
    /// The same on the runtime's own clock; none while there is no runtime.
    began: Option<Instant>,
}

impl SimulatedClock {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Time { then: BEGINNING, began: None })))
    }

    /// Goes on with the clock of this runtime.
    pub(super) fn go(&self) {
        self.change(|time| time.began = Some(Instant::now()));
    }

    /// Stands still until there is another runtime.
    pub(super) fn stop(&self) {
        self.change(|time| *time = Time { then: time.now(), began: None });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Time) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Time {
    fn now(&self) -> Timestamp {
        self.then.plus(self.began.map(|began| began.elapsed()).unwrap_or_default())
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.change(|time| time.now())
    }
}
