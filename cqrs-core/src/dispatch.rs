//! From a command to its committed events.

mod committer;
mod dispatcher;
mod error;
mod expiry;
mod job;
mod live;
mod middleware;
mod options;
mod outcome;
mod ready;
mod request;
mod returning;
mod turn;

use std::any::Any;
use std::time::Duration;

pub(crate) use dispatcher::Dispatcher;
pub use error::{DispatchError, FailureKind, Rejection};
pub(crate) use job::{Envelope, Reply};
pub use middleware::{CommandFailure, CommandView, LogCommands, MeasureCommands, Middleware};
pub use options::DispatchOptions;
pub use outcome::{Consistency, Dispatched};
use request::private::Way;
pub use request::{Dispatch, Dispatchable};
pub use returning::{ReturningEvents, ReturningState};

use crate::IdSource;

/// What a panic says, when it says it in words.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// The pause before attempt number `attempt` (from 1) is repeated: doubles each time up to a thousandfold,
/// and is cut short at random by up to half, so that those who met do not meet again.
pub(crate) fn backoff(first: Duration, attempt: u32, ids: &dyn IdSource) -> Duration {
    backoff_up_to(first, first.saturating_mul(1 << 10), attempt, ids)
}

/// As [`backoff`], with a longest pause.
pub(crate) fn backoff_up_to(
    first: Duration,
    longest: Duration,
    attempt: u32,
    ids: &dyn IdSource,
) -> Duration {
    let full = first.saturating_mul(1 << attempt.saturating_sub(1).min(30)).min(longest);
    // The last 16 bits of a UUID are random in every version that is.
    let cut = (ids.next_id().as_u128() & 0xFFFF) as u32;
    full - full.mul_f64(0.5 * f64::from(cut) / 65_536.0)
}
