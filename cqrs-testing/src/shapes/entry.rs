//! What is frozen, by the names under which it is stored.

use std::fmt;
use std::str::FromStr;

/// One thing that is stored, in one form or in several.
///
/// Its text is what a line of the file begins with, such as `event account CoinMined`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entry {
    Event { category: String, event_type: String },
    Command(String),
    Process(String),
    Snapshot { name: String, schema: u32 },
    Name(String),
}

impl Entry {
    /// The name that goes with what is stored, where there is one that a change of the Rust type can change.
    pub(super) fn stored_name(&self) -> &str {
        match self {
            Self::Event { event_type: name, .. }
            | Self::Command(name)
            | Self::Process(name)
            | Self::Snapshot { name, .. }
            | Self::Name(name) => name,
        }
    }

    pub(super) fn category(&self) -> Option<&str> {
        match self {
            Self::Event { category, .. } => Some(category),
            _ => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { category, event_type } => write!(f, "event {category} {event_type}"),
            Self::Command(name) => write!(f, "command {name}"),
            Self::Process(name) => write!(f, "process {name}"),
            Self::Snapshot { name, schema } => write!(f, "snapshot {schema} {name}"),
            Self::Name(what) => write!(f, "name {what}"),
        }
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A category and a number have no blanks, and a name may have some.
        let entry = match text.split_once(' ') {
            Some(("event", rest)) => rest.split_once(' ').map(|(category, event_type)| Self::Event {
                category: category.to_owned(),
                event_type: event_type.to_owned(),
            }),
            Some(("snapshot", rest)) => rest.split_once(' ').and_then(|(schema, name)| {
                Some(Self::Snapshot { name: name.to_owned(), schema: schema.parse().ok()? })
            }),
            Some(("command", name)) => Some(Self::Command(name.to_owned())),
            Some(("process", name)) => Some(Self::Process(name.to_owned())),
            Some(("name", what)) => Some(Self::Name(what.to_owned())),
            _ => None,
        };
        entry.ok_or_else(|| format!("{text:?} is no event, command, process, snapshot or name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_from_str_agree() {
        for text in ["event account Coin Mined", "command Mine", "process p q", "snapshot 3 a b", "name n"]
        {
            assert_eq!(text.parse::<Entry>().unwrap().to_string(), text);
        }
        for text in ["", "event", "event account", "snapshot a 3", "facts of life"] {
            assert!(text.parse::<Entry>().is_err(), "{text}");
        }
    }
}
