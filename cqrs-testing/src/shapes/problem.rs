//! What is wrong, and what to do about it.

use std::fmt;

use cqrs_core::Json;

use super::entry::Entry;
use super::file::Frozen;
use crate::difference::difference;
use crate::json::pretty;

/// What is wrong with one entry.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) entry: Entry,
    pub(super) fault: Fault,
}

#[derive(Debug)]
pub(super) enum Fault {
    /// Written today, and nothing of it is frozen.
    New { written: Json },
    /// Written otherwise than before, and what was stored before can be read.
    Changed { written: Json, known: Vec<Json> },
    /// What was stored before cannot be read.
    Unreadable { stored: Json, error: String, written: Vec<Json> },
    /// What was stored before can be read, and says less than it did.
    Lossy { wanted: Json, now: Json, by_hand: bool },
    /// A snapshot of the same schema version is written otherwise.
    SnapshotChanged { stored: Json, written: Vec<Json> },
    /// A name is another one.
    NameChanged { stored: Json, written: Json },
    /// What is written today does not come back.
    Unstable { written: Json, back: Result<String, String> },
    /// The variant is there, and no sample of it.
    Unlisted { rust_type: &'static str },
    /// It is frozen, and the code has it no more.
    Gone { stored: Vec<Json>, error: Option<String> },
}

impl Problem {
    /// The line that solves it, when nothing is in danger.
    pub(super) fn addition(&self) -> Option<Frozen> {
        match &self.fault {
            Fault::New { written } | Fault::Changed { written, .. } => {
                Some(Frozen { entry: self.entry.clone(), stored: written.clone(), read_as: None })
            }
            _ => None,
        }
    }
}

const ADD: &str = "run this test with UPDATE_SHAPES=1, and commit the file";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, fault } = self;
        write!(f, "{entry}: ")?;
        match fault {
            Fault::New { written } => {
                writeln!(f, "not frozen yet\n    {written}")?;
                todo(f, &format!("{ADD}: it is frozen then."))
            }
            Fault::Changed { written, known } => {
                writeln!(f, "a new form, and a compatible one: what is stored can still be read")?;
                compared(f, "- frozen, + written today", nearest(known, written))?;
                todo(f, &format!("{ADD}: the new form is added, and the old one must stay readable."))
            }
            Fault::Unreadable { stored, error, written } => {
                writeln!(f, "what is stored can no longer be read: {error}\n    {stored}")?;
                compared(f, "- frozen, + written today", nearest(written, stored).map(swap))?;
                todo(f, &keep_readable(entry))
            }
            Fault::Lossy { wanted, now, by_hand: false } => {
                writeln!(f, "what is stored can be read, but something of it is lost or has another name")?;
                compared(f, "- stored, + read and written again", Some((pretty(wanted), pretty(now))))?;
                todo(f, &lossy(now))
            }
            Fault::Lossy { wanted, now, by_hand: true } => {
                writeln!(f, "what is stored is read otherwise than the file says")?;
                compared(f, "- read_as, + read and written again", Some((pretty(wanted), pretty(now))))?;
                todo(f, "let it be read as before, for instance with `#[serde(alias = \"…\")]`.")
            }
            Fault::SnapshotChanged { stored, written } => {
                writeln!(f, "written otherwise under the same schema version")?;
                compared(f, "- frozen, + written today", nearest(written, stored).map(swap))?;
                todo(f, SNAPSHOT)
            }
            Fault::NameChanged { stored, written } => {
                writeln!(f, "stores hold {stored}, the code says {written}")?;
                todo(f, "give it its stored name again; nothing is found under another one.")
            }
            Fault::Unstable { written, back } => {
                let says = match back {
                    Ok(back) => format!("comes back as {back}"),
                    Err(error) => format!("cannot be read: {error}"),
                };
                writeln!(f, "what is written today {says}\n    {written}")?;
                todo(f, "let serialising and deserialising agree; it would be lost in every store.")
            }
            Fault::Unlisted { rust_type } => {
                writeln!(f, "a variant of {rust_type} without a sample")?;
                todo(f, "list a sample of it with `.event(…)`.")
            }
            Fault::Gone { stored, error } => {
                let lost = match error {
                    Some(error) => format!("cannot be read: {error}"),
                    None => "no longer in the code".to_owned(),
                };
                writeln!(f, "stored once, and {lost}")?;
                stored.iter().try_for_each(|stored| writeln!(f, "    {stored}"))?;
                todo(f, &gone(entry))
            }
        }
    }
}

const SNAPSHOT: &str = "raise the schema version, so that stored snapshots are made anew. A field that is filled with a \
default would give a state that is not what the events say. If the type is the same and only the sample differs, \
delete the line of the old one from the file.";

fn keep_readable(entry: &Entry) -> String {
    let instead = match entry {
        Entry::Event { .. } => {
            "Any other change: a new stored name, and an upcast of the old one (`Event::upcasts`)"
        }
        Entry::Command(_) => "Another meaning is a new command beside this one",
        _ => "What has no default can be an `Option`",
    };
    format!(
        "keep the stored form readable. A field that is new: `#[serde(default)]`. A field or variant with a new \
         name: `#[serde(rename = \"…\")]` with the stored one, or `#[serde(alias = \"…\")]`. {instead}."
    )
}

fn lossy(now: &Json) -> String {
    format!(
        "a field with a new name wants `#[serde(alias = \"…\")]` with the stored one. If that is done, or if the field \
         is given up for good, say so in the file, in this form's line: \"read_as\":{now}"
    )
}

fn gone(entry: &Entry) -> String {
    let name = entry.stored_name();
    let (back, holds) = match entry {
        Entry::Event { .. } => (
            format!(
                "bring the variant back, by `#[serde(rename = \"{name}\")]` if it is there under a new name, or \
                 say what it is today (`Event::upcasts`)"
            ),
            "no store holds such an event: an aggregate with one could not be loaded",
        ),
        Entry::Command(_) => {
            ("bring the command back".to_owned(), "no outbox holds such a command and nobody sends it")
        }
        Entry::Process(_) => ("bring the process manager back".to_owned(), "no instance of it is running"),
        Entry::Snapshot { .. } | Entry::Name(_) => {
            ("bring it back".to_owned(), "nobody looks for it any more")
        }
    };
    format!("{back}. To retire it, delete its lines from the file; only if {holds}.")
}

fn todo(f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
    writeln!(f, "  to do: {what}")
}

fn swap((one, other): (String, String)) -> (String, String) {
    (other, one)
}

/// The one of several that differs least, and the form it is compared with.
fn nearest(several: &[Json], from: &Json) -> Option<(String, String)> {
    let from = pretty(from);
    let changed =
        |one: &String| difference(one, &from).lines().filter(|line| line.starts_with(['-', '+'])).count();
    several.iter().map(pretty).min_by_key(changed).map(|one| (one, from))
}

fn compared(f: &mut fmt::Formatter<'_>, what: &str, texts: Option<(String, String)>) -> fmt::Result {
    let Some((one, other)) = texts else { return Ok(()) };
    writeln!(f, "  the difference ({what}):")?;
    difference(&one, &other).lines().try_for_each(|line| writeln!(f, "    {line}"))
}
