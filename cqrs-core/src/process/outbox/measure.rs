//! The outbox in the metrics.
//!
//! - `cqrs_outbox_attempts_total`, a counter by `process` and `outcome`: `done`, `retried`, `parked`;
//! - `cqrs_outbox_duration_seconds`, a histogram by `process`: how long an attempt took, whatever came of it;
//! - `cqrs_outbox_delay_seconds`, a histogram by `process`: how long after its time an attempt began at what was put off,
//!   or is tried again;
//! - `cqrs_outbox_tries`, a histogram by `process`: how many attempts it took until a task was done or parked;
//! - `cqrs_outbox_due`, a gauge: how many tasks were found due at the last look, those under way among them, as far as
//!   was looked;
//! - `cqrs_outbox_failures_total`, a counter: how often the store could not be read or written.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use super::lanes::Came;
use crate::process::plan::AT_ONCE;
use crate::{OutboxEntry, OutboxOutcome, Timestamp};

/// An attempt begins.
pub(super) fn begins(entry: &OutboxEntry, now: Timestamp) {
    if entry.retry_at == AT_ONCE {
        return;
    }
    let delay = now.since(entry.retry_at);
    histogram!("cqrs_outbox_delay_seconds", "process" => entry.process.clone()).record(delay);
}

/// Counts and times an attempt.
pub(super) fn came(entry: &OutboxEntry, came: &Came, took: Duration) {
    let outcome = match came {
        Came::Outcome(OutboxOutcome::Done { .. }) | Came::Recorded => "done",
        Came::Outcome(OutboxOutcome::Retry { .. }) => "retried",
        Came::Outcome(OutboxOutcome::Parked { .. }) => "parked",
        Came::Nothing => return,
    };
    let process = || entry.process.clone();
    counter!("cqrs_outbox_attempts_total", "process" => process(), "outcome" => outcome).increment(1);
    histogram!("cqrs_outbox_duration_seconds", "process" => process()).record(took);
    if outcome != "retried" {
        histogram!("cqrs_outbox_tries", "process" => process()).record(f64::from(entry.attempts) + 1.0);
    }
}

/// So many tasks are due.
pub(super) fn due(tasks: usize) {
    gauge!("cqrs_outbox_due").set(tasks as f64);
}

/// The store has failed.
pub(super) fn failed() {
    counter!("cqrs_outbox_failures_total").increment(1);
}
