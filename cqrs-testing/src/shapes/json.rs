//! When two JSON documents say the same.

use cqrs_core::Json;
use serde_json::{Number, Value};

/// The document as a tree. Integers beyond 64 bits lose digits here, so a tree is compared and never stored.
fn tree(json: &Json) -> Value {
    // A `Json` is valid by construction.
    json.decode().unwrap_or_default()
}

/// Whether two documents differ in nothing but the order of fields, and blanks.
pub(super) fn same(one: &Json, other: &Json) -> bool {
    one == other || tree(one) == tree(other)
}

/// Whether everything that a document says is still said by another, which may say more.
///
/// An absent field says as much as one that is null, and `1` as much as `1.0`.
pub(super) fn keeps(said: &Json, now: &Json) -> bool {
    within(&tree(said), &tree(now))
}

fn within(said: &Value, now: &Value) -> bool {
    match (said, now) {
        (Value::Object(said), Value::Object(now)) => {
            said.iter().all(|(name, value)| within(value, now.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(said), Value::Array(now)) => {
            said.len() == now.len() && said.iter().zip(now).all(|(said, now)| within(said, now))
        }
        (Value::Number(said), Value::Number(now)) => equal(said, now),
        (said, now) => said == now,
    }
}

fn equal(one: &Number, other: &Number) -> bool {
    /// Up to here a float tells every integer from its neighbours.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |number: &Number| number.is_i64() || number.is_u64();
    one == other
        || (whole(one) != whole(other)
            && one.as_f64() == other.as_f64()
            && one.as_f64().is_some_and(|number| number.abs() <= EXACT))
}

/// The document with a line for each field, fields in the order of their names.
pub(super) fn pretty(json: &Json) -> String {
    serde_json::to_string_pretty(&tree(json)).unwrap_or_else(|_| json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn the_order_of_fields_and_blanks_say_nothing() {
        assert!(same(&json(r#"{"a":1,"b":[2]}"#), &json(r#"{ "b": [2], "a": 1 }"#)));
        assert!(!same(&json("[1,2]"), &json("[2,1]")));
        assert!(!same(&json("1"), &json("1.0")));
    }

    #[test]
    fn more_may_be_said_and_nothing_may_be_lost() {
        let keeps = |said, now| keeps(&json(said), &json(now));
        assert!(keeps(r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"c":2},"d":3}"#));
        assert!(keeps(r#"[{"a":1}]"#, r#"[{"a":1,"b":2}]"#));
        assert!(!keeps(r#"{"a":1,"b":2}"#, r#"{"a":1}"#));
        assert!(!keeps(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!keeps("[1]", "[1,2]") && !keeps("[1,2]", "[1]"));
        assert!(!keeps(r#""1""#, "1"));
    }

    #[test]
    fn null_and_absent_are_one_and_so_are_equal_numbers() {
        let keeps = |said, now| keeps(&json(said), &json(now));
        assert!(keeps(r#"{"a":null}"#, "{}"));
        assert!(!keeps(r#"{"a":0}"#, "{}"));
        assert!(keeps("5", "5.0") && keeps("5.0", "5"));
        assert!(!keeps("18446744073709551615", "18446744073709551615.0"), "a float rounds it");
        assert!(!keeps("18446744073709551615", "18446744073709551614"));
    }
}
