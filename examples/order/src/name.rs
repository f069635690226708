//! What tells one article, customer or order from another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 40 letters, digits and hyphens, found {0:?}")]
pub struct InvalidName(String);

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                let fits = |c: char| c.is_alphanumeric() || c == '-';
                match (1..=40).contains(&text.chars().count()) && text.chars().all(fits) {
                    true => Ok(Self(text)),
                    false => Err(InvalidName(text)),
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// Names what the shop sells.
    Article
}

name! {
    /// Names who buys.
    Customer
}

name! {
    /// Names one order. Whatever is done for an order is done once under this name.
    OrderId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for good in ["a", "order-7", "Ärmel", &"x".repeat(40)] {
            assert_eq!(good.parse::<OrderId>().unwrap().to_string(), good);
        }
        for bad in ["", " ", "a b", "a/b", "a\n", &"x".repeat(41)] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad:?}");
        }
    }
}
