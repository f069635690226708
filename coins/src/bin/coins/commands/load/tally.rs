//! What became of the requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::mix::Kind;

/// The longest latency that is told apart from longer ones, in microseconds: beyond what a client waits for.
const LONGEST: u64 = 120_000_000;

/// The precision of latencies, in digits.
const DIGITS: u8 = 3;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// A rule of the currency refused it.
    Refused(String),
    /// It failed, by the code of the problem.
    Failed(String),
}

/// Counts of all kinds, for all clients.
#[derive(Debug, Default)]
pub(super) struct Tally([Mutex<Counts>; 3]);

/// What became of the requests of one kind.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) done: u64,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) failed: BTreeMap<String, u64>,
    /// Microseconds of all that the service has answered, refusals among them.
    pub(super) latencies: Option<Histogram<u64>>,
}

impl Default for Counts {
    fn default() -> Self {
        let (refused, failed) = (BTreeMap::new(), BTreeMap::new());
        Self { done: 0, refused, failed, latencies: Histogram::new_with_max(LONGEST, DIGITS).ok() }
    }
}

impl Counts {
    /// How many requests there were.
    pub(super) fn all(&self) -> u64 {
        self.done + self.refused.values().sum::<u64>() + self.failed.values().sum::<u64>()
    }

    /// A quantile of the latencies; none when nothing was answered.
    pub(super) fn quantile(&self, quantile: f64) -> Option<Duration> {
        let latencies = self.latencies.as_ref().filter(|latencies| !latencies.is_empty())?;
        Some(Duration::from_micros(latencies.value_at_quantile(quantile)))
    }
}

impl Tally {
    pub(super) fn count(&self, kind: Kind, outcome: Outcome, took: Duration) {
        let mut counts = self.lock(kind);
        match outcome {
            Outcome::Done => counts.done += 1,
            Outcome::Refused(rule) => *counts.refused.entry(rule).or_default() += 1,
            // How long a failure took tells nothing about the service.
            Outcome::Failed(code) => {
                *counts.failed.entry(code).or_default() += 1;
                return;
            }
        }
        if let Some(latencies) = &mut counts.latencies {
            latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
    }

    /// The counts as they are.
    pub(super) fn of(&self, kind: Kind) -> Counts {
        self.lock(kind).clone()
    }

    fn lock(&self, kind: Kind) -> MutexGuard<'_, Counts> {
        let counts = match kind {
            Kind::Mine => &self.0[0],
            Kind::Send => &self.0[1],
            Kind::Read => &self.0[2],
        };
        counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_count_by_rule_and_failures_leave_latencies_alone() {
        let tally = Tally::default();
        let millis = Duration::from_millis;
        tally.count(Kind::Send, Outcome::Done, millis(10));
        tally.count(Kind::Send, Outcome::Refused("not_enough_coins".into()), millis(20));
        tally.count(Kind::Send, Outcome::Failed("connection".into()), millis(9_000));
        let counts = tally.of(Kind::Send);
        assert_eq!((counts.all(), counts.done), (3, 1));
        assert_eq!((counts.refused["not_enough_coins"], counts.failed["connection"]), (1, 1));
        let most = counts.quantile(1.0).unwrap();
        assert!(most >= millis(20) && most < millis(21), "{most:?}");
        assert_eq!(tally.of(Kind::Read).quantile(0.5), None);
    }
}
