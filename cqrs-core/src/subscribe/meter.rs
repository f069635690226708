//! How fast something moves along the log.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::Position;

/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(5);

/// How far apart two samples are at least.
const GRAIN: Duration = Duration::from_millis(100);

/// Remembers where something was over the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Meter(VecDeque<(Instant, Position)>);

impl Meter {
    /// Notes where it is at a moment, and tells how many positions it has come further each second.
    pub(crate) fn rate(&mut self, now: Instant, position: Position) -> u64 {
        if self.0.back().is_some_and(|(_, last)| *last > position) {
            self.0.clear();
        }
        if self.0.back().is_none_or(|(at, _)| now - *at >= GRAIN) {
            self.0.push_back((now, position));
        }
        while self.0.len() > 2 && self.0.get(1).is_some_and(|(at, _)| now - *at >= WINDOW) {
            self.0.pop_front();
        }
        let Some((since, from)) = self.0.front() else { return 0 };
        let seconds = (now - *since).max(GRAIN).as_secs_f64();
        ((position.as_u64() - from.as_u64()) as f64 / seconds).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let began = Instant::now();
        let mut meter = Meter::default();
        let mut at =
            |millis, position| meter.rate(began + Duration::from_millis(millis), Position::new(position));
        assert_eq!(at(0, 500), 0);
        assert_eq!(at(1_000, 1_500), 1_000);
        assert_eq!(at(5_000, 1_500), 200);
        assert_eq!(at(60_000, 1_500), 0);
        assert_eq!(at(61_000, 2_500), 18);
        // A read model that begins anew is no negative rate.
        assert_eq!(at(62_000, 0), 0);
        assert_eq!(at(63_000, 70), 70);
    }
}
