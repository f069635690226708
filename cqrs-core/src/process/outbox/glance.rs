//! When to look for tasks of which nobody tells: pure.

use std::time::Duration;

use tokio::time::Instant;

/// How soon after something has happened one looks what others have asked for because of it.
const SOON: Duration = Duration::from_millis(20);

/// Looks that come soon after something has happened, and then less and less often.
#[derive(Debug, Default)]
pub(super) struct Glances {
    next: Option<Instant>,
    pause: Duration,
}

impl Glances {
    /// Something has happened.
    pub(super) fn stir(&mut self, now: Instant) {
        self.pause = SOON;
        let soon = now + SOON;
        self.next = Some(self.next.map_or(soon, |next| next.min(soon)));
    }

    /// One has looked. Beyond the longest pause it is given up.
    pub(super) fn taken(&mut self, now: Instant, longest: Duration) {
        if self.next.take().is_some() {
            self.pause *= 2;
            self.next = (self.pause < longest).then(|| now + self.pause);
        }
    }

    /// When to look, at the latest at a moment.
    pub(super) fn next(&self, latest: Instant) -> Instant {
        self.next.map_or(latest, |next| next.min(latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_looks_soon_and_then_less_and_less_often() {
        let began = Instant::now();
        let longest = Duration::from_millis(100);
        let at = |millis| began + Duration::from_millis(millis);
        let mut glances = Glances::default();
        assert_eq!(glances.next(at(100)), at(100));
        glances.stir(at(0));
        assert_eq!(glances.next(at(100)), at(20));
        // What goes on happening puts nothing off.
        glances.stir(at(15));
        assert_eq!(glances.next(at(100)), at(20));
        glances.taken(at(20), longest);
        assert_eq!(glances.next(at(120)), at(60));
        glances.stir(at(30));
        assert_eq!(glances.next(at(120)), at(50));
        glances.taken(at(50), longest);
        glances.taken(at(90), longest);
        assert_eq!(glances.next(at(190)), at(170));
        glances.taken(at(170), longest);
        assert_eq!(glances.next(at(270)), at(270));
        // The pause grew on without an end once, and was too long for a moment to be told after it.
        for _ in 0..100 {
            glances.taken(at(270), longest);
        }
        assert_eq!(glances.next(at(370)), at(370));
    }
}
