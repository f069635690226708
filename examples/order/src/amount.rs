//! How much money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of money in cents, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

/// None at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is at least 1, found 0")]
pub struct InvalidAmount;

impl Amount {
    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Amount {
    type Error = InvalidAmount;

    fn try_from(number: u64) -> Result<Self, InvalidAmount> {
        if number == 0 { Err(InvalidAmount) } else { Ok(Self(number)) }
    }
}

impl From<Amount> for u64 {
    fn from(number: Amount) -> Self {
        number.0
    }
}

/// With two decimals, such as `12.50`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_something_and_shows_its_cents() {
        assert_eq!(Amount::try_from(0), Err(InvalidAmount));
        assert_eq!(Amount::try_from(1_205).unwrap().to_string(), "12.05");
    }
}
