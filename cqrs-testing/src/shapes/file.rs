//! The file of frozen forms: a JSON array with a line for each form, so that two branches merge line by line.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use cqrs_core::Json;
use serde::{Deserialize, Serialize};

use super::entry::Entry;

/// A form that is stored somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frozen {
    pub(super) entry: Entry,
    pub(super) stored: Json,
    /// What it must be read as, where that says less than what is stored. Written by hand only.
    pub(super) read_as: Option<Json>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: String,
    stored: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_as: Option<Json>,
}

/// Reads the file; one that is not there yet is empty.
pub(super) fn read(path: &Path) -> Result<Vec<Frozen>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let lines: Vec<Line> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let frozen = |Line { entry, stored, read_as }| Ok(Frozen { entry: entry.parse()?, stored, read_as });
    lines.into_iter().map(frozen).collect()
}

/// Writes the file, entries in order, the forms of an entry in the order in which they were frozen.
pub(super) fn write(path: &Path, mut frozen: Vec<Frozen>) -> io::Result<()> {
    // The sort is stable.
    frozen.sort_by(|one, other| one.entry.cmp(&other.entry));
    let mut lines = Vec::with_capacity(frozen.len());
    for Frozen { entry, stored, read_as } in frozen {
        lines.push(serde_json::to_string(&Line { entry: entry.to_string(), stored, read_as })?);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, format!("[\n{}\n]\n", lines.join(",\n")))
}
