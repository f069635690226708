//! Variants of events that come, go and change.

use cqrs_core::Event;
use cqrs_testing::PersistedShapes;
use serde::{Deserialize, Serialize};

use super::{FILLED, Place, event};

#[test]
fn a_variant_without_a_sample_fails_whether_it_was_frozen_or_not() {
    event!(JarEvent { Filled { sweets: u32, by: String }, Emptied {}, #[serde(rename = "dropped")] Broken {} });
    let emptied = r#"{"entry":"event jar Emptied","stored":{}}"#;
    let place = Place::new(&format!("{FILLED},{emptied}"));
    let said = place.says(|shapes| shapes.event(&JarEvent::Filled { sweets: 5, by: "me".into() }));
    let rust_type = std::any::type_name::<JarEvent>();
    assert_eq!(
        said,
        format!(
            "event jar Emptied: a variant of {rust_type} without a sample\n  \
               to do: list a sample of it with `.event(…)`.\n\n\
             event jar dropped: a variant of {rust_type} without a sample\n  \
               to do: list a sample of it with `.event(…)`.\n"
        )
    );
    let all = |shapes: PersistedShapes| {
        let filled = JarEvent::Filled { sweets: 5, by: "me".into() };
        shapes.event(&filled).event(&JarEvent::Emptied {}).event(&JarEvent::Broken {})
    };
    assert!(place.says(all).starts_with("event jar dropped: not frozen yet"));
}

#[test]
fn a_variant_that_is_gone_fails_and_says_how_to_retire_it() {
    event!(JarEvent { Emptied {} });
    let emptied = r#"{"entry":"event jar Emptied","stored":{}}"#;
    let place = Place::new(&format!("{FILLED},{emptied}"));
    assert_eq!(
        place.says(|shapes| shapes.event(&JarEvent::Emptied {})),
        r#"event jar Filled: stored once, and cannot be read: unknown variant `Filled`, expected `Emptied`
    {"sweets":5,"by":"me"}
  to do: bring the variant back, by `#[serde(rename = "Filled")]` if it is there under a new name, or say what it is today (`Event::upcasts`). To retire it, delete its lines from the file; only if no store holds such an event: an aggregate with one could not be loaded.
"#
    );
    let said = place.says(|shapes| shapes);
    assert_eq!(said.matches("stored once, and no longer in the code\n").count(), 2, "{said}");
}

#[test]
fn a_variant_with_a_new_name_reads_what_was_stored_under_the_old_one() {
    event!(JarEvent { #[serde(alias = "Filled")] Stocked { sweets: u32, by: String } });
    let stocked = r#"{"entry":"event jar Stocked","stored":{"sweets":5,"by":"me"}}"#;
    let place = Place::new(&format!("{FILLED},{stocked}"));
    place.shapes().event(&JarEvent::Stocked { sweets: 5, by: "me".into() }).check();
}

#[test]
fn what_is_lost_under_a_new_name_of_the_variant_is_found() {
    event!(JarEvent { #[serde(alias = "Filled")] Stocked { sweets: u32 } });
    let stocked = r#"{"entry":"event jar Stocked","stored":{"sweets":5}}"#;
    let place = Place::new(&format!("{FILLED},{stocked}"));
    let said = place.says(|shapes| shapes.event(&JarEvent::Stocked { sweets: 5 }));
    assert!(said.starts_with("event jar Filled: what is stored can be read, but something of it is lost"));
    assert!(said.contains("    -   \"by\": \"me\",\n"), "{said}");
}

#[test]
fn what_does_not_come_back_as_it_is_written_fails() {
    event!(JarEvent { #[serde(rename(serialize = "Full"))] Filled { #[serde(skip_deserializing)] sweets: u32 } });
    let full = r#"{"entry":"event jar Full","stored":{"sweets":5}}"#;
    let said = Place::new(full).says(|shapes| shapes.event(&JarEvent::Filled { sweets: 5 }));
    assert!(
        said.starts_with("event jar Full: what is written today cannot be read: unknown variant `Full`")
    );

    mod forgetful {
        use super::*;
        event!(JarEvent { Filled { #[serde(skip_deserializing)] sweets: u32 } });
        pub(super) fn sample(shapes: PersistedShapes) -> PersistedShapes {
            shapes.event(&JarEvent::Filled { sweets: 5 })
        }
    }
    let filled = r#"{"entry":"event jar Filled","stored":{"sweets":5}}"#;
    assert_eq!(
        Place::new(filled).says(forgetful::sample),
        r#"event jar Filled: what is written today comes back as Filled {"sweets":0}
    {"sweets":5}
  to do: let serialising and deserialising agree; it would be lost in every store.
"#
    );
}

#[test]
fn what_comes_back_as_another_variant_fails() {
    event!(JarEvent { #[serde(rename(serialize = "Full"))] Filled {}, #[serde(alias = "Full")] Stocked {} });
    let lines = r#"{"entry":"event jar Full","stored":{}},{"entry":"event jar Stocked","stored":{}}"#;
    let said =
        Place::new(lines).says(|shapes| shapes.event(&JarEvent::Filled {}).event(&JarEvent::Stocked {}));
    assert!(said.starts_with("event jar Full: what is written today comes back as Stocked {}\n"), "{said}");
}

#[test]
fn what_cannot_be_stored_at_all_fails() {
    #[derive(Serialize, Deserialize)]
    struct NoEnum {}
    impl Event for NoEnum {
        const CATEGORY: &'static str = "jar";
    }
    let said = Place::new("").says(|shapes| shapes.event(&NoEnum {}));
    assert!(said.starts_with("event jar: an event type must be a plain serde enum"), "{said}");
}
