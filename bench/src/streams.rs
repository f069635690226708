//! Which stream a command goes to.

use serde::{Deserialize, Serialize};

/// How many streams there are, where they are many.
pub(crate) const STREAMS: u64 = 10_000;

/// How many events a long stream has before the clock runs.
pub(crate) const LONG: u64 = 10_000;

/// How many events a young stream has at most, as long as there are new ones.
const YOUNG: u64 = 1_000;

/// What clients write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Streams {
    /// Ten thousand, in no order that a cache would like.
    Many,
    /// One.
    Hot,
    /// One at a time, and a new one after a thousand commands: a hot stream that never grows long.
    Young,
    /// One that has ten thousand events already.
    Long,
}

impl Streams {
    /// How many of them there are.
    pub(crate) fn count(self) -> u64 {
        match self {
            Self::Many => STREAMS,
            Self::Hot | Self::Long => 1,
            Self::Young => 1_000,
        }
    }

    /// How many events each has before the clock runs.
    pub(crate) fn prepared_events(self) -> u64 {
        match self {
            Self::Long => LONG,
            _ => 1,
        }
    }

    /// The stream of a command, by the command's number.
    pub(crate) fn of(self, command: u64) -> u64 {
        match self {
            Self::Many => scatter(command) % STREAMS,
            Self::Hot | Self::Long => 0,
            Self::Young => command / YOUNG % self.count(),
        }
    }
}

/// Spreads numbers without an order that a cache would like.
pub(crate) fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_stream_makes_room_for_the_next_one() {
        let streams: Vec<_> =
            [0, 999, 1_000, 999_999, 1_000_000].map(|command| Streams::Young.of(command)).into();
        assert_eq!(streams, [0, 0, 1, 999, 0]);
    }

    #[test]
    fn many_streams_are_all_in_use() {
        let mut hits = vec![0_u32; STREAMS as usize];
        for command in 0..20 * STREAMS {
            hits[Streams::Many.of(command) as usize] += 1;
        }
        assert!(hits.iter().all(|hits| *hits > 0));
    }
}
