//! Which requests are made, in which proportion.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Mine,
    Send,
    Read,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Mine, Self::Send, Self::Read];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Send => "send",
            Self::Read => "read",
        }
    }
}

/// Shares of the kinds: `2:1:1` is two requests that mine for one that sends and one that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub(crate) struct Mix([u16; 3]);

impl Mix {
    /// The kind of a client's request. Shares are kept in every round, and nothing is left to chance.
    pub(crate) fn kind(self, number: u64) -> Kind {
        let mut place = number % self.0.iter().map(|share| u64::from(*share)).sum::<u64>();
        for (kind, share) in Kind::ALL.into_iter().zip(self.0) {
            match place.checked_sub(share.into()) {
                Some(rest) => place = rest,
                None => return kind,
            }
        }
        Kind::Read
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "wanted are three whole numbers such as 2:1:1, and one of them above 0".to_owned();
        let shares: Result<Vec<u16>, _> = text.split(':').map(str::parse).collect();
        match shares.ok().and_then(|shares| shares.try_into().ok()) {
            Some(shares) if shares != [0; 3] => Ok(Self(shares)),
            _ => Err(wanted()),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mine, send, read] = self.0;
        write!(f, "{mine}:{send}:{read}")
    }
}

impl From<Mix> for String {
    fn from(mix: Mix) -> Self {
        mix.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_keeps_the_shares() {
        let mix: Mix = "3:0:2".parse().unwrap();
        assert_eq!(mix.to_string(), "3:0:2");
        let kinds: Vec<_> = (7..12).map(|number| mix.kind(number)).collect();
        for (kind, share) in Kind::ALL.into_iter().zip([3, 0, 2]) {
            assert_eq!(kinds.iter().filter(|it| **it == kind).count(), share, "{kind:?}");
        }
    }

    #[test]
    fn what_is_no_mix_is_refused() {
        for text in ["", "1", "1:2", "1:2:3:4", "0:0:0", "-1:1:1", "a:b:c", "1:1:65536", "1: 1:1"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
    }
}
