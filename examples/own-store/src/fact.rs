//! What a transaction makes true, and how it stands in a line of the file.

use std::sync::Arc;

use cqrs_core::{
    Appended, BoxCommand, CommandId, CorrelationId, EventId, EventPart, HandlerCheckpoint, InstanceId,
    InstanceRecord, Json, Metadata, OutboxEntry, OutboxState, OutboxTask, ParkedEvent, ParkedState,
    Position, RecordedEvent, Snapshot, StreamId, Stuck, Timestamp, Version,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// All that becomes true in one transaction, in order.
pub(crate) type Change = Vec<Fact>;

/// Something that is true from now on. What it contradicts was true before.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fact {
    Event(#[serde(with = "EventFields")] RecordedEvent),
    /// A command, and its outcome as a repetition is answered.
    Receipt(CommandId, #[serde(with = "AppendedFields")] Appended),
    Snapshot(#[serde(with = "SnapshotFields")] Snapshot),
    /// A process manager, and how far it has come.
    Checkpoint(String, Position),
    /// A process manager, and one of its instances.
    Instance(String, InstanceId, #[serde(with = "InstanceFields")] InstanceRecord),
    Task(Task),
    /// A task that was pruned.
    Forgotten(CommandId),
    /// An event handler, and how far it has come.
    Handler(String, #[serde(with = "HandlerFields")] HandlerCheckpoint),
    /// An event handler, and an event that it holds back.
    Parked(String, #[serde(with = "ParkedFields")] ParkedEvent),
    /// An event handler, and an event that it holds back no longer.
    Released(String, EventPart),
    /// A lease, and who has it; nobody, once it was given back.
    Lease(String, Option<Claim>),
}

/// Who has a lease, and until when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) holder: Uuid,
    #[serde(with = "micros")]
    pub(crate) until: Timestamp,
}

/// A task of the outbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    #[serde(with = "EntryFields")]
    pub(crate) entry: OutboxEntry,
    pub(crate) done: Option<Done>,
    /// Its place in the order in which tasks were asked for. It follows from the facts, and is not one.
    #[serde(skip)]
    pub(crate) number: u64,
}

/// How a task came to its end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    #[serde(with = "micros")]
    pub(crate) at: Timestamp,
    /// Of the append that it led to; zero without one.
    pub(crate) position: Position,
}

// What follows tells serde the fields of the types of `cqrs-core`.

#[derive(Serialize, Deserialize)]
#[serde(remote = "RecordedEvent")]
struct EventFields {
    position: Position,
    stream: StreamId,
    version: Version,
    id: EventId,
    event_type: Arc<str>,
    #[serde(with = "text")]
    data: Json,
    metadata: Metadata,
    #[serde(with = "micros")]
    recorded_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Appended")]
struct AppendedFields {
    versions: Vec<Version>,
    position: Position,
    events: u64,
    duplicate: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Snapshot")]
struct SnapshotFields {
    stream: StreamId,
    version: Version,
    schema_version: u32,
    #[serde(with = "text")]
    state: Json,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "InstanceRecord")]
struct InstanceFields {
    #[serde(with = "text_or_none")]
    state: Option<Json>,
    schema_version: u32,
    finished: bool,
    first: Position,
    last: Position,
    #[serde(with = "stuck_or_not")]
    stuck: Option<Stuck>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Stuck")]
struct StuckFields {
    at: Position,
    error: String,
    chain: Option<CorrelationId>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OutboxEntry")]
struct EntryFields {
    id: CommandId,
    process: String,
    instance: InstanceId,
    #[serde(with = "TaskFields")]
    task: OutboxTask,
    metadata: Metadata,
    #[serde(with = "micros")]
    due_at: Timestamp,
    #[serde(with = "micros")]
    retry_at: Timestamp,
    attempts: u32,
    last_error: Option<String>,
    #[serde(with = "StateFields")]
    state: OutboxState,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OutboxTask")]
enum TaskFields {
    Command(#[serde(with = "CommandFields")] BoxCommand),
    Deadline(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BoxCommand")]
struct CommandFields {
    name: String,
    #[serde(with = "text")]
    data: Json,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OutboxState")]
enum StateFields {
    Pending,
    Done,
    Parked,
    Dropped,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "HandlerCheckpoint")]
struct HandlerFields {
    revision: u64,
    read_to: Position,
    watermarks: Vec<Position>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ParkedEvent")]
struct ParkedFields {
    part: EventPart,
    event: EventId,
    key: String,
    attempts: u32,
    last_error: Option<String>,
    #[serde(with = "micros")]
    at: Timestamp,
    #[serde(with = "ParkedStateFields")]
    state: ParkedState,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ParkedState")]
enum ParkedStateFields {
    Waiting,
    Parked,
    ToRetry,
    ToDrop,
}

/// JSON as a text in the JSON of the line. Written as itself, it would lose the spaces around it, and could break
/// the line in two.
mod text {
    use cqrs_core::Json;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(json: &Json, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(json.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        Json::parse(String::deserialize(deserializer)?).map_err(Error::custom)
    }
}

/// The same, where there may be none.
mod text_or_none {
    use cqrs_core::Json;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::{Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(json: &Option<Json>, serializer: S) -> Result<S::Ok, S::Error> {
        json.as_ref().map(Json::as_str).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Json>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Json::parse(text).map_err(Error::custom)).transpose()
    }
}

/// What serde's `remote` cannot say of an option.
mod stuck_or_not {
    use cqrs_core::Stuck;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::StuckFields;

    #[derive(Serialize, Deserialize)]
    struct Fields(#[serde(with = "StuckFields")] Stuck);

    pub(super) fn serialize<S: Serializer>(
        stuck: &Option<Stuck>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        stuck.clone().map(Fields).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Stuck>, D::Error> {
        Ok(Option::<Fields>::deserialize(deserializer)?.map(|Fields(stuck)| stuck))
    }
}

/// A time as the number that it is. Written as a text, the last moment that can be told could not be read.
mod micros {
    use cqrs_core::Timestamp;
    use serde::de::{Deserialize, Deserializer};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}
