//! Which variants an enum has, by the names in the store.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    VariantAccess, Visitor,
};

/// The names of each variant: the one that is written, and its aliases. Empty when the type does not say, because
/// its `Deserialize` is written by hand.
///
/// A derived `Deserialize` hands all names to its deserialiser, those of one variant not side by side; which
/// of them mean the same variant comes out when each is offered to it.
pub(super) fn variants<E: DeserializeOwned>() -> Vec<Vec<&'static str>> {
    let mut groups: BTreeMap<u64, Vec<&'static str>> = BTreeMap::new();
    for &name in probe::<E>("").names {
        if let Some(variant) = probe::<E>(name).variant {
            groups.entry(variant).or_default().push(name);
        }
    }
    groups.into_values().collect()
}

/// What a type says of itself when it is deserialised.
#[derive(Default)]
struct Answer {
    names: &'static [&'static str],
    /// What stands for the variant of the name that was offered.
    variant: Option<u64>,
}

fn probe<E: DeserializeOwned>(name: &str) -> Answer {
    let mut answer = Answer::default();
    // It ends in an error as soon as the type has answered.
    let _ = E::deserialize(Probe { name, answer: &mut answer });
    answer
}

struct Probe<'a> {
    name: &'a str,
    answer: &'a mut Answer,
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("not an enum"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.answer.names = variants;
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Probe<'_> {
    type Error = Error;
    type Variant = Nothing;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Nothing), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        // What is inside is private to the type; that two of them are the same can be told all the same.
        let mut hasher = DefaultHasher::new();
        mem::discriminant(&seed.deserialize(name)?).hash(&mut hasher);
        self.answer.variant = Some(hasher.finish());
        Err(Error::custom("the variant is known"))
    }
}

/// The fields of a variant, which nobody gets to see.
enum Nothing {}

impl<'de> VariantAccess<'de> for Nothing {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self {}
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        match self {}
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        match self {}
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        match self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    fn sorted<E: DeserializeOwned>() -> Vec<Vec<&'static str>> {
        let mut all = variants::<E>();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_variant_is_known_by_all_its_names() {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[expect(dead_code, reason = "only its names are asked for")]
        enum Known {
            #[serde(alias = "zero", alias = "a-first-name")]
            WithFields {
                a: u8,
            },
            #[serde(rename = "renamed")]
            Newtype(String),
            Tuple(u8, u8),
            Unit,
        }
        let groups = sorted::<Known>();
        assert_eq!(
            groups,
            [vec!["a-first-name", "with-fields", "zero"], vec!["renamed"], vec!["tuple"], vec!["unit"]]
        );
    }

    #[test]
    fn an_enum_that_is_read_by_way_of_another_one_has_that_ones_names() {
        #[derive(Deserialize)]
        enum Old {
            A,
        }
        #[derive(Deserialize)]
        #[serde(from = "Old")]
        struct New;
        impl From<Old> for New {
            fn from(Old::A: Old) -> Self {
                Self
            }
        }
        assert_eq!(sorted::<New>(), [["A"]]);
    }

    #[test]
    fn what_is_no_enum_has_no_variants() {
        assert!(variants::<u8>().is_empty() && variants::<Vec<String>>().is_empty());
    }
}
