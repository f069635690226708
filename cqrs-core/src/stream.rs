//! Streams and the numbers that order events.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest stream id, in bytes of UTF-8: long enough for any sane key, short enough that an index
/// page of a database (4 KiB in SQLite) holds several.
pub const MAX_STREAM_ID_BYTES: usize = 512;

/// The name of a stream: a category and a key, written `category-key`, such as `account-me`.
///
/// The category contains no `-`, so the first `-` always ends it, and a key may contain anything but
/// control characters: two different pairs of category and key never share a name.
///
/// ```
/// use cqrs_core::StreamId;
///
/// let stream = StreamId::new("account", "mary-jane/1")?;
/// assert_eq!(stream.to_string(), "account-mary-jane/1");
/// assert_eq!(stream.category(), "account");
/// assert_eq!(stream.key(), "mary-jane/1");
/// # Ok::<(), cqrs_core::InvalidStreamId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StreamId(Arc<str>);

/// Why a text is no stream id.
///
/// ```
/// use cqrs_core::{InvalidStreamId, StreamId};
///
/// assert!(matches!(StreamId::new("account", ""), Err(InvalidStreamId::EmptyKey(_))));
/// assert!(matches!(StreamId::new("bank account", 7), Err(InvalidStreamId::Category(_))));
/// assert!(matches!("account".parse::<StreamId>(), Err(InvalidStreamId::NoSeparator(_))));
/// assert!(matches!(StreamId::new("account", "a\nb"), Err(InvalidStreamId::ControlCharacter(_))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStreamId {
    /// There is no `-` between a category and a key.
    #[error("stream id {0:?} has no `-` between category and key")]
    NoSeparator(String),
    /// The category is empty, or has a character that is not an ASCII letter, an ASCII digit or `_`.
    #[error("stream category {0:?} is not made of ASCII letters, digits and `_`")]
    Category(String),
    /// The key is empty.
    #[error("a stream of category {0:?} was given an empty key")]
    EmptyKey(String),
    /// The key has a control character.
    #[error("stream id {0:?} contains a control character")]
    ControlCharacter(String),
    /// The whole is longer than [`MAX_STREAM_ID_BYTES`].
    #[error("a stream id of {0} bytes exceeds the limit of {MAX_STREAM_ID_BYTES}")]
    TooLong(usize),
}

/// Whether a text can be a category: ASCII letters, digits and `_`, at least one of them.
pub(crate) const fn is_category(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if !(bytes[i].is_ascii_alphanumeric() || bytes[i] == b'_') {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty()
}

impl StreamId {
    /// Joins a category and a key.
    ///
    /// # Errors
    ///
    /// [`InvalidStreamId`] says which rule the category or the key breaks.
    pub fn new(category: &str, key: impl fmt::Display) -> Result<Self, InvalidStreamId> {
        if !is_category(category) {
            return Err(InvalidStreamId::Category(category.to_owned()));
        }
        format!("{category}-{key}").try_into()
    }

    /// The part before the first `-`.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&*self.0, |(category, _)| category)
    }

    /// The part after the first `-`.
    pub fn key(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, key)| key)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StreamId {
    type Error = InvalidStreamId;

    fn try_from(text: String) -> Result<Self, InvalidStreamId> {
        let Some((category, key)) = text.split_once('-') else {
            return Err(InvalidStreamId::NoSeparator(text));
        };
        if !is_category(category) {
            return Err(InvalidStreamId::Category(category.to_owned()));
        }
        if key.is_empty() {
            return Err(InvalidStreamId::EmptyKey(category.to_owned()));
        }
        if text.len() > MAX_STREAM_ID_BYTES {
            return Err(InvalidStreamId::TooLong(text.len()));
        }
        if key.chars().any(char::is_control) {
            return Err(InvalidStreamId::ControlCharacter(text));
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for StreamId {
    type Err = InvalidStreamId;

    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        text.to_owned().try_into()
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> Self {
        stream.0.as_ref().to_owned()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({:?})", self.0)
    }
}

macro_rules! counter {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// Wraps a number.
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number inside.
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The one that follows; the last one follows itself.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// `count` further on, at most the last one.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

counter! {
    /// The number of an event in its stream: 1, 2, 3 …; zero is the version of an empty stream.
    Version
}

counter! {
    /// The number of an event in the log of the whole store: dense, in commit order, from 1; zero is the
    /// origin, before the first event.
    ///
    /// ```
    /// use cqrs_core::Position;
    ///
    /// let read_up_to: Position = "41".parse()?;
    /// assert_eq!(read_up_to.next(), Position::new(42));
    /// assert!(Position::ZERO < read_up_to);
    /// # Ok::<(), std::num::ParseIntError>(())
    /// ```
    Position
}

/// What a writer believes of a stream when it appends.
///
/// ```
/// use cqrs_core::{ExpectedVersion, Version};
///
/// assert!(ExpectedVersion::Exact(Version::new(3)).matches(Version::new(3)));
/// assert!(!ExpectedVersion::NoStream.matches(Version::new(3)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpectedVersion {
    /// Nothing: append whatever the version.
    Any,
    /// The stream has no events yet.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream's last event has this version; zero is the same as [`ExpectedVersion::NoStream`].
    Exact(Version),
}

impl ExpectedVersion {
    /// Whether a stream at the version `actual` is as expected.
    pub fn matches(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual == Version::ZERO,
            Self::StreamExists => actual > Version::ZERO,
            Self::Exact(version) => actual == version,
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("an existing stream"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_any_separator_never_meets_another_stream() {
        let ids = ["a-b", "a/b", "a", "-", "é🦀", "account-me"];
        let streams: Vec<_> = ids.iter().map(|id| StreamId::new("account", id).unwrap()).collect();
        for (stream, id) in streams.iter().zip(ids) {
            assert_eq!((stream.category(), stream.key()), ("account", id));
            assert_eq!(stream.to_string().parse::<StreamId>().unwrap(), *stream);
        }
        assert!(StreamId::new("account-a", "b").is_err(), "a category has no separator");
    }

    #[test]
    fn bad_stream_ids_are_refused_by_name() {
        assert_eq!("plain".parse::<StreamId>(), Err(InvalidStreamId::NoSeparator("plain".into())));
        assert_eq!(StreamId::new("a", ""), Err(InvalidStreamId::EmptyKey("a".into())));
        assert!(matches!(StreamId::new("", "x"), Err(InvalidStreamId::Category(_))));
        assert!(matches!(StreamId::new("a", "x\0"), Err(InvalidStreamId::ControlCharacter(_))));
        let long = "x".repeat(MAX_STREAM_ID_BYTES);
        assert_eq!(StreamId::new("a", long), Err(InvalidStreamId::TooLong(MAX_STREAM_ID_BYTES + 2)));
    }
}
