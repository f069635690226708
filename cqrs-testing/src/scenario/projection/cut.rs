//! How a log is cut into batches.

use std::fmt;
use std::ops::Range;

/// One way to cut a log into batches.
#[derive(Debug, PartialEq)]
pub(super) struct Cut {
    pub(super) batches: Vec<Range<usize>>,
    /// Whether each event is projected by itself, after a start of its own.
    pub(super) singly: bool,
}

/// Up to here a log is cut in every way that is listed; beyond, batches are of powers of two.
const ALL: usize = 32;

/// One by one first; then batches of each size, and two batches cut at each place.
pub(super) fn cuts(events: usize) -> Vec<Cut> {
    let chunks =
        |size: usize| (0..events).step_by(size).map(|from| from..events.min(from + size)).collect();
    let mut cuts = vec![Cut { batches: chunks(1), singly: true }];
    let sizes = || (1..=events).filter(|size| events <= ALL || *size == events || size.is_power_of_two());
    let ways = sizes()
        .map(chunks)
        .chain(sizes().filter(|size| *size < events).map(|size| vec![0..size, size..events]));
    for batches in ways {
        let cut = Cut { batches, singly: false };
        if !cuts.contains(&cut) {
            cuts.push(cut);
        }
    }
    cuts
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.batches.iter().map(|batch| batch.len().to_string()).collect();
        match &sizes[..] {
            _ if self.singly => f.write_str("one by one"),
            [all] => write!(f, "in one batch of {all}"),
            sizes => write!(f, "in batches of {}", sizes.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_and_every_place_to_cut_is_there_once() {
        let told = |events| cuts(events).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told(0), ["one by one"]);
        assert_eq!(told(1), ["one by one", "in one batch of 1"]);
        assert_eq!(
            told(4),
            [
                "one by one",
                "in batches of 1, 1, 1, 1",
                "in batches of 2, 2",
                "in batches of 3, 1",
                "in one batch of 4",
                "in batches of 1, 3"
            ]
        );
    }

    #[test]
    fn every_cut_has_all_events_and_long_logs_have_few_cuts() {
        for events in [1, 7, 32, 1_000] {
            for cut in cuts(events) {
                let all: Vec<_> = cut.batches.iter().cloned().flatten().collect();
                assert_eq!(all, (0..events).collect::<Vec<_>>());
                assert!(cut.batches.iter().all(|batch| !batch.is_empty()), "{cut}");
            }
        }
        assert!(cuts(1_000).len() < 25);
    }
}
