//! Upcasting: events that were stored long ago become today's.
//!
//! A stored event never changes. What changes is the enum that reads it. So each event type that the enum no longer
//! has gets a rule that says what it is today, on its JSON, before any Rust type sees it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::{BoxError, CodecError, Json};

type Change = dyn Fn(Value) -> Result<Value, BoxError> + Send + Sync;
type Split = dyn Fn(Value) -> Result<Vec<(&'static str, Value)>, BoxError> + Send + Sync;

/// What the stored event types of former days are today. See [`Event::upcasts`](crate::Event::upcasts).
///
/// Rules go from one stored name to others, and are chained: what a rule makes is looked up again. So each change of
/// an event's shape adds one rule, from the last shape to the new one, and no older rule is touched. A new shape has
/// a new stored name, such as `Deposited.2`, given with `#[serde(rename = "…")]`; that is how stored events of both
/// shapes are told apart.
///
/// ```
/// use cqrs_core::{Json, Upcasts};
/// use serde_json::json;
///
/// let upcasts = Upcasts::new()
///     .rename("Opened", "AccountOpened")
///     .change("Deposited", "Deposited.2", |mut data| {
///         data["currency"] = json!("EUR");
///         Ok(data)
///     })
///     .split("Moved", |data| {
///         Ok(vec![
///             ("Withdrawn", json!({ "amount": data["amount"] })),
///             ("Deposited", json!({ "amount": data["amount"] })),
///         ])
///     })
///     .discard("Pinged");
///
/// let moved = upcasts.upcast("Moved", &Json::parse(r#"{"amount":5}"#)?)?;
/// let moved: Vec<_> = moved.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
/// assert_eq!(
///     moved,
///     [("Withdrawn", r#"{"amount":5}"#), ("Deposited.2", r#"{"amount":5,"currency":"EUR"}"#)]
/// );
/// assert!(upcasts.upcast("Pinged", &Json::parse("null")?)?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Upcasts(BTreeMap<&'static str, Rule>);

enum Rule {
    Rename(&'static str),
    Change(&'static str, Box<Change>),
    Split(Box<Split>),
    Discard,
}

impl Upcasts {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// An event type has another name today, and the same fields.
    #[must_use]
    pub fn rename(self, from: &'static str, to: &'static str) -> Self {
        self.rule(from, Rule::Rename(to))
    }

    /// An event type has another name and other fields today.
    #[must_use]
    pub fn change(
        self,
        from: &'static str,
        to: &'static str,
        change: impl Fn(Value) -> Result<Value, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.rule(from, Rule::Change(to, Box::new(change)))
    }

    /// An event of this type is several events today, in this order; their names and fields.
    ///
    /// All of them have the position, the version and the id of the one that is stored.
    #[must_use]
    pub fn split(
        self,
        from: &'static str,
        split: impl Fn(Value) -> Result<Vec<(&'static str, Value)>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.rule(from, Rule::Split(Box::new(split)))
    }

    /// An event of this type means nothing today.
    #[must_use]
    pub fn discard(self, from: &'static str) -> Self {
        self.rule(from, Rule::Discard)
    }

    /// # Panics
    ///
    /// When the event type has a rule already.
    fn rule(mut self, from: &'static str, rule: Rule) -> Self {
        assert!(self.0.insert(from, rule).is_none(), "event type {from:?} has two upcasts");
        self
    }

    /// Whether an event type is one of former days.
    pub fn concerns(&self, event_type: &str) -> bool {
        self.0.contains_key(event_type)
    }

    /// What a stored event is today: names and fields, in order. One that has no rule is what it is.
    ///
    /// # Errors
    ///
    /// [`CodecError::Upcast`] when a rule fails, or when the rules lead round in a circle.
    pub fn upcast(&self, event_type: &str, data: &Json) -> Result<Vec<(String, Json)>, CodecError> {
        let mut events = Vec::with_capacity(1);
        self.chain(event_type, data, 0, &mut events)?;
        Ok(events)
    }

    /// `steps` counts the rules on the way; more than there are can only be a circle.
    fn chain(
        &self,
        event_type: &str,
        data: &Json,
        steps: usize,
        events: &mut Vec<(String, Json)>,
    ) -> Result<(), CodecError> {
        let failed = |source| CodecError::Upcast { event_type: event_type.to_owned(), source };
        let Some(rule) = self.0.get(event_type) else {
            events.push((event_type.to_owned(), data.clone()));
            return Ok(());
        };
        if steps == self.0.len() {
            return Err(failed("the upcasts lead round in a circle".into()));
        }
        let value = || data.decode::<Value>().map_err(|error| failed(error.into()));
        let json = |value: &Value| Json::of(value).map_err(|error| failed(error.into()));
        match rule {
            Rule::Discard => Ok(()),
            Rule::Rename(to) => self.chain(to, data, steps + 1, events),
            Rule::Change(to, change) => {
                let changed = change(value()?).map_err(failed)?;
                self.chain(to, &json(&changed)?, steps + 1, events)
            }
            Rule::Split(split) => {
                for (to, part) in split(value()?).map_err(failed)? {
                    self.chain(to, &json(&part)?, steps + 1, events)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Upcasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.0.iter().map(|(from, rule)| match rule {
            Rule::Rename(to) | Rule::Change(to, _) => format!("{from} -> {to}"),
            Rule::Split(_) => format!("{from} -> several"),
            Rule::Discard => format!("{from} -> nothing"),
        });
        f.debug_set().entries(rules).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe;
    use serde_json::json;

    fn upcast(upcasts: &Upcasts, event_type: &str, data: &Value) -> Vec<(String, Value)> {
        let events = upcasts.upcast(event_type, &Json::of(data).unwrap()).unwrap();
        events.into_iter().map(|(name, data)| (name, data.decode().unwrap())).collect()
    }

    fn named(event_type: &str, data: Value) -> (String, Value) {
        (event_type.to_owned(), data)
    }

    #[test]
    fn rules_are_chained_from_the_oldest_to_the_newest() {
        let upcasts = Upcasts::new()
            .rename("A", "B")
            .change("B", "C", |data| Ok(json!({ "was": data })))
            .change("C", "D", |data| Ok(json!([data])));
        assert_eq!(upcast(&upcasts, "A", &json!(1)), [named("D", json!([{ "was": 1 }]))]);
        assert_eq!(upcast(&upcasts, "C", &json!(1)), [named("D", json!([1]))]);
        assert_eq!(upcast(&upcasts, "D", &json!(1)), [named("D", json!(1))]);
        assert!(upcasts.concerns("C") && !upcasts.concerns("D"));
    }

    #[test]
    fn one_becomes_several_or_none_in_order_and_each_goes_on() {
        let upcasts = Upcasts::new()
            .split("Three", |_| Ok(vec![("One", json!(1)), ("Gone", json!(2)), ("New", json!(3))]))
            .rename("One", "Uno")
            .discard("Gone");
        assert_eq!(
            upcast(&upcasts, "Three", &json!(null)),
            [named("Uno", json!(1)), named("New", json!(3))]
        );
        assert_eq!(upcast(&upcasts, "Gone", &json!(null)), []);
    }

    #[test]
    fn a_rule_that_fails_and_a_circle_are_told_by_the_event_type() {
        let upcasts = Upcasts::new()
            .change("Bad", "Good", |_| Err("no amount".into()))
            .rename("Round", "About")
            .split("About", |data| Ok(vec![("Round", data)]));
        let told = |event_type| describe(&upcasts.upcast(event_type, &Json::of(&1).unwrap()).unwrap_err());
        assert_eq!(told("Bad"), "event type \"Bad\" of former days cannot be upcast: no amount");
        assert!(told("Round").ends_with("the upcasts lead round in a circle"), "{}", told("Round"));
    }

    #[test]
    fn a_renamed_event_keeps_its_text() {
        let text = Json::parse(r#"{ "b":1.10,"a":18446744073709551616 }"#).unwrap();
        let events = Upcasts::new().rename("A", "B").upcast("A", &text).unwrap();
        assert_eq!(events, [("B".to_owned(), text)]);
    }

    #[test]
    #[should_panic(expected = "event type \"A\" has two upcasts")]
    fn two_rules_for_one_event_type_are_refused() {
        let _ = Upcasts::new().rename("A", "B").discard("A");
    }
}
