//! Every delivery in the metrics.
//!
//! - `cqrs_handler_events_total`, a counter by `handler` and `outcome`: `handled`, `retried`, `parked`, `skipped`,
//!   `stopped`;
//! - `cqrs_handler_duration_seconds`, a histogram by `handler`: how long a delivery took, whatever came of it.

use std::time::Duration;

use metrics::{counter, histogram};

/// Counts and times a delivery.
pub(super) fn delivered(handler: &'static str, outcome: &'static str, took: Duration) {
    counter!("cqrs_handler_events_total", "handler" => handler, "outcome" => outcome).increment(1);
    histogram!("cqrs_handler_duration_seconds", "handler" => handler).record(took);
}
