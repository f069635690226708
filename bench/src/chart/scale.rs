//! From figures to places on a chart.

/// Figures along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// What is at the two ends, as shown.
    ends: (f64, f64),
    /// Where the two ends are.
    at: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// A logarithmic one for figures above zero, with some room beyond the smallest and the largest; `None` if
    /// there are no such figures.
    pub(super) fn logarithmic(
        figures: impl IntoIterator<Item = f64>,
        room: f64,
        at: (f64, f64),
    ) -> Option<Self> {
        let (lowest, highest) = figures
            .into_iter()
            .filter(|figure| figure.is_finite() && *figure > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), figure| (low.min(figure), high.max(figure)));
        (highest > 0.0).then(|| Self { ends: (lowest / room, highest * room), at, logarithmic: true })
    }

    /// One from zero to a figure.
    pub(super) fn to(figure: f64, at: (f64, f64)) -> Self {
        Self { ends: (0.0, figure), at, logarithmic: false }
    }

    /// Where a figure is.
    pub(super) fn place(&self, figure: f64) -> f64 {
        let bent = |figure: f64| if self.logarithmic { figure.ln() } else { figure };
        let (low, high) = (bent(self.ends.0), bent(self.ends.1));
        let part = if high > low { (bent(figure) - low) / (high - low) } else { 0.5 };
        self.at.0 + part * (self.at.1 - self.at.0)
    }

    /// Round figures on it: 1, 2 and 5 of each power of ten.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let step = round_step(self.ends.1 / 8.0);
            return (0..)
                .map(|tick| f64::from(tick) * step)
                .take_while(|tick| *tick <= self.ends.1)
                .collect();
        }
        let (low, high) = (self.ends.0.log10().floor() as i32, self.ends.1.log10().ceil() as i32);
        let round = (low..=high).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
        round.filter(|tick| (self.ends.0..=self.ends.1).contains(tick)).collect()
    }
}

/// The smallest of 1, 2 and 5 of a power of ten that is not below the figure.
fn round_step(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.log10().floor());
    let digits = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    digits.into_iter().find(|step| *step >= figure).unwrap_or(figure)
}

/// Moves places apart that are closer to each other than the gap, as little as a single pass can. They keep their
/// order, and none goes beyond the end.
pub(super) fn spread_apart(places: &[f64], gap: f64, end: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..places.len()).collect();
    order.sort_by(|one, other| places[*one].total_cmp(&places[*other]));
    let mut apart = places.to_vec();
    let mut lowest = f64::NEG_INFINITY;
    for index in &order {
        apart[*index] = apart[*index].max(lowest);
        lowest = apart[*index] + gap;
    }
    let mut highest = end;
    for index in order.iter().rev() {
        apart[*index] = apart[*index].min(highest);
        highest = apart[*index] - gap;
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let scale = Scale::logarithmic([1.0, 100.0], 1.0, (300.0, 100.0)).unwrap();
        assert_eq!([1.0, 10.0, 100.0].map(|figure| scale.place(figure).round()), [300.0, 200.0, 100.0]);
        assert_eq!(scale.ticks(), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
    }

    #[test]
    fn a_scale_from_zero_has_even_steps() {
        let scale = Scale::to(2.0, (0.0, 400.0));
        assert_eq!(scale.place(0.5), 100.0);
        assert_eq!(scale.ticks(), [0.0, 0.5, 1.0, 1.5, 2.0]);
    }

    #[test]
    fn nothing_has_no_scale_and_one_figure_is_in_the_middle() {
        assert!(Scale::logarithmic([0.0, f64::NAN], 2.0, (0.0, 1.0)).is_none());
        let scale = Scale::logarithmic([7.0], 1.0, (0.0, 10.0)).unwrap();
        assert_eq!(scale.place(7.0), 5.0);
    }

    #[test]
    fn labels_do_not_stand_on_each_other() {
        assert_eq!(spread_apart(&[10.0, 50.0, 12.0], 16.0, 100.0), [10.0, 50.0, 26.0]);
        assert_eq!(spread_apart(&[98.0, 99.0], 16.0, 100.0), [84.0, 100.0]);
    }
}
