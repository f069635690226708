//! The subscriber's side of its status, and its metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    setbacks: Arc<AtomicU64>,
    /// How many setbacks there were when it last looked where it is.
    looked: AtomicU64,
}

/// Tells that a subscriber was put back, for those who do so beside its runner. What the runner has known before does
/// not count from then on.
pub(crate) struct Setback {
    status: watch::Sender<SubscriberStatus>,
    count: Arc<AtomicU64>,
}

impl Setback {
    pub(crate) fn to(&self, position: Position) {
        self.status.send_modify(|status| {
            self.count.fetch_add(1, Ordering::SeqCst);
            status.position = position;
        });
    }
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
        Self {
            status: watch::Sender::new(status),
            meter: Mutex::default(),
            clock,
            setbacks: Arc::default(),
            looked: AtomicU64::new(0),
        }
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

    /// For those who put it back.
    pub(crate) fn setback(&self) -> Setback {
        Setback { status: self.status.clone(), count: Arc::clone(&self.setbacks) }
    }

    /// It looks where it is.
    pub(crate) fn looks(&self) {
        self.looked.store(self.setbacks.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// It is at a position, and in a state. False when it was put back since it looked, and must look again.
    pub(crate) fn at(&self, position: Position, state: SubscriberState) -> bool {
        let rate = self.rate(position);
        let mut is_known = true;
        self.status.send_if_modified(|status| {
            is_known = self.looked.load(Ordering::SeqCst) == self.setbacks.load(Ordering::SeqCst);
            if !is_known {
                return false;
            }
            let before = (status.position, status.rate);
            (status.position, status.rate) = (position, rate);
            status.head = status.head.max(position);
            let other = status.state != state;
            status.state = state;
            other || before != (position, rate)
        });
        if !is_known {
            return false;
        }
        gauge!("cqrs_subscriber_position", "subscriber" => self.name()).set(position.as_u64() as f64);
        self.measure_lag();
        if self.status.borrow().head == position {
            self.waits(None);
        }
        true
    }

    fn measure_lag(&self) {
        let lag = self.status.borrow().lag();
        gauge!("cqrs_subscriber_lag_events", "subscriber" => self.name()).set(lag as f64);
    }

    /// As [`Reporter::at`], but a position never moves back, whoever looks: what was worked on stays so.
    pub(crate) fn reached(&self, position: Position) {
        let (before, state) = self.stands();
        if position > before {
            self.at(position, state);
        }
    }

    /// Whether its rate is one of the past, unless it comes further.
    pub(crate) fn is_moving(&self) -> bool {
        self.status.borrow().rate > 0
    }

    /// Whether it has ended.
    pub(crate) fn is_stopped(&self) -> bool {
        self.status.borrow().state.is_stopped()
    }

    /// It has come no further, and so its rate is another one.
    pub(crate) fn stays(&self) {
        let (position, state) = self.stands();
        self.at(position, state);
    }

    fn stands(&self) -> (Position, SubscriberState) {
        let status = self.status.borrow();
        (status.position, status.state.clone())
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

    /// So many keys are held back.
    pub(crate) fn parked(&self, keys: u64) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.parked, keys) != keys);
        gauge!("cqrs_subscriber_parked_keys", "subscriber" => self.name()).set(keys as f64);
    }

    fn rate(&self, position: Position) -> u64 {
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).rate(Instant::now(), position)
    }

    /// What it has read and not worked on yet was recorded then, at the earliest.
    pub(crate) fn waits(&self, oldest: Option<Timestamp>) {
        self.status.send_if_modified(|status| {
            status.oldest_waiting = oldest;
            false
        });
        let age = oldest.map_or(Duration::ZERO, |recorded| self.clock.now().since(recorded));
        gauge!("cqrs_subscriber_lag_seconds", "subscriber" => self.name()).set(age.as_secs_f64());
    }

    /// It has worked on a batch.
    pub(crate) fn worked(&self, events: usize, took: Duration) {
        let name = self.name();
        self.waits(None);
        counter!("cqrs_subscriber_events_total", "subscriber" => name).increment(events as u64);
        histogram!("cqrs_subscriber_batch_events", "subscriber" => name).record(events as f64);
        histogram!("cqrs_subscriber_batch_duration_seconds", "subscriber" => name).record(took);
    }

    /// The log has come so far.
    pub(crate) fn head(&self, head: Position) {
        let is_further = self.status.send_if_modified(|status| {
            let further = head > status.head;
            status.head = status.head.max(head);
            further
        });
        if is_further {
            self.measure_lag();
        }
    }

    /// An attempt has failed; the next one comes after a pause. What fails behind the end does not hide why it came.
    pub(crate) fn retrying(&self, attempts: u32, error: String, pause: Duration) {
        let now = self.clock.now();
        counter!("cqrs_subscriber_failures_total", "subscriber" => self.name()).increment(1);
        self.status.send_if_modified(|status| {
            let running = !status.state.is_stopped();
            if running {
                status.last_error = Some((now, error.clone()));
                status.rate = 0;
                status.state = SubscriberState::Retrying { attempts, error, next_attempt: now.plus(pause) };
            }
            running
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
    /// Whether anything was told: what another one has told stays.
    told: AtomicBool,
}

impl ProgressReporter {
    pub(crate) fn new(status: watch::Sender<SubscriberStatus>) -> Self {
        Self { status, meter: Mutex::default(), told: AtomicBool::new(false) }
    }

    pub(crate) fn at(&self, start: Position, position: Position, head: Position) {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = meter.rate(Instant::now(), position);
        let progress = RebuildProgress { start, position, head: head.max(position), rate };
        self.told.store(true, Ordering::Relaxed);
        self.status.send_modify(|status| status.rebuild = Some(progress));
    }
}

impl Drop for ProgressReporter {
    fn drop(&mut self) {
        let told = self.told.load(Ordering::Relaxed);
        self.status.send_if_modified(|status| told && status.rebuild.take().is_some());
    }
}
