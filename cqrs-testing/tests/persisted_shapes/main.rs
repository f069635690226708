//! Frozen forms: what holds, and what is said of what does not.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod fields;
mod file;
mod states;
mod upcasts;
mod variants;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cqrs_testing::PersistedShapes;
use tempfile::TempDir;

/// A file of frozen forms in a folder of its own.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(lines: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path(), format!("[{lines}]")).unwrap();
        place
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("shapes.json")
    }

    pub(crate) fn shapes(&self) -> PersistedShapes {
        PersistedShapes::in_file(self.path())
    }

    /// What a check that fails says, without its first line, which names the file.
    pub(crate) fn says(&self, shapes: impl FnOnce(PersistedShapes) -> PersistedShapes) -> String {
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

pub(crate) use event;

pub(crate) const FILLED: &str = r#"{"entry":"event jar Filled","stored":{"sweets":5,"by":"me"}}"#;
