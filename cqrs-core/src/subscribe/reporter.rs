//! The subscriber's side of its status, and its metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tokio::sync::watch;
use tokio::time::Instant;

use super::meter::Meter;
use super::{RebuildProgress, SubscriberKind, SubscriberState, SubscriberStatus};
use crate::{Clock, Position, Timestamp};

/// Tells how a subscriber is doing.
///
/// Whatever ends it ends the status too, so that nobody waits for a subscriber that has gone.
pub(crate) struct Reporter {
    status: watch::Sender<SubscriberStatus>,
    meter: Mutex<Meter>,
    clock: Arc<dyn Clock>,
}

impl Reporter {
    pub(crate) fn new(name: &'static str, kind: SubscriberKind, clock: Arc<dyn Clock>) -> Self {
        let status = SubscriberStatus {
            name,
            kind,
            state: SubscriberState::Running,
            position: Position::ZERO,
            head: Position::ZERO,
            oldest_waiting: None,
            rate: 0,
            last_error: None,
            parked: 0,
            rebuild: None,
        };
        Self { status: watch::Sender::new(status), meter: Mutex::default(), clock }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<SubscriberStatus> {
        self.status.subscribe()
    }

    pub(crate) fn name(&self) -> &'static str {
        self.status.borrow().name
    }

    /// For those who tell how far a rebuild has come.
    pub(crate) fn sender(&self) -> watch::Sender<SubscriberStatus> {
        self.status.clone()
    }

    /// It is at a position, and in a state.
    pub(crate) fn at(&self, position: Position, state: SubscriberState) {
        let rate = self.rate(position);
        self.status.send_if_modified(|status| {
            let before = (status.position, status.rate);
            (status.position, status.rate) = (position, rate);
            status.head = status.head.max(position);
            if status.head == position {
                status.oldest_waiting = None;
            }
            let other = status.state != state;
            status.state = state;
            other || before != (position, rate)
        });
        let name = self.name();
        gauge!("cqrs_subscriber_position", "subscriber" => name).set(position.as_u64() as f64);
        let lag = self.status.borrow().lag();
        gauge!("cqrs_subscriber_lag_events", "subscriber" => name).set(lag as f64);
    }

    /// As [`Reporter::at`], but a position never moves back, whoever looks: what was worked on stays so.
    pub(crate) fn reached(&self, position: Position) {
        let (before, state) = {
            let status = self.status.borrow();
            (status.position, status.state.clone())
        };
        if position > before {
            self.at(position, state);
        }
    }

    /// How it is doing, where that is new. One more attempt at the same is, and that it comes a little later is not.
    pub(crate) fn is(&self, state: SubscriberState) {
        let is_same = |before: &SubscriberState| match (before, &state) {
            (
                SubscriberState::Retrying { attempts, error, .. },
                SubscriberState::Retrying { attempts: now, error: why, .. },
            ) => attempts == now && error == why,
            (before, now) => before == now,
        };
        self.status.send_if_modified(|status| {
            let is_new = !is_same(&status.state);
            if is_new {
                if let SubscriberState::Retrying { error, .. }
                | SubscriberState::Stopped { error: Some(error) } = &state
                {
                    status.last_error = Some((self.clock.now(), error.clone()));
                }
                status.state = state.clone();
            }
            is_new
        });
    }

    /// So many events are parked.
    pub(crate) fn parked(&self, events: u64) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.parked, events) != events);
    }

    fn rate(&self, position: Position) -> u64 {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).rate(Instant::now(), position)
    }

    /// It has read something that was recorded then, and begins to work on it.
    pub(crate) fn begins(&self, oldest: Option<Timestamp>) {
        self.status.send_if_modified(|status| {
            status.oldest_waiting = oldest;
            false
        });
        if let Some(recorded) = oldest {
            let age = self.clock.now().since(recorded);
            gauge!("cqrs_subscriber_lag_seconds", "subscriber" => self.name()).set(age.as_secs_f64());
        }
    }

    /// It has worked on a batch.
    pub(crate) fn worked(&self, events: usize, took: Duration) {
        let name = self.name();
        self.status.send_if_modified(|status| {
            status.oldest_waiting = None;
            false
        });
        gauge!("cqrs_subscriber_lag_seconds", "subscriber" => name).set(0.0);
        counter!("cqrs_subscriber_events_total", "subscriber" => name).increment(events as u64);
        histogram!("cqrs_subscriber_batch_events", "subscriber" => name).record(events as f64);
        histogram!("cqrs_subscriber_batch_duration_seconds", "subscriber" => name).record(took);
    }

    /// The log has come so far.
    pub(crate) fn head(&self, head: Position) {
        self.status.send_if_modified(|status| {
            let further = head > status.head;
            status.head = status.head.max(head);
            further
        });
    }

    /// An attempt has failed; the next one comes after a pause.
    pub(crate) fn retrying(&self, attempts: u32, error: String, pause: Duration) {
        let now = self.clock.now();
        counter!("cqrs_subscriber_failures_total", "subscriber" => self.name()).increment(1);
        self.status.send_modify(|status| {
            status.last_error = Some((now, error.clone()));
            status.rate = 0;
            status.state = SubscriberState::Retrying { attempts, error, next_attempt: now.plus(pause) };
        });
    }

    /// It cannot go on, and ends.
    pub(crate) fn fail(self, error: String) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.last_error = Some((now, error.clone()));
            status.state = SubscriberState::Stopped { error: Some(error) };
        });
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.status.send_if_modified(|status| {
            let running = !status.state.is_stopped();
            if running {
                status.state = SubscriberState::Stopped { error: None };
                status.rate = 0;
            }
            running
        });
    }
}

/// Tells how far a rebuild has come. Whatever ends it ends that too.
pub(crate) struct ProgressReporter {
    status: watch::Sender<SubscriberStatus>,
    meter: Mutex<Meter>,
}

impl ProgressReporter {
    pub(crate) fn new(status: watch::Sender<SubscriberStatus>) -> Self {
        Self { status, meter: Mutex::default() }
    }

    pub(crate) fn at(&self, start: Position, position: Position, head: Position) {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = meter.rate(Instant::now(), position);
        let progress = RebuildProgress { start, position, head: head.max(position), rate };
        self.status.send_modify(|status| status.rebuild = Some(progress));
    }
}

impl Drop for ProgressReporter {
    fn drop(&mut self) {
        self.status.send_if_modified(|status| status.rebuild.take().is_some());
    }
}
