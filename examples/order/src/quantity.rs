//! How many pieces.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of pieces, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Quantity(u64);

/// None at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is at least 1, found 0")]
pub struct InvalidQuantity;

impl Quantity {
    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(number: u64) -> Result<Self, InvalidQuantity> {
        if number == 0 { Err(InvalidQuantity) } else { Ok(Self(number)) }
    }
}

impl From<Quantity> for u64 {
    fn from(number: Quantity) -> Self {
        number.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
