//! What has happened in a scenario so far, as it is told when something fails.

use std::fmt;
use std::panic::Location;

#[derive(Clone, Default)]
pub(super) struct Story(String);

impl Story {
    pub(super) fn tell(&mut self, step: &str, what: &str) {
        self.0 += &format!("{step:>5} {what}\n");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What went well; an error fails the scenario.
    #[track_caller]
    pub(super) fn get<T>(&self, result: Result<T, String>) -> T {
        match result {
            Ok(value) => value,
            Err(why) => self.fail(&why),
        }
    }

    /// Fails a scenario that began to wait there: a future does not know who called it.
    pub(super) fn fail_at(&self, place: &Location<'_>, why: &str) -> ! {
        panic!("the scenario at {place} went another way\n{}\n{why}", self.0)
    }

    #[track_caller]
    pub(super) fn fail(&self, why: &str) -> ! {
        panic!("the scenario went another way\n{}\n{why}", self.0)
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
