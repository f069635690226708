//! What a figure is meant to reach.

use serde::{Deserialize, Serialize};

/// A goal of a case.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) measure: Measure,
    pub(crate) bound: Bound,
}

/// Which of a case's figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measure {
    /// How much is done in a second.
    Rate,
    /// Events a second as a ratio to those of the named case.
    RatioTo(String),
    /// The 99th percentile of latency, in milliseconds.
    P99,
    /// Appends that were decided again, over all rounds.
    Conflicts,
}

/// On which side of a number a figure is good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A goal beside what was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) case: String,
    /// The figure, in words.
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) found: f64,
    pub(crate) met: bool,
}

impl Goal {
    pub(crate) fn ratio(to: &str, at_least: f64) -> Self {
        Self { measure: Measure::RatioTo(to.to_owned()), bound: Bound::AtLeast(at_least) }
    }

    pub(crate) fn rate(at_least: f64) -> Self {
        Self { measure: Measure::Rate, bound: Bound::AtLeast(at_least) }
    }

    pub(crate) fn p99(milliseconds: f64) -> Self {
        Self { measure: Measure::P99, bound: Bound::AtMost(milliseconds) }
    }

    pub(crate) fn no_conflicts() -> Self {
        Self { measure: Measure::Conflicts, bound: Bound::AtMost(0.0) }
    }

    /// Sets what was found beside it.
    pub(crate) fn judge(&self, case: &str, found: f64) -> Judged {
        Judged::new(case, self.measure.to_string(), self.bound, found)
    }
}

impl Judged {
    pub(crate) fn new(case: &str, what: String, bound: Bound, found: f64) -> Self {
        Self { case: case.to_owned(), what, bound, found, met: bound.holds(found) }
    }
}

impl Bound {
    /// What is no number meets nothing.
    pub(crate) fn holds(self, found: f64) -> bool {
        match self {
            Self::AtLeast(bound) => found >= bound,
            Self::AtMost(bound) => found <= bound,
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rate => f.write_str("a second"),
            Self::RatioTo(case) => write!(f, "ratio to {case}"),
            Self::P99 => f.write_str("p99, ms"),
            Self::Conflicts => f.write_str("commands decided again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_itself_is_good_enough() {
        assert!(Bound::AtLeast(0.75).holds(0.75) && !Bound::AtLeast(0.75).holds(0.749));
        assert!(Bound::AtMost(10.0).holds(10.0) && !Bound::AtMost(10.0).holds(10.1));
    }

    #[test]
    fn what_is_no_number_meets_no_goal() {
        assert!(!Bound::AtLeast(0.0).holds(f64::NAN) && !Bound::AtMost(0.0).holds(f64::NAN));
    }
}
