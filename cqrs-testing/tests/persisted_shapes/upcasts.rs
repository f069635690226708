//! Events of former days, which upcasts make today's.

use std::sync::LazyLock;

use cqrs_core::{Event, Upcasts};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{FILLED, Place};

/// The jars of today, with the upcasts of one test.
macro_rules! jar {
    ($upcasts:expr) => {
        #[derive(Serialize, Deserialize)]
        enum JarEvent {
            #[serde(rename = "Filled.2")]
            Filled {
                sweets: u32,
                by: String,
                kind: String,
            },
            Signed {
                by: String,
            },
        }

        impl Event for JarEvent {
            const CATEGORY: &'static str = "jar";

            fn upcasts() -> Option<&'static Upcasts> {
                static UPCASTS: LazyLock<Upcasts> = LazyLock::new(|| $upcasts);
                Some(&UPCASTS)
            }
        }

        /// The forms of today, which are frozen beside the old one.
        fn place(old: &str) -> Place {
            let filled = r#"{"entry":"event jar Filled.2","stored":{"sweets":5,"by":"me","kind":"sour"}}"#;
            let signed = r#"{"entry":"event jar Signed","stored":{"by":"me"}}"#;
            Place::new(&format!("{old},{filled},{signed}"))
        }

        fn filled() -> JarEvent {
            JarEvent::Filled { sweets: 5, by: "me".into(), kind: "sour".into() }
        }

        fn signed() -> JarEvent {
            JarEvent::Signed { by: "me".into() }
        }
    };
}

#[test]
fn an_upcast_that_keeps_what_was_stored_holds() {
    jar!(Upcasts::new().change("Filled", "Filled.2", |mut data| {
        data["kind"] = json!("unknown");
        Ok(data)
    }));
    place(FILLED).shapes().event(&filled()).event(&signed()).check();
}

#[test]
fn an_upcast_that_loses_what_was_stored_fails_unless_the_file_says_so() {
    jar!(Upcasts::new().change("Filled", "Filled.2", |mut data| {
        data["by"] = json!("somebody");
        data["kind"] = json!("unknown");
        Ok(data)
    }));
    let said = place(FILLED).says(|shapes| shapes.event(&filled()).event(&signed()));
    let now = r#"{"sweets":5,"by":"somebody","kind":"unknown"}"#;
    assert!(said.starts_with("event jar Filled: what is stored can be read, but something of it is lost"));
    assert!(said.ends_with(&format!("in this form's line: \"read_as\":{now}\n")), "{said}");
    let old = FILLED.replace("}}", &format!("}},\"read_as\":{now}}}"));
    place(&old).shapes().event(&filled()).event(&signed()).check();
}

#[test]
fn what_an_upcast_makes_several_or_none_stands_in_the_file() {
    jar!(
        Upcasts::new()
            .split("Filled", |data| {
                let filled = json!({ "sweets": data["sweets"], "by": "", "kind": "" });
                Ok(vec![("Filled.2", filled), ("Signed", json!({ "by": data["by"] }))])
            })
            .discard("Shaken")
    );
    let shaken = r#"{"entry":"event jar Shaken","stored":null,"read_as":[]}"#;
    let several = r#"[{"Filled.2":{"sweets":5,"by":"","kind":""}},{"Signed":{"by":"me"}}]"#;
    let said = place(&format!("{FILLED},{shaken}")).says(|shapes| shapes.event(&filled()).event(&signed()));
    assert!(said.ends_with(&format!("in this form's line: \"read_as\":{several}\n")), "{said}");
    let old = FILLED.replace("}}", &format!("}},\"read_as\":{several}}}"));
    place(&format!("{old},{shaken}")).shapes().event(&filled()).event(&signed()).check();
    let discarded = place(&format!("{old},{}", shaken.replace(r#","read_as":[]"#, "")));
    let said = discarded.says(|shapes| shapes.event(&filled()).event(&signed()));
    assert!(said.ends_with("in this form's line: \"read_as\":[]\n"), "{said}");
}

#[test]
fn an_upcast_that_fails_is_told_with_its_reason() {
    jar!(Upcasts::new().change("Filled", "Filled.2", |_| Err("the kind cannot be known".into())));
    let said = place(FILLED).says(|shapes| shapes.event(&filled()).event(&signed()));
    assert!(
        said.starts_with("event jar Filled: stored once, and cannot be read: the kind cannot be known\n"),
        "{said}"
    );
}

#[test]
fn an_upcast_of_what_is_written_today_fails() {
    jar!(Upcasts::new().rename("Signed", "Signed.2"));
    let said = place(FILLED).says(|shapes| shapes.event(&filled()).event(&signed()));
    assert!(
        said.contains("event jar Signed: what is written today cannot be read: unknown variant `Signed.2`"),
        "{said}"
    );
}
