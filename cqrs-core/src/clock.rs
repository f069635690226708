//! Times, and where they come from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970-01-01T00:00:00Z; written as RFC 3339, or, beyond the year 9999, as the number
/// that it is.
///
/// ```
/// use std::time::Duration;
///
/// use cqrs_core::Timestamp;
///
/// let noon: Timestamp = "2024-02-29T12:00:00Z".parse()?;
/// let later = noon.plus(Duration::from_millis(1_500));
/// assert_eq!(later.to_string(), "2024-02-29T12:00:01.500000Z");
/// assert_eq!(later.since(noon), Duration::from_millis(1_500));
/// assert!(noon < later && noon.since(later).is_zero());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment and a duration, at most the last moment that can be told.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment less a duration, at least the first moment that can be told.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long this is after `earlier`; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => write!(f, "{}{BEYOND}", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        if let Some(Ok(micros)) = text.strip_suffix(BEYOND).map(str::parse) {
            return Ok(Self(micros));
        }
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

/// What follows the number of a moment that a calendar does not have.
const BEYOND: &str = " µs since 1970";

/// Where the framework learns the time; a test passes one that it controls.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// It is always the same moment.
/// struct Standing(Timestamp);
///
/// impl Clock for Standing {
///     fn now(&self) -> Timestamp {
///         self.0
///     }
/// }
///
/// let moment = "2024-02-29T12:00:00Z".parse()?;
/// let app = App::builder(MemoryStore::new()).clock(Standing(moment)).start().await?;
/// let (_, events) = app.dispatch(deposit("me", 5)).events().await?;
/// assert_eq!(events[0].recorded_at, moment);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Waits until [`Clock::now`] has come to a moment; not at all when it has.
    ///
    /// As it is, it sleeps for as long as there is between the two by now. A clock that is moved by hand
    /// completes it when it is moved there. Deadlines, delays and the retries of process managers' tasks are waited
    /// for here; pauses after technical failures are not, since no time of the domain passes in them.
    async fn wait_until(&self, moment: Timestamp) {
        tokio::time::sleep(moment.since(self.now())).await;
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_from_str_agree_to_the_microsecond() {
        for micros in [0, 1, -1, 1_700_000_000_123_456, 999_999, i64::MIN, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
        assert_eq!(Timestamp::from_micros(1).to_string(), "1970-01-01T00:00:00.000001Z");
    }
}
