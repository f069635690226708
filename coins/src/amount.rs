//! How many coins.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest part of a bad text that an error repeats, in characters.
const MAX_SHOWN_CHARS: usize = 40;

/// A number of coins to move: 1 to 2⁶³ − 1, so that it fits any database's integer.
///
/// ```
/// use coins::Amount;
///
/// assert_eq!("3".parse::<Amount>()?.as_u64(), 3);
/// assert!("0".parse::<Amount>().is_err());
/// # Ok::<(), coins::InvalidAmount>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

/// Why a number or a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAmount {
    /// It is zero.
    #[error("an amount is at least 1, found 0")]
    Zero,
    /// It is below zero.
    #[error("an amount is at least 1, found {0}")]
    Negative(String),
    /// It is above 2⁶³ − 1.
    #[error("an amount is at most {max}, found {0}", max = Amount::MAX)]
    TooLarge(String),
    /// It is not a whole number in decimal digits.
    #[error("an amount is a whole number in digits, found {0:?}")]
    NotANumber(String),
}

impl InvalidAmount {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        "invalid_amount"
    }
}

impl Amount {
    /// One coin.
    pub const MIN: Self = Self(1);

    /// The most that can be moved at once.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The number of coins.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Amount {
    type Error = InvalidAmount;

    fn try_from(coins: u64) -> Result<Self, InvalidAmount> {
        match Self(coins) {
            Self(0) => Err(InvalidAmount::Zero),
            amount if amount > Self::MAX => Err(InvalidAmount::TooLarge(coins.to_string())),
            amount => Ok(amount),
        }
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidAmount::NotANumber(shown(text)));
        }
        if digits.bytes().all(|byte| byte == b'0') {
            return Err(InvalidAmount::Zero);
        }
        if digits.len() < text.len() {
            return Err(InvalidAmount::Negative(shown(text)));
        }
        // Nothing but digits is left, so the only thing that can be wrong is their number.
        digits.parse::<u64>().map_err(|_| InvalidAmount::TooLarge(shown(text)))?.try_into()
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> InvalidAmount {
        text.parse::<Amount>().unwrap_err()
    }

    #[test]
    fn the_limits_are_one_and_the_largest_signed_number() {
        assert_eq!("1".parse(), Ok(Amount::MIN));
        assert_eq!("9223372036854775807".parse(), Ok(Amount::MAX));
        assert_eq!("007".parse::<Amount>().unwrap().as_u64(), 7);
        let over = "9223372036854775808";
        assert_eq!(refused(over), InvalidAmount::TooLarge(over.into()));
        let far_over = "100000000000000000000000";
        assert_eq!(refused(far_over), InvalidAmount::TooLarge(far_over.into()));
    }

    #[test]
    fn zero_negative_and_nonsense_are_refused_by_reason() {
        assert_eq!(refused("0"), InvalidAmount::Zero);
        assert_eq!(refused("-0"), InvalidAmount::Zero);
        assert_eq!(refused("-5"), InvalidAmount::Negative("-5".into()));
        assert_eq!(
            refused("-99999999999999999999"),
            InvalidAmount::Negative("-99999999999999999999".into())
        );
        for text in ["", "-", "--5", "+5", "1.5", "1e3", "0x10", " 1", "1 ", "ten", "١", "1_000", "NaN"] {
            assert_eq!(refused(text), InvalidAmount::NotANumber(text.into()));
        }
        assert_eq!(refused("").code(), "invalid_amount");
        assert_eq!(refused("-5").to_string(), "an amount is at least 1, found -5");
    }

    #[test]
    fn an_error_does_not_repeat_a_text_without_end() {
        assert!(refused(&"9".repeat(100_000)).to_string().chars().count() < 100);
        assert!(refused(&"é".repeat(100_000)).to_string().chars().count() < 100);
    }

    #[test]
    fn a_bad_amount_in_json_is_refused() {
        for json in ["0", "-5", "1.5", "9223372036854775808", "18446744073709551616", "\"3\"", "null"] {
            assert!(serde_json::from_str::<Amount>(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::from_str::<Amount>("3").unwrap().as_u64(), 3);
    }

    proptest! {
        #[test]
        fn display_from_str_and_json_agree(coins in 1..=i64::MAX as u64) {
            let amount = Amount::try_from(coins).unwrap();
            prop_assert_eq!(amount.to_string().parse::<Amount>(), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(&json, &coins.to_string());
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        }

        #[test]
        fn any_text_is_an_amount_or_an_error_and_never_another_number(text in any::<String>()) {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert_eq!(text.trim_start_matches('0'), amount.to_string());
            }
        }

        #[test]
        fn every_whole_number_is_judged_by_its_value(number in any::<i128>()) {
            let expected = (1..=i128::from(i64::MAX)).contains(&number);
            prop_assert_eq!(number.to_string().parse::<Amount>().is_ok(), expected);
        }
    }
}
