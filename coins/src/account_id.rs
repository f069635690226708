//! Who owns coins.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest account id, in characters: at four bytes each it stays well below the limits of a stream id
/// and of an instance id, which also carry a category or a transfer's id.
pub const MAX_ACCOUNT_ID_CHARS: usize = 64;

/// Names an account: 1 to [`MAX_ACCOUNT_ID_CHARS`] characters of any script, without control characters
/// and without whitespace at either end.
///
/// ```
/// use coins::AccountId;
///
/// let me: AccountId = "me".parse()?;
/// assert_eq!(me.to_string(), "me");
/// assert!("".parse::<AccountId>().is_err());
/// # Ok::<(), coins::InvalidAccountId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

/// Why a text is no account id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccountId {
    /// It has no characters.
    #[error("an account id has 1 to {MAX_ACCOUNT_ID_CHARS} characters, found none")]
    Empty,
    /// It has more than [`MAX_ACCOUNT_ID_CHARS`] characters.
    #[error("an account id has 1 to {MAX_ACCOUNT_ID_CHARS} characters, found {0}")]
    TooLong(usize),
    /// It has a control character, such as a line break.
    #[error("an account id has no control characters, found {0:?}")]
    ControlCharacter(String),
    /// It begins or ends with whitespace, which nobody would see.
    #[error("an account id has no whitespace at its ends, found {0:?}")]
    Whitespace(String),
}

impl InvalidAccountId {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        "invalid_account"
    }
}

impl AccountId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        match text.chars().count() {
            0 => return Err(InvalidAccountId::Empty),
            1..=MAX_ACCOUNT_ID_CHARS => {}
            count => return Err(InvalidAccountId::TooLong(count)),
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidAccountId::ControlCharacter(text.to_owned()));
        }
        if text.trim().len() != text.len() {
            return Err(InvalidAccountId::Whitespace(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidAccountId;

    fn try_from(text: String) -> Result<Self, InvalidAccountId> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` and not `write_str`: an id in a column of text obeys the column's width.
        f.pad(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cqrs_core::{InstanceId, StreamId};
    use proptest::prelude::*;

    #[test]
    fn any_script_and_any_separator_can_name_an_account() {
        for text in ["me", "-", "a-b", "a/b", "né 🦀", "账户", "\u{200d}", "x y", "account-me", "'; --"]
        {
            assert_eq!(text.parse::<AccountId>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn bad_ids_are_refused_by_reason() {
        let refused = |text: &str| text.parse::<AccountId>().unwrap_err();
        assert_eq!(refused(""), InvalidAccountId::Empty);
        assert_eq!(refused(&"x".repeat(65)), InvalidAccountId::TooLong(65));
        assert_eq!(refused("a\nb"), InvalidAccountId::ControlCharacter("a\nb".into()));
        assert_eq!(refused("\0"), InvalidAccountId::ControlCharacter("\0".into()));
        for text in [" ", " me", "me ", "\u{3000}me", "me\u{a0}"] {
            assert_eq!(refused(text), InvalidAccountId::Whitespace(text.into()));
        }
        assert_eq!(refused("").code(), "invalid_account");
    }

    #[test]
    fn a_bad_id_in_json_is_refused() {
        let error = serde_json::from_str::<AccountId>(r#"" me""#).unwrap_err();
        assert!(
            error.to_string().starts_with(r#"an account id has no whitespace at its ends, found " me""#)
        );
    }

    #[test]
    fn the_longest_id_names_a_stream_and_an_instance() {
        let id: AccountId = "🦀".repeat(MAX_ACCOUNT_ID_CHARS).parse().unwrap();
        StreamId::new("account", &id).unwrap();
        InstanceId::new(format!("{}/{id}", crate::TransferId::random())).unwrap();
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_kept_to_the_byte_and_names_a_stream(text in any::<String>()) {
            if let Ok(id) = text.parse::<AccountId>() {
                prop_assert_eq!(id.as_str(), &text);
                prop_assert_eq!(&id.to_string(), &text);
                let json = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<AccountId>(&json).unwrap(), id.clone());
                let stream = StreamId::new("account", &id).unwrap();
                prop_assert_eq!(stream.key(), &text);
            }
        }

        #[test]
        fn printable_text_within_the_limit_is_accepted(text in "[^\\s\\p{C}]{1,64}") {
            prop_assert!(text.parse::<AccountId>().is_ok());
        }
    }
}
