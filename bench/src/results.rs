//! What a whole run came to.

use serde::{Deserialize, Serialize};

use crate::case::{Case, Work};
use crate::cold::ColdResult;
use crate::disk::DiskResult;
use crate::goal::{Judged, Measure};
use crate::lag::LagResult;
use crate::machine::Machine;
use crate::memory::MemoryResult;
use crate::sample::{Quantiles, Sample};
use crate::statistics::Spread;
use crate::swap::SwapResult;

/// Everything that is shown, and nothing else.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// What was run.
    pub(crate) command: String,
    /// When it ended.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) cases: Vec<CaseResult>,
    pub(crate) cold: Vec<ColdResult>,
    pub(crate) disk: Vec<DiskResult>,
    pub(crate) lag: Option<LagResult>,
    pub(crate) swap: Option<SwapResult>,
    pub(crate) memory: Option<MemoryResult>,
    pub(crate) goals: Vec<Judged>,
}

/// A case over all rounds. What is one number is the median of the rounds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CaseResult {
    pub(crate) case: String,
    pub(crate) work: Work,
    /// Events a second.
    pub(crate) per_second: Spread,
    /// The case that it is set beside.
    pub(crate) beside: Option<String>,
    /// Of the ratios to it, round by round.
    pub(crate) ratio: Option<Spread>,
    /// Of commands, and for the raw engine of transactions.
    pub(crate) latency_micros: Option<Quantiles>,
    /// CPU milliseconds of the whole process for a thousand events.
    pub(crate) cpu_per_thousand: f64,
    pub(crate) events_per_commit: Option<f64>,
    /// Commands that were decided again, over all rounds.
    pub(crate) conflicts: Option<u64>,
}

/// The figures of cases that were run in rounds.
pub(crate) struct Figures<'a> {
    cases: &'a [Case],
    samples: &'a [Vec<Sample>],
}

impl<'a> Figures<'a> {
    pub(crate) fn new(cases: &'a [Case], samples: &'a [Vec<Sample>]) -> Self {
        Self { cases, samples }
    }

    pub(crate) fn results(&self) -> Vec<CaseResult> {
        self.cases
            .iter()
            .zip(self.samples)
            .filter_map(|(case, samples)| self.result(case, samples))
            .collect()
    }

    fn result(&self, case: &Case, samples: &[Sample]) -> Option<CaseResult> {
        Some(CaseResult {
            case: case.name.clone(),
            work: case.work,
            per_second: Spread::of(rates(samples))?,
            beside: case.beside.clone(),
            ratio: case.beside.as_ref().and_then(|beside| self.ratio(samples, beside)),
            latency_micros: quantiles(samples),
            cpu_per_thousand: median(samples.iter().map(Sample::cpu_per_thousand))?,
            events_per_commit: median(samples.iter().filter_map(Sample::events_per_commit)),
            conflicts: conflicts(samples),
        })
    }

    /// The goals that can be judged.
    pub(crate) fn goals(&self) -> Vec<Judged> {
        let mut judged = Vec::new();
        for (case, samples) in self.cases.iter().zip(self.samples) {
            for goal in &case.goals {
                let found = match &goal.measure {
                    Measure::Rate => median(rates(samples)),
                    Measure::RatioTo(other) => self.ratio(samples, other).map(|ratio| ratio.median),
                    Measure::P99 => quantiles(samples).map(|latency| latency.p99 / 1_000.0),
                    Measure::Conflicts => conflicts(samples).map(|conflicts| conflicts as f64),
                };
                judged.extend(found.map(|found| goal.judge(&case.name, found)));
            }
        }
        judged
    }

    fn ratio(&self, samples: &[Sample], beside: &str) -> Option<Spread> {
        let beside = self.cases.iter().position(|case| case.name == beside)?;
        Spread::of_ratios(&rates(samples), &rates(self.samples.get(beside)?))
    }
}

fn rates(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(Sample::per_second).collect()
}

fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

/// The medians of the rounds' quantiles.
pub(crate) fn quantiles(samples: &[Sample]) -> Option<Quantiles> {
    let of = |one: fn(&Quantiles) -> f64| {
        median(samples.iter().filter_map(|sample| sample.latencies.as_ref()).map(one))
    };
    Some(Quantiles {
        p50: of(|latency| latency.p50)?,
        p99: of(|latency| latency.p99)?,
        p999: of(|latency| latency.p999)?,
    })
}

fn conflicts(samples: &[Sample]) -> Option<u64> {
    samples.iter().map(|sample| sample.appends.map(|appends| appends.conflicts)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;
    use crate::sample::{Appends, Took};

    fn sample(events: u64, p99: f64, conflicts: u64) -> Sample {
        Sample {
            events,
            took: Took { wall: 1.0, cpu: 1.0 },
            latencies: Some(Quantiles { p50: 1.0, p99, p999: p99 }),
            appends: Some(Appends { commits: 1, conflicts }),
        }
    }

    #[test]
    fn a_case_is_the_median_of_its_rounds_and_of_the_ratios() {
        let cases = case::with("SQLite, 1 client");
        let samples = [
            vec![sample(100, 1.0, 0), sample(300, 1.0, 0), sample(200, 1.0, 0)],
            vec![sample(90, 4.0, 1), sample(210, 9.0, 0), sample(160, 5.0, 2)],
        ];
        let figures = Figures::new(&cases, &samples);
        let results = figures.results();
        let ratio = results[1].ratio.unwrap();
        assert_eq!((results[1].per_second.median, ratio.median, ratio.lowest), (160.0, 0.8, 0.7));
        assert_eq!(results[1].latency_micros.unwrap().p99, 5.0);
        assert_eq!(results[1].conflicts, Some(3));
        let goals = figures.goals();
        assert_eq!((goals.len(), goals[0].found, goals[0].met), (1, 0.8, false));
    }

    #[test]
    fn a_goal_beside_a_case_that_was_not_run_is_not_judged() {
        let cases = vec![case::with("SQLite, 1 client")[1].clone()];
        let samples = [vec![sample(100, 1.0, 0)]];
        let figures = Figures::new(&cases, &samples);
        assert!(figures.goals().is_empty());
        assert_eq!(figures.results()[0].ratio, None);
    }
}
