//! The file: what can be read, and what UPDATE_SHAPES=1 writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command as Program;

use cqrs_core::Event;
use cqrs_testing::PersistedShapes;
use serde::{Deserialize, Serialize};

use super::{Place, event};

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
    const NAME: &str = "file::update_shapes_adds_what_is_new_and_nothing_while_something_is_wrong";
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
