//! What one run of one case came to.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::process::cpu_time;

/// One run of one case.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Events that were committed while the clock ran.
    pub(crate) events: u64,
    pub(crate) took: Took,
    /// What the clients saw; the raw engine has none.
    pub(crate) latencies: Option<Quantiles>,
    /// What our store was asked; the raw engine's transactions are what the case says.
    pub(crate) appends: Option<Appends>,
}

/// Time that went by, on the wall and on all cores together, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

/// What a store answered while the clock ran.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Appends {
    /// How many batches were committed.
    pub(crate) commits: u64,
    /// How many appends were refused because the stream was not as expected, and so were decided again.
    pub(crate) conflicts: u64,
}

/// How long commands took, in microseconds: so many of a hundred took no longer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.events as f64 / self.took.wall
    }

    /// CPU milliseconds for a thousand events.
    pub(crate) fn cpu_per_thousand(&self) -> f64 {
        self.took.cpu * 1_000_000.0 / self.events as f64
    }

    pub(crate) fn events_per_commit(&self) -> Option<f64> {
        self.appends.map(|appends| self.events as f64 / appends.commits as f64)
    }
}

impl Quantiles {
    pub(crate) fn of(latencies: &Histogram<u64>) -> Self {
        let at = |quantile| latencies.value_at_quantile(quantile) as f64;
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

/// A histogram of microseconds, to three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, Error> {
    Ok(Histogram::new(3)?)
}

/// Measures time on the wall and on the cores.
pub(crate) struct Stopwatch {
    start: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), cpu: cpu_time() }
    }

    pub(crate) fn started(&self) -> Instant {
        self.start
    }

    pub(crate) fn took(&self) -> Took {
        let wall = self.start.elapsed().as_secs_f64();
        Took { wall, cpu: cpu_time().saturating_sub(self.cpu).as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_per_second_per_thousand_and_per_commit() {
        let sample = Sample {
            events: 4_000,
            took: Took { wall: 2.0, cpu: 0.5 },
            latencies: None,
            appends: Some(Appends { commits: 40, conflicts: 0 }),
        };
        assert_eq!(sample.per_second(), 2_000.0);
        assert_eq!(sample.cpu_per_thousand(), 125.0);
        assert_eq!(sample.events_per_commit(), Some(100.0));
    }

    #[test]
    fn quantiles_are_those_of_the_histogram() {
        let mut latencies = histogram().unwrap();
        for micros in 1..=1_000 {
            latencies.record(micros).unwrap();
        }
        assert_eq!(Quantiles::of(&latencies), Quantiles { p50: 500.0, p99: 990.0, p999: 999.0 });
    }
}
