//! When two JSON documents say the same, and how they are shown.

use std::collections::BTreeMap;
use std::fmt::Write;

use cqrs_core::Json;
use serde_json::value::RawValue;

/// A document without the order of its fields. Numbers are the text that they are, so that none loses a digit.
#[derive(Debug, PartialEq)]
enum Tree {
    Object(BTreeMap<String, Tree>),
    Array(Vec<Tree>),
    /// A text, a number, a truth value or null, as JSON writes it.
    Leaf(String),
}

impl Tree {
    fn of(json: &Json) -> Self {
        Self::read(json.as_str().trim())
    }

    /// A document is what its first character says, since a `Json` is valid by construction.
    fn read(text: &str) -> Self {
        let children = |raw: &RawValue| Self::read(raw.get());
        let tree = match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(text).map(|fields| {
                Self::Object(fields.into_iter().map(|(name, raw)| (name, children(raw))).collect())
            }),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
                .map(|values| Self::Array(values.into_iter().map(children).collect())),
            // One character can be written in several ways.
            Some(b'"') => serde_json::from_str::<String>(text)
                .and_then(|text| serde_json::to_string(&text))
                .map(Self::Leaf),
            _ => Ok(Self::Leaf(text.to_owned())),
        };
        tree.unwrap_or_else(|_| Self::Leaf(text.to_owned()))
    }

    fn show(&self, indent: usize, text: &mut String) {
        let line = |text: &mut String, indent: usize| {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", indent));
        };
        let (open, close, children) = match self {
            Self::Leaf(leaf) => return text.push_str(leaf),
            Self::Object(fields) => {
                ('{', '}', fields.iter().map(|(name, value)| (Some(name), value)).collect::<Vec<_>>())
            }
            Self::Array(values) => ('[', ']', values.iter().map(|value| (None, value)).collect()),
        };
        text.push(open);
        for (index, (name, value)) in children.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { "," });
            line(text, indent + 1);
            if let Some(name) = name {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}: ", serde_json::Value::from(name.as_str()));
            }
            value.show(indent + 1, text);
        }
        if !children.is_empty() {
            line(text, indent);
        }
        text.push(close);
    }
}

/// Whether two documents differ in nothing but the order of fields, and blanks.
pub(crate) fn same(one: &Json, other: &Json) -> bool {
    one == other || Tree::of(one) == Tree::of(other)
}

/// Whether everything that a document says is still said by another, which may say more.
///
/// An absent field says as much as one that is null, and `1` as much as `1.0`.
pub(crate) fn keeps(said: &Json, now: &Json) -> bool {
    within(&Tree::of(said), &Tree::of(now))
}

/// The document with a line for each field, fields in the order of their names.
pub(crate) fn pretty(json: &Json) -> String {
    let mut text = String::new();
    Tree::of(json).show(0, &mut text);
    text
}

fn within(said: &Tree, now: &Tree) -> bool {
    match (said, now) {
        (Tree::Object(said), Tree::Object(now)) => said.iter().all(|(name, value)| match now.get(name) {
            Some(now) => within(value, now),
            None => *value == Tree::Leaf("null".to_owned()),
        }),
        (Tree::Array(said), Tree::Array(now)) => {
            said.len() == now.len() && said.iter().zip(now).all(|(said, now)| within(said, now))
        }
        (Tree::Leaf(said), Tree::Leaf(now)) => said == now || one_number(said, now),
        _ => false,
    }
}

/// Whether two texts are a whole number and the same one as a float.
fn one_number(one: &str, other: &str) -> bool {
    /// Up to here a float tells every integer from its neighbours.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |text: &str| !text.contains(['.', 'e', 'E']);
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(first), Ok(second)) => {
            first == second && (first.abs() <= EXACT || (!whole(one) && !whole(other)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn the_order_of_fields_and_blanks_say_nothing() {
        assert!(same(&json(r#"{"a":1,"b":[2]}"#), &json(r#" { "b": [ 2 ], "a": 1 }"#)));
        assert!(same(&json(r#""\u00e9""#), &json(r#""é""#)));
        assert!(!same(&json("[1,2]"), &json("[2,1]")));
        assert!(!same(&json("1"), &json("1.0")));
    }

    #[test]
    fn numbers_of_any_length_are_told_apart() {
        let (one, other) =
            ("340282366920938463463374607431768211455", "340282366920938463463374607431768211454");
        assert!(!same(&json(one), &json(other)) && !keeps(&json(one), &json(other)));
        assert_eq!(pretty(&json(one)), one);
    }

    #[test]
    fn more_may_be_said_and_nothing_may_be_lost() {
        let keeps = |said, now| keeps(&json(said), &json(now));
        assert!(keeps(r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"c":2},"d":3}"#));
        assert!(keeps(r#"[{"a":1}]"#, r#"[{"a":1,"b":2}]"#));
        assert!(!keeps(r#"{"a":1,"b":2}"#, r#"{"a":1}"#));
        assert!(!keeps(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!keeps("[1]", "[1,2]") && !keeps("[1,2]", "[1]"));
        assert!(!keeps(r#""1""#, "1") && !keeps("{}", "[]") && !keeps("true", "false"));
    }

    #[test]
    fn null_and_absent_are_one_and_so_are_equal_numbers() {
        let keeps = |said, now| keeps(&json(said), &json(now));
        assert!(keeps(r#"{"a":null}"#, "{}"));
        assert!(!keeps(r#"{"a":0}"#, "{}"));
        assert!(keeps("5", "5.0") && keeps("5.0", "5") && keeps("1e300", "1.0e300"));
        assert!(!keeps("18446744073709551615", "18446744073709551615.0"), "a float rounds it");
        assert!(!keeps("18446744073709551615", "18446744073709551614"));
    }

    #[test]
    fn what_is_shown_has_a_line_for_each_field() {
        let shown = pretty(&json(r#"{"b":[1,{"c":"\""}],"a":{},"d":[]}"#));
        assert_eq!(
            shown,
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"c\": \"\\\"\"\n    }\n  ],\n  \"d\": []\n}"
        );
    }
}
