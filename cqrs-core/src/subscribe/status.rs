//! How a subscriber is doing, for everybody to see.

use std::time::Duration;

use crate::{Position, Timestamp};

/// How a subscriber is doing.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// let deposited = app.dispatch(deposit("me", 5)).await?;
/// let mut status = app.watch_status("balances").ok_or("it runs")?;
/// let status = status.wait_for(|status| status.position >= deposited.position).await?;
/// assert_eq!((status.lag(), &status.state), (0, &SubscriberState::Running));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriberStatus {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: SubscriberKind,
    /// Whether it runs.
    pub state: SubscriberState,
    /// Its durable checkpoint: everything at or below is worked on, by whatever runner. An event that a handler has
    /// parked for an operator counts as worked on; one that it still tries does not.
    pub position: Position,
    /// The last position of the log, as far as the subscriber knows; not below its own. While it is behind, it
    /// looks once a second.
    pub head: Position,
    /// When the oldest event was recorded that it has read and not worked on yet. Of one that an event handler has put
    /// aside before its start it is when that was last tried.
    pub oldest_waiting: Option<Timestamp>,
    /// How many positions of the log it has come further each second, over the last few seconds.
    pub rate: u64,
    /// What went wrong last, with its causes, and when. It stays when all is well again.
    pub last_error: Option<(Timestamp, String)>,
    /// How many keys an event handler holds back, because an event of theirs is parked.
    pub parked: u64,
    /// How far a rebuild has come, while there is one.
    pub rebuild: Option<RebuildProgress>,
}

/// What a subscriber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberKind {
    /// A projection.
    Projection,
    /// A process manager.
    ProcessManager,
    /// An event handler.
    EventHandler,
}

/// Whether a subscriber runs.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// Whether somebody should be woken up.
/// fn is_bad(state: &SubscriberState) -> bool {
///     match state {
///         SubscriberState::Retrying { attempts, .. } => *attempts > 10,
///         SubscriberState::Stopped { error } => error.is_some(),
///         _ => false,
///     }
/// }
///
/// let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// assert!(!app.status().iter().any(|status| is_bad(&status.state)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberState {
    /// It works, or waits for events.
    Running,
    /// Its last attempt failed; it will try again.
    Retrying {
        /// How often in a row it has failed.
        attempts: u32,
        /// What went wrong last, with its causes.
        error: String,
        /// When it tries again.
        next_attempt: Timestamp,
    },
    /// Another runner works, in another process or in another application of this one. The status follows it, and
    /// this runner takes over when it ends.
    Waiting {
        /// Until when the other has the work, unless it renews that.
        until: Timestamp,
    },
    /// Its read model has the answers of an earlier version of the projection, and keeps them until those of this
    /// version are ready.
    Rebuilding,
    /// It has ended.
    Stopped {
        /// Why, unless the application has ended.
        error: Option<String>,
    },
}

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// Where it began.
    pub start: Position,
    /// Up to where it has come.
    pub position: Position,
    /// The last position of the log, as far as is known.
    pub head: Position,
    /// How many positions of the log it comes further each second, over the last few seconds.
    pub rate: u64,
}

impl SubscriberStatus {
    /// How many positions of the log it has still to come.
    pub fn lag(&self) -> u64 {
        self.head.as_u64().saturating_sub(self.position.as_u64())
    }

    /// How long the oldest event that it has read and not worked on has been waiting at `now`; zero when there
    /// is none.
    pub fn lag_time(&self, now: Timestamp) -> Duration {
        self.oldest_waiting.map_or(Duration::ZERO, |recorded| now.since(recorded))
    }
}

impl SubscriberState {
    /// Whether it has ended, for whatever reason.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }
}

impl RebuildProgress {
    /// How much is done, of 100.
    pub fn percent(&self) -> f64 {
        let all = self.head.as_u64().saturating_sub(self.start.as_u64());
        let done = self.position.as_u64().saturating_sub(self.start.as_u64());
        if all == 0 { 100.0 } else { (100.0 * done as f64 / all as f64).min(100.0) }
    }

    /// How long it takes still, at the present rate; `None` when that cannot be told.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.head.as_u64().saturating_sub(self.position.as_u64());
        match (left, self.rate) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (left, rate) => {
                Some(Duration::try_from_secs_f64(left as f64 / rate as f64).unwrap_or(Duration::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_of_what_there_is_to_do() {
        let progress = |start, position, head, rate| RebuildProgress {
            start: Position::new(start),
            position: Position::new(position),
            head: Position::new(head),
            rate,
        };
        assert_eq!(progress(0, 0, 0, 0).percent(), 100.0);
        assert_eq!(progress(0, 0, 0, 0).time_left(), Some(Duration::ZERO));
        assert_eq!(progress(100, 125, 200, 0).percent(), 25.0);
        assert_eq!(progress(100, 125, 200, 0).time_left(), None);
        assert_eq!(progress(100, 125, 200, 50).time_left(), Some(Duration::from_millis(1_500)));
        assert_eq!(progress(0, 0, u64::MAX, 1).time_left(), Some(Duration::MAX));
        // A log that was cut short, as a restored backup is.
        assert_eq!(
            (progress(9, 9, 5, 1).percent(), progress(9, 9, 5, 1).time_left()),
            (100.0, Some(Duration::ZERO))
        );
    }
}
