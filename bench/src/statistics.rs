//! The arithmetic of what was measured several times.

use serde::{Deserialize, Serialize};

/// What several rounds came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// Of the values of all rounds; `None` without any.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (lowest, highest) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[half],
            _ => f64::midpoint(values[half - 1], values[half]),
        };
        Some(Self { median, lowest, highest })
    }

    /// Of the ratios round by round: both values of a ratio were measured close to each other, so what slows the
    /// machine down for a while is in both.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        Self::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
    }
}

/// The smallest of the values that at least this part of them does not exceed; `None` without any.
pub(crate) fn quantile(values: impl IntoIterator<Item = f64>, part: f64) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let rank = (part * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_in_the_middle() {
        let median = |values: &[f64]| Spread::of(values.iter().copied()).map(|spread| spread.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[1_000.0, 10.0, 20.0]), Some(20.0));
        assert_eq!(median(&[1_000.0, 10.0, 30.0, 20.0]), Some(25.0));
    }

    #[test]
    fn a_spread_tells_the_lowest_and_the_highest() {
        let spread = Spread::of([3.0, 9.0, 1.0]).unwrap();
        assert_eq!((spread.lowest, spread.highest), (1.0, 9.0));
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        // The machine was three times as fast in the second round.
        let spread = Spread::of_ratios(&[8.0, 27.0, 7.0], &[10.0, 30.0, 10.0]).unwrap();
        assert_eq!((spread.lowest, spread.median, spread.highest), (0.7, 0.8, 0.9));
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values = || (1..=200).rev().map(f64::from);
        assert_eq!(quantile(values(), 0.5), Some(100.0));
        assert_eq!(quantile(values(), 0.99), Some(198.0));
        assert_eq!(quantile(values(), 1.0), Some(200.0));
        assert_eq!(quantile([7.0], 0.01), Some(7.0));
        assert_eq!(quantile([], 0.5), None);
    }
}
