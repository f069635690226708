//! Fields of events that come, go and change.

use cqrs_core::Event;
use cqrs_testing::PersistedShapes;
use serde::{Deserialize, Serialize};

use super::{FILLED, Place, event};

#[test]
fn what_is_frozen_and_written_alike_holds() {
    event!(JarEvent { Filled { sweets: u32, by: String } });
    let place = Place::new(FILLED);
    place.shapes().event(&JarEvent::Filled { sweets: 5, by: "me".into() }).check();
}

#[test]
fn fields_in_another_order_are_the_same_form() {
    event!(JarEvent { Filled { by: String, sweets: u32 } });
    let place = Place::new(FILLED);
    place.shapes().event(&JarEvent::Filled { sweets: 5, by: "me".into() }).check();
}

#[test]
fn what_is_not_frozen_fails_and_says_how_to_freeze_it() {
    event!(JarEvent { Filled { sweets: u32, by: String } });
    let said = Place::new("").says(|shapes| shapes.event(&JarEvent::Filled { sweets: 5, by: "me".into() }));
    assert_eq!(
        said,
        r#"event jar Filled: not frozen yet
    {"sweets":5,"by":"me"}
  to do: run this test with UPDATE_SHAPES=1, and commit the file: it is frozen then.
"#
    );
}

#[test]
fn a_field_with_a_default_is_a_compatible_change() {
    event!(JarEvent { Filled { sweets: u32, by: String, #[serde(default)] kind: Option<String> } });
    let place = Place::new(FILLED);
    let filled = JarEvent::Filled { sweets: 5, by: "me".into(), kind: Some("sour".into()) };
    assert_eq!(
        place.says(|shapes| shapes.event(&filled)),
        r#"event jar Filled: a new form, and a compatible one: what is stored can still be read
  the difference (- frozen, + written today):
      {
        "by": "me",
    +   "kind": "sour",
        "sweets": 5
      }
  to do: run this test with UPDATE_SHAPES=1, and commit the file: the new form is added, and the old one must stay readable.
"#
    );
    let both = format!(
        r#"{FILLED},{{"entry":"event jar Filled","stored":{{"sweets":5,"by":"me","kind":"sour"}}}}"#
    );
    Place::new(&both).shapes().event(&filled).check();
}

#[test]
fn a_field_without_a_default_breaks_what_is_stored() {
    event!(JarEvent { Filled { sweets: u32, by: String, kind: String } });
    let filled = JarEvent::Filled { sweets: 5, by: "me".into(), kind: "sour".into() };
    assert_eq!(
        Place::new(FILLED).says(|shapes| shapes.event(&filled)),
        r#"event jar Filled: what is stored can no longer be read: missing field `kind` at line 1 column 22
    {"sweets":5,"by":"me"}
  the difference (- frozen, + written today):
      {
        "by": "me",
    +   "kind": "sour",
        "sweets": 5
      }
  to do: keep the stored form readable. A field that is new: `#[serde(default)]`. A field or variant with a new name: `#[serde(rename = "…")]` with the stored one, or `#[serde(alias = "…")]`. Any other change: a new stored name, and an upcast of the old one (`Event::upcasts`).
"#
    );
}

#[test]
fn a_form_is_compared_with_the_sample_that_is_nearest() {
    event!(JarEvent { Filled { sweets: u32, by: String, kind: String } });
    let filled = |sweets, by: &str| JarEvent::Filled { sweets, by: by.into(), kind: "sour".into() };
    let said = Place::new(FILLED)
        .says(|shapes| shapes.event(&filled(1, "you")).event(&filled(5, "me")).event(&filled(9, "them")));
    assert!(
        said.contains("        \"by\": \"me\",\n    +   \"kind\": \"sour\",\n        \"sweets\": 5\n"),
        "{said}"
    );
}

/// A form that no code writes any more lies in every store for ever.
#[test]
fn a_form_of_two_versions_ago_must_still_be_readable() {
    event!(JarEvent { Filled { sweets: u32, by: String } });
    let oldest = r#"{"entry":"event jar Filled","stored":{"sweets":5}}"#;
    let place = Place::new(&format!("{oldest},{FILLED}"));
    let said = place.says(|shapes| shapes.event(&JarEvent::Filled { sweets: 5, by: "me".into() }));
    assert!(said.starts_with("event jar Filled: what is stored can no longer be read: missing field `by`"));
}

/// With a default in its place the stored value is gone, and nothing fails.
#[test]
fn a_renamed_field_with_a_default_is_no_compatible_change() {
    event!(JarEvent { Filled { #[serde(default)] pieces: u32, by: String } });
    let filled = JarEvent::Filled { pieces: 5, by: "me".into() };
    assert_eq!(
        Place::new(FILLED).says(|shapes| shapes.event(&filled)),
        r#"event jar Filled: what is stored can be read, but something of it is lost or has another name
  the difference (- stored, + read and written again):
      {
        "by": "me",
    -   "sweets": 5
    +   "pieces": 0
      }
  to do: a field with a new name wants `#[serde(alias = "…")]` with the stored one. If that is done, or if the field is given up for good, say so in the file, in this form's line: "read_as":{"pieces":0,"by":"me"}
"#
    );
}

#[test]
fn what_the_file_says_an_old_form_is_read_as_must_hold() {
    event!(JarEvent { Filled { #[serde(alias = "sweets")] pieces: u32, by: String } });
    let old =
        r#"{"entry":"event jar Filled","stored":{"sweets":5,"by":"me"},"read_as":{"pieces":5,"by":"me"}}"#;
    let new = r#"{"entry":"event jar Filled","stored":{"pieces":5,"by":"me"}}"#;
    let place = Place::new(&format!("{old},{new}"));
    place.shapes().event(&JarEvent::Filled { pieces: 5, by: "me".into() }).check();

    mod without_the_alias {
        use super::*;
        event!(JarEvent { Filled { #[serde(default)] pieces: u32, by: String } });
        pub(super) fn sample(shapes: PersistedShapes) -> PersistedShapes {
            shapes.event(&JarEvent::Filled { pieces: 5, by: "me".into() })
        }
    }
    let said = place.says(without_the_alias::sample);
    assert_eq!(
        said,
        r#"event jar Filled: what is stored is read otherwise than the file says
  the difference (- read_as, + read and written again):
      {
        "by": "me",
    -   "pieces": 5
    +   "pieces": 0
      }
  to do: let it be read as before, for instance with `#[serde(alias = "…")]`.
"#
    );
}
