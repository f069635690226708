//! An event enum in Rust is a pair in the store: the variant's name, and its fields as JSON.
//!
//! Serde's own (externally tagged) form of an enum has both; this module takes them apart and puts them
//! together again, without a derive macro and without building a tree of JSON values in between.

mod read;
mod write;

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BoxError, Json};

/// Why an event cannot be encoded or decoded.
///
/// ```
/// use cqrs_core::{CodecError, Json, decode, encode};
///
/// #[derive(Debug, serde::Serialize, serde::Deserialize)]
/// enum AccountEvent {
///     Deposited { amount: u64 },
/// }
///
/// let (event_type, data) = encode(&AccountEvent::Deposited { amount: 5 })?;
/// assert!(decode::<AccountEvent>(event_type, &data).is_ok());
/// // The fields are not the variant's; what is wrong with them is its source.
/// let error = decode::<AccountEvent>("Deposited", &Json::parse(r#"{"amount":"five"}"#)?).unwrap_err();
/// assert!(matches!(error, CodecError::Mismatch { .. }));
/// // A struct has no variant to be named after.
/// assert!(matches!(encode(&[1, 2, 3]), Err(CodecError::NotAnEnum { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The Rust type is no plain serde enum.
    #[error(
        "an event type must be a plain serde enum (no `tag`, `untagged` or `transparent` attribute); found {found}"
    )]
    NotAnEnum {
        /// What serde made of it.
        found: &'static str,
    },
    /// The fields do not fit the variant, or the variant does not exist.
    #[error("cannot read it as {rust_type}")]
    Mismatch {
        /// The Rust type that was wanted.
        rust_type: &'static str,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// An event of a type of former days cannot be made one of today.
    #[error("event type {event_type:?} of former days cannot be upcast")]
    Upcast {
        /// The event type whose rule failed.
        event_type: String,
        /// Why.
        source: BoxError,
    },
    /// An event of a category that an event set does not have.
    #[error("category {category:?} is not in the event set {set}")]
    ForeignCategory {
        /// The event's category.
        category: String,
        /// The set's name.
        set: &'static str,
    },
    /// The fields cannot be written as JSON.
    #[error("cannot be written as JSON")]
    Unwritable {
        /// What cannot.
        source: serde_json::Error,
    },
}

/// Takes an enum apart: the variant's serde name, and its fields.
///
/// ```
/// # #[derive(serde::Serialize)]
/// enum AccountEvent {
///     CoinMined { nonce: u64 },
/// }
///
/// let (event_type, data) = cqrs_core::encode(&AccountEvent::CoinMined { nonce: 190 })?;
/// assert_eq!((event_type, data.as_str()), ("CoinMined", r#"{"nonce":190}"#));
/// # Ok::<(), cqrs_core::CodecError>(())
/// ```
///
/// A variant without fields has the data `null`, a newtype variant has its inner value's JSON, a tuple
/// variant an array.
///
/// # Errors
///
/// When `event` is no plain serde enum, or JSON cannot express its fields.
pub fn encode<E: Serialize>(event: &E) -> Result<(&'static str, Json), CodecError> {
    event.serialize(write::Variant).map_err(CodecError::from)
}

/// Puts an enum together from a variant's name and its fields: the inverse of [`encode`].
///
/// ```
/// # #[derive(Debug, PartialEq, serde::Deserialize)]
/// enum AccountEvent {
///     CoinMined { nonce: u64 },
/// }
///
/// let data = cqrs_core::Json::parse(r#"{"nonce":190}"#)?;
/// assert_eq!(cqrs_core::decode::<AccountEvent>("CoinMined", &data)?, AccountEvent::CoinMined { nonce: 190 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When there is no such variant, or the fields are not the variant's.
pub fn decode<E: DeserializeOwned>(event_type: &str, data: &Json) -> Result<E, CodecError> {
    E::deserialize(read::Variant { event_type, data: data.as_str() })
        .map_err(|source| CodecError::Mismatch { rust_type: type_name::<E>(), source })
}

impl From<write::Error> for CodecError {
    fn from(error: write::Error) -> Self {
        match error {
            write::Error::NotAnEnum(found) => Self::NotAnEnum { found },
            write::Error::Json(source) => Self::Unwritable { source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Sample {
        Struct {
            a: u64,
            b: Option<String>,
            c: f64,
        },
        Newtype(Vec<u8>),
        Optional(Option<u8>),
        Tuple(i64, String),
        #[serde(rename = "renamed")]
        Unit,
    }

    fn round_trip(event: Sample, event_type: &str, data: &str) {
        let encoded = encode(&event).unwrap();
        assert_eq!((encoded.0, encoded.1.as_str()), (event_type, data));
        assert_eq!(decode::<Sample>(encoded.0, &encoded.1).unwrap(), event);
    }

    #[test]
    fn every_kind_of_variant_makes_the_round_trip() {
        let text = "né\"\\ \u{0} 🦀".to_owned();
        round_trip(
            Sample::Struct { a: u64::MAX, b: Some(text), c: 0.1 },
            "Struct",
            r#"{"a":18446744073709551615,"b":"né\"\\ \u0000 🦀","c":0.1}"#,
        );
        round_trip(Sample::Newtype(vec![1, 2]), "Newtype", "[1,2]");
        round_trip(Sample::Optional(None), "Optional", "null");
        round_trip(Sample::Tuple(i64::MIN, String::new()), "Tuple", r#"[-9223372036854775808,""]"#);
        round_trip(Sample::Unit, "renamed", "null");
    }

    #[test]
    fn an_unknown_variant_and_wrong_fields_are_errors_that_say_so() {
        let says = |event_type, data| {
            let error = decode::<Sample>(event_type, &Json::parse(data).unwrap()).unwrap_err();
            std::error::Error::source(&error).unwrap().to_string()
        };
        assert!(says("Gone", "null").starts_with("unknown variant `Gone`, expected one of `Struct`"));
        assert!(says("Struct", r#"{"a":1}"#).starts_with("missing field `c`"));
        assert!(says("Tuple", "[1]").starts_with("invalid length 1"));
        assert!(says("renamed", "7").starts_with("invalid type: integer `7`, expected unit"));
    }

    #[test]
    fn a_tagged_enum_and_a_struct_are_refused_with_the_reason() {
        #[derive(Serialize)]
        #[serde(tag = "type")]
        enum Tagged {
            A { x: u8 },
        }
        assert!(matches!(encode(&Tagged::A { x: 1 }), Err(CodecError::NotAnEnum { found: "a struct" })));
        assert!(matches!(encode(&7_u8), Err(CodecError::NotAnEnum { found: "a number" })));
    }
}
