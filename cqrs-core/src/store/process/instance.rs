//! Instances of process managers, as a store has them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CorrelationId, Json, Position};

/// The longest instance id, in bytes of UTF-8.
pub const MAX_INSTANCE_ID_BYTES: usize = 512;

/// Names one instance of a process manager, such as a transfer's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

/// A text that cannot name an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instance id {0:?} is not 1 to {MAX_INSTANCE_ID_BYTES} bytes without control characters")]
pub struct InvalidInstanceId(String);

impl InstanceId {
    /// Names an instance by anything that can be displayed.
    ///
    /// # Errors
    ///
    /// When the text is empty, longer than [`MAX_INSTANCE_ID_BYTES`], or has a control character.
    pub fn new(id: impl fmt::Display) -> Result<Self, InvalidInstanceId> {
        id.to_string().try_into()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidInstanceId;

    fn try_from(id: String) -> Result<Self, InvalidInstanceId> {
        if id.is_empty() || id.len() > MAX_INSTANCE_ID_BYTES || id.chars().any(char::is_control) {
            return Err(InvalidInstanceId(id));
        }
        Ok(Self(id))
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An instance as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceRecord {
    /// Its state; none while it has taken no event, which is so when it got stuck at its first one.
    pub state: Option<Json>,
    /// The [`ProcessManager::SCHEMA_VERSION`](crate::ProcessManager::SCHEMA_VERSION) that wrote the state.
    pub schema_version: u32,
    /// Whether it has come to its end. It stays as a tombstone, so that its start, delivered again, does
    /// not begin it anew.
    pub finished: bool,
    /// The position of the event that began it; zero when it has taken none, or when that was not written down.
    pub first: Position,
    /// The position of the last event that it took; zero likewise.
    pub last: Position,
    /// Why it does not go on, if it does not.
    pub stuck: Option<Stuck>,
}

/// Why an instance does not go on, and from where it would.
///
/// Its later events are not lost: they lie in the log, from here to the process manager's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The position of the first event that it has not taken.
    pub at: Position,
    /// What went wrong.
    pub error: String,
    /// The causal chain of that event.
    pub chain: Option<CorrelationId>,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// It takes events.
    Running,
    /// It does not go on, until it is retried.
    Stuck,
    /// It has come to its end.
    Finished,
}

impl InstanceRecord {
    /// An instance in a state of the first schema version, of which nothing else is known.
    pub fn new(state: Json) -> Self {
        Self {
            state: Some(state),
            schema_version: 1,
            finished: false,
            first: Position::ZERO,
            last: Position::ZERO,
            stuck: None,
        }
    }

    /// Where it stands. What is stuck is so whether it had finished or not.
    pub fn stands(&self) -> InstanceState {
        match self {
            Self { stuck: Some(_), .. } => InstanceState::Stuck,
            Self { finished: true, .. } => InstanceState::Finished,
            _ => InstanceState::Running,
        }
    }
}

/// An instance's state after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceChange {
    /// Which instance.
    pub id: InstanceId,
    /// What to store in place of what was there.
    pub record: InstanceRecord,
}

/// Which instances of a process manager are wanted, a page at a time, in the order of their ids.
///
/// ```
/// use cqrs_core::{InstanceQuery, InstanceState};
///
/// let stuck = InstanceQuery::all(100).standing(InstanceState::Stuck);
/// # assert_eq!(stuck.limit, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceQuery {
    /// Where they stand, if it matters.
    pub state: Option<InstanceState>,
    /// The id that they come after, byte by byte: the last one of the page before.
    pub after: Option<InstanceId>,
    /// The most of them.
    pub limit: usize,
}

impl InstanceQuery {
    /// A page of all instances.
    pub fn all(limit: usize) -> Self {
        Self { state: None, after: None, limit }
    }

    /// Only those that stand so.
    #[must_use]
    pub fn standing(mut self, state: InstanceState) -> Self {
        self.state = Some(state);
        self
    }

    /// Only those that come after this one.
    #[must_use]
    pub fn after(mut self, id: InstanceId) -> Self {
        self.after = Some(id);
        self
    }
}
