//! The serializer that accepts an enum and nothing else.

use std::fmt;

use serde::ser::{Impossible, Serialize, SerializeStructVariant, SerializeTupleVariant, Serializer};

use crate::Json;

/// Serialises an enum into its variant's name and fields.
pub(super) struct Variant;

/// Why it cannot.
#[derive(Debug)]
pub(super) enum Error {
    NotAnEnum(&'static str),
    Json(serde_json::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnEnum(found) => write!(f, "found {found}"),
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Json(serde::ser::Error::custom(message))
    }
}

type Encoded = (&'static str, Json);

/// The fields of a struct or tuple variant, as far as they are written.
pub(super) struct Fields {
    variant: &'static str,
    json: Vec<u8>,
    close: u8,
}

impl Fields {
    fn open(variant: &'static str, open: u8, close: u8) -> Self {
        Self { variant, json: vec![open], close }
    }

    fn separate(&mut self) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        serde_json::to_writer(&mut self.json, value).map_err(Error::Json)
    }

    fn finish(mut self) -> Result<Encoded, Error> {
        self.json.push(self.close);
        let text = String::from_utf8(self.json).map_err(serde::ser::Error::custom)?;
        Ok((self.variant, Json::trusted(text)))
    }
}

impl SerializeStructVariant for Fields {
    type Ok = Encoded;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.separate();
        self.value(key)?;
        self.json.push(b':');
        self.value(value)
    }

    fn end(self) -> Result<Encoded, Error> {
        self.finish()
    }
}

impl SerializeTupleVariant for Fields {
    type Ok = Encoded;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        self.value(value)
    }

    fn end(self) -> Result<Encoded, Error> {
        self.finish()
    }
}

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) $found:literal;)*) => {
        $(fn $method(self $(, _: $argument)*) -> Result<Encoded, Error> {
            Err(Error::NotAnEnum($found))
        })*
    };
}

impl Serializer for Variant {
    type Ok = Encoded;
    type Error = Error;
    type SerializeSeq = Impossible<Encoded, Error>;
    type SerializeTuple = Impossible<Encoded, Error>;
    type SerializeTupleStruct = Impossible<Encoded, Error>;
    type SerializeTupleVariant = Fields;
    type SerializeMap = Impossible<Encoded, Error>;
    type SerializeStruct = Impossible<Encoded, Error>;
    type SerializeStructVariant = Fields;

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Encoded, Error> {
        Ok((variant, Json::trusted("null".to_owned())))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Encoded, Error> {
        Ok((variant, Json::of(value).map_err(Error::Json)?))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields::open(variant, b'[', b']'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, Error> {
        Ok(Fields::open(variant, b'{', b'}'))
    }

    refuse! {
        serialize_bool(bool) "a boolean";
        serialize_i8(i8) "a number";
        serialize_i16(i16) "a number";
        serialize_i32(i32) "a number";
        serialize_i64(i64) "a number";
        serialize_u8(u8) "a number";
        serialize_u16(u16) "a number";
        serialize_u32(u32) "a number";
        serialize_u64(u64) "a number";
        serialize_f32(f32) "a number";
        serialize_f64(f64) "a number";
        serialize_char(char) "a character";
        serialize_str(&str) "a string";
        serialize_bytes(&[u8]) "bytes";
        serialize_none() "an option";
        serialize_unit() "a unit";
        serialize_unit_struct(&'static str) "a unit struct";
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Encoded, Error> {
        Err(Error::NotAnEnum("an option"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<Encoded, Error> {
        Err(Error::NotAnEnum("a newtype struct"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(Error::NotAnEnum("a sequence"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(Error::NotAnEnum("a tuple"))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        Err(Error::NotAnEnum("a tuple struct"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(Error::NotAnEnum("a map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Err(Error::NotAnEnum("a struct"))
    }
}
