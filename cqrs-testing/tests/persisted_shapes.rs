//! Frozen forms: what holds, and what is said of what does not.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command as Program;

use cqrs_core::{Aggregate, Command, Event, Handle, Interest, Outgoing, ProcessManager, RecordedEvent};
use cqrs_testing::PersistedShapes;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// A file of frozen forms in a folder of its own.
struct Place(TempDir);

impl Place {
    fn new(lines: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path(), format!("[{lines}]")).unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("shapes.json")
    }

    fn shapes(&self) -> PersistedShapes {
        PersistedShapes::in_file(self.path())
    }

    /// What a check that fails says, without its first line, which names the file.
    fn says(&self, shapes: impl FnOnce(PersistedShapes) -> PersistedShapes) -> String {
        let shapes = shapes(self.shapes());
        let panic = catch_unwind(AssertUnwindSafe(|| shapes.check())).unwrap_err();
        let said = *panic.downcast::<String>().unwrap();
        let first = format!("what is stored differs from {}\n\n", self.path().display());
        said.strip_prefix(&first).unwrap_or_else(|| panic!("{said}")).to_owned()
    }
}

macro_rules! event {
    ($name:ident { $($(#[$meta:meta])* $variant:ident { $($(#[$inner:meta])* $field:ident: $type:ty),* }),* }) => {
        #[derive(Serialize, Deserialize)]
        enum $name { $($(#[$meta])* $variant { $($(#[$inner])* $field: $type),* }),* }

        impl Event for $name {
            const CATEGORY: &'static str = "jar";
        }
    };
}

const FILLED: &str = r#"{"entry":"event jar Filled","stored":{"sweets":5,"by":"me"}}"#;

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
  to do: keep the stored form readable. A field that is new: `#[serde(default)]`. A field or variant with a new name: `#[serde(rename = "…")]` with the stored one, or `#[serde(alias = "…")]`. Another meaning is a new variant beside this one.
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
        r#"event jar Filled: stored once, and no longer in the code: unknown variant `Filled`, expected `Emptied`
    {"sweets":5,"by":"me"}
  to do: bring the variant back, by `#[serde(rename = "Filled")]` if it is there under a new name, or read it as another one, by `#[serde(alias = "Filled")]`. To retire it, delete its lines from the file; only if no store holds such an event: an aggregate with one could not be loaded.
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

#[derive(Default)]
struct Jar;

event!(NoEvent {});

impl Aggregate for Jar {
    type Id = String;
    type Event = NoEvent;

    fn apply(&mut self, event: &NoEvent) {
        match *event {}
    }
}

#[derive(Serialize, Deserialize)]
struct Fill {
    jar: String,
    sweets: u32,
}

impl Command for Fill {
    const NAME: &'static str = "Fill";
    type Aggregate = Jar;

    fn aggregate_id(&self) -> &String {
        &self.jar
    }
}

impl Handle<Fill> for Jar {
    type Error = std::convert::Infallible;

    fn handle(&self, _: &Fill) -> Result<Vec<NoEvent>, Self::Error> {
        Ok(Vec::new())
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Refill {
    jars: Vec<String>,
}

impl ProcessManager for Refill {
    const NAME: &'static str = "refill";
    type Event = NoEvent;

    fn interested(event: &NoEvent) -> Interest {
        match *event {}
    }

    fn handle(&self, event: &RecordedEvent<NoEvent>) -> Vec<Outgoing> {
        match event.data {}
    }
}

#[test]
fn commands_and_states_of_process_managers_are_kept_readable_too() {
    let fill = || Fill { jar: "red".into(), sweets: 1 };
    let refill = || Refill { jars: vec!["red".into()] };
    let command = r#"{"entry":"command Fill","stored":{"jar":"red","sweets":1}}"#;
    let process = r#"{"entry":"process refill","stored":{"jars":["red"]}}"#;
    let place = Place::new(&format!("{command},{process}"));
    place.shapes().command(&fill()).process(&refill()).check();

    let old = r#"{"entry":"command Fill","stored":{"jar":"red"}},{"entry":"process refill","stored":null}"#;
    let said = Place::new(old).says(|shapes| shapes.command(&fill()).process(&refill()));
    assert!(said.starts_with("command Fill: what is stored can no longer be read: missing field `sweets`"));
    assert!(said.contains("\nprocess refill: what is stored can no longer be read: invalid type: null"));
    assert!(said.contains("Another meaning is a new command beside this one.\n"), "{said}");

    let said = place.says(|shapes| shapes);
    assert!(said.contains("only if no outbox holds such a command and nobody sends it."), "{said}");
    assert!(said.contains("only if no instance of it is running."), "{said}");
}

#[test]
fn a_snapshot_that_changes_wants_another_schema_version() {
    #[derive(Serialize, Deserialize)]
    struct State {
        sweets: u32,
        #[serde(default)]
        thieves: Vec<String>,
    }
    let state = || State { sweets: 5, thieves: vec!["me".into()] };
    let old = r#"{"entry":"snapshot 1 jar","stored":{"sweets":5}}"#;
    let place = Place::new(old);
    assert_eq!(
        place.says(|shapes| shapes.snapshot("jar", 1, &state())),
        r#"snapshot 1 jar: written otherwise under the same schema version
  the difference (- frozen, + written today):
      {
    -   "sweets": 5
    +   "sweets": 5,
    +   "thieves": [
    +     "me"
    +   ]
      }
  to do: raise the schema version, so that stored snapshots are made anew. A field that is filled with a default would give a state that is not what the events say. If the type is the same and only the sample differs, delete the line of the old one from the file.
"#
    );
    let said = place.says(|shapes| shapes.snapshot("jar", 2, &state()));
    assert!(said.starts_with("snapshot 2 jar: not frozen yet\n") && !said.contains("snapshot 1"), "{said}");
    let said = place.says(|shapes| shapes);
    assert!(said.starts_with("snapshot 1 jar: stored once, and no longer in the code\n"), "{said}");
    let new = r#"{"entry":"snapshot 2 jar","stored":{"sweets":5,"thieves":["me"]}}"#;
    Place::new(&format!("{old},{new}")).shapes().snapshot("jar", 2, &state()).check();
}

#[test]
fn a_name_never_changes() {
    let place = Place::new(r#"{"entry":"name projection","stored":"jars"}"#);
    place.shapes().name("projection", "jars").check();
    assert_eq!(
        place.says(|shapes| shapes.name("projection", "all-jars")),
        r#"name projection: stores hold "jars", the code says "all-jars"
  to do: give it its stored name again; nothing is found under another one.
"#
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let said = |lines: &str| {
        let place = Place::new(lines);
        let panic = catch_unwind(AssertUnwindSafe(|| place.shapes().check())).unwrap_err();
        let said = *panic.downcast::<String>().unwrap();
        said.strip_prefix(&*place.path().display().to_string()).unwrap().to_owned()
    };
    assert!(said("<<<<<<< HEAD").starts_with(" cannot be read: expected value at line 1 column 2"));
    assert_eq!(
        said(r#"{"entry":"fact of life","stored":1}"#),
        r#" cannot be read: "fact of life" is no event, command, process, snapshot or name"#
    );
    assert!(said(r#"{"entry":"name a","stored":1,"red_as":2}"#).contains("unknown field `red_as`"));
}

/// This test is a program of its own while it has a file to work on.
#[test]
fn update_shapes_adds_what_is_new_and_nothing_while_something_is_wrong() {
    event!(JarEvent { Filled { sweets: u32, #[serde(default)] by: Option<String> }, Emptied {} });
    const NAME: &str = "update_shapes_adds_what_is_new_and_nothing_while_something_is_wrong";
    if let Some(path) = std::env::var_os("JAR_SHAPES") {
        let filled = JarEvent::Filled { sweets: 5, by: Some("me".into()) };
        return PersistedShapes::in_file(path).event(&filled).event(&JarEvent::Emptied {}).check();
    }
    let update = |place: &Place| {
        let mut program = Program::new(std::env::current_exe().unwrap());
        program.args(["--exact", NAME, "--nocapture"]).env("JAR_SHAPES", place.path());
        let output = program.env("UPDATE_SHAPES", "1").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said, std::fs::read_to_string(place.path()).unwrap())
    };

    // The form that is past stays, where it was.
    let place = Place::new(r#"{ "entry": "event jar Filled", "stored": { "sweets": 5 } }"#);
    let (passed, said, file) = update(&place);
    assert!(passed, "{said}");
    let wanted = r#"[
{"entry":"event jar Emptied","stored":{}},
{"entry":"event jar Filled","stored":{ "sweets": 5 }},
{"entry":"event jar Filled","stored":{"sweets":5,"by":"me"}}
]
"#;
    assert_eq!(file, wanted);
    assert_eq!(update(&place), (true, String::new(), wanted.to_owned()), "a second time changes nothing");

    for wrong in
        [r#"{"entry":"event jar Filled","stored":{}}"#, r#"{"entry":"event jar Lost","stored":{}}"#]
    {
        let place = Place::new(wrong);
        let (passed, said, file) = update(&place);
        assert!(!passed);
        assert!(said.contains("\nUPDATE_SHAPES=1 has changed nothing"), "{said}");
        assert_eq!(file, format!("[{wrong}]"));
    }
}

#[test]
fn a_path_is_relative_to_the_package() {
    PersistedShapes::in_file("tests/shapes/names.json").name("crate", "cqrs-testing").check();
}
