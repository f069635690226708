//! How an event stands in a row: what can be derived is left out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use cqrs_core::{
    CausationId, CorrelationId, EventId, Json, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, Timestamp, Version,
};
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::corrupt;

const STREAM_NAME: &str = include_str!("sql/stream_name.sql");
const TYPE_NAME: &str = include_str!("sql/event_type_name.sql");

/// Sixteen bytes as SQL's `unhex` takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Uuid);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.simple().encode_lower(&mut Uuid::encode_buffer()))
    }
}

/// An id of the metadata as a row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It follows from the rest of the row: NULL.
    Derived,
    /// There is none: an empty blob.
    Absent,
    /// Itself.
    Id(Uuid),
}

impl Kept {
    /// As a parameter: NULL, or a blob.
    fn blob(&self) -> Option<&[u8]> {
        match self {
            Self::Derived => None,
            Self::Absent => Some(&[]),
            Self::Id(id) => Some(id.as_bytes()),
        }
    }

    fn of(id: Option<Uuid>, derived: Option<Uuid>) -> Self {
        match id {
            _ if id == derived => Self::Derived,
            None => Self::Absent,
            Some(id) => Self::Id(id),
        }
    }

    fn read(blob: Option<&[u8]>, derived: Option<Uuid>) -> Option<Option<Uuid>> {
        match blob {
            None => Some(derived),
            Some([]) => Some(None),
            Some(bytes) => Uuid::from_slice(bytes).ok().map(Some),
        }
    }
}

/// What an event's causation is when its row does not say: the command that its id leads back to.
fn derived_causation(id: EventId) -> Uuid {
    id.command(0).as_uuid()
}

/// A new event's row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventRow {
    position: i64,
    stream: i64,
    version: i64,
    event_type: i64,
    recorded_at: i64,
    id: Uuid,
    data: Json,
    causation: Kept,
    correlation: Kept,
    metadata: Option<String>,
}

impl EventRow {
    /// Packs an event whose stream and type have numbers.
    pub(crate) fn new(
        event: NewEvent,
        (position, stream, version, event_type): (Position, i64, Version, i64),
        recorded_at: Timestamp,
    ) -> Result<Self, serde_json::Error> {
        let Metadata { causation_id, correlation_id, extra } = event.metadata;
        let causation = causation_id.map(CausationId::as_uuid);
        let correlation = correlation_id.map(CorrelationId::as_uuid);
        let metadata = match extra.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&extra)?),
        };
        Ok(Self {
            position: position.as_u64() as i64,
            stream,
            version: version.as_u64() as i64,
            event_type,
            recorded_at: recorded_at.as_micros(),
            id: event.id.as_uuid(),
            causation: Kept::of(causation, Some(derived_causation(event.id))),
            correlation: Kept::of(correlation, causation),
            data: event.data,
            metadata,
        })
    }

    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    pub(crate) fn id(&self) -> &[u8; 16] {
        self.id.as_bytes()
    }

    /// Runs `insert_event.sql` for it.
    pub(crate) fn insert(&self, statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
        let parameters = rusqlite::params![
            self.position,
            self.stream,
            self.version,
            self.event_type,
            self.recorded_at,
            self.id(),
            self.data.as_str(),
            self.causation.blob(),
            self.correlation.blob(),
            self.metadata,
        ];
        statement.execute(parameters).map(drop)
    }
}

/// How many names of streams are kept.
const NAMES: usize = 1 << 15;

/// Reads rows of events on one connection. Names that were seen are kept and shared: a number keeps its name.
#[derive(Default)]
pub(crate) struct EventReader {
    streams: HashMap<i64, StreamId>,
    types: HashMap<i64, Arc<str>>,
}

impl EventReader {
    /// Unpacks a row with the columns of `read_log.sql`. Names that are new are asked for.
    pub(crate) fn read(&mut self, row: &Row<'_>, names: &Connection) -> Result<RecordedEvent, StoreError> {
        let position: i64 =
            row.get(0).map_err(|error| corrupt(format!("a position in the log: {error}")))?;
        self.unpack(row, names)
            .map_err(|what| corrupt(format!("{} (position {position}): {what}", named(row, names))))
    }

    fn unpack(&mut self, row: &Row<'_>, names: &Connection) -> Result<RecordedEvent, String> {
        let id = Uuid::from_slice(blob(row, 5, "id")?.unwrap_or_default())
            .map(EventId::new)
            .map_err(|_| "its id is no UUID".to_owned())?;
        let stream = self.stream(integer(row, 3, "stream")?, names)?;
        let event_type = self.event_type(integer(row, 4, "type")?, names)?;
        let data = text(row, 6, "data")?.unwrap_or_default();
        let data = Json::parse(data).map_err(|error| format!("its data is no JSON: {error}"))?;
        let causation = Kept::read(blob(row, 7, "causation")?, Some(derived_causation(id)))
            .ok_or("its causation is no UUID")?;
        let correlation =
            Kept::read(blob(row, 8, "correlation")?, causation).ok_or("its correlation is no UUID")?;
        let extra = match text(row, 9, "metadata")? {
            None => BTreeMap::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("its metadata is unreadable: {error}"))?,
        };
        Ok(RecordedEvent {
            position: Position::new(natural(row, 0, "position")?),
            stream,
            version: Version::new(natural(row, 1, "version")?),
            id,
            event_type,
            data,
            metadata: Metadata {
                causation_id: causation.map(CausationId::new),
                correlation_id: correlation.map(CorrelationId::new),
                extra,
            },
            recorded_at: Timestamp::from_micros(integer(row, 2, "recorded_at")?),
        })
    }

    fn stream(&mut self, number: i64, names: &Connection) -> Result<StreamId, String> {
        if let Some(stream) = self.streams.get(&number) {
            return Ok(stream.clone());
        }
        let name = name(names, STREAM_NAME, number).map_err(column("stream's name"))?;
        let name = name.ok_or_else(|| format!("its stream {number} has no name"))?;
        let stream: StreamId = name.parse().map_err(|error| format!("its stream: {error}"))?;
        if self.streams.len() == NAMES {
            self.streams.clear();
        }
        self.streams.insert(number, stream.clone());
        Ok(stream)
    }

    fn event_type(&mut self, number: i64, names: &Connection) -> Result<Arc<str>, String> {
        if let Some(event_type) = self.types.get(&number) {
            return Ok(Arc::clone(event_type));
        }
        let name = name(names, TYPE_NAME, number).map_err(column("type's name"))?;
        let name: Arc<str> = name.ok_or_else(|| format!("its type {number} has no name"))?.into();
        self.types.insert(number, Arc::clone(&name));
        Ok(name)
    }
}

/// The name that a number stands for.
fn name(names: &Connection, sql: &str, number: i64) -> rusqlite::Result<Option<String>> {
    names.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()
}

/// Names an event by what can be read of its row.
fn named(row: &Row<'_>, names: &Connection) -> String {
    let name = |sql, index| name(names, sql, row.get(index).ok()?).ok().flatten();
    let event_type =
        name(TYPE_NAME, 4).map_or_else(|| "an event".to_owned(), |name| format!("event {name:?}"));
    let version = row.get::<_, i64>(1).map_or_else(|_| "?".to_owned(), |version| version.to_string());
    let stream = name(STREAM_NAME, 3).unwrap_or_else(|| "without a name".to_owned());
    format!("{event_type} at version {version} of stream {stream}")
}

fn column<E: Display>(name: &str) -> impl Fn(E) -> String {
    move |error| format!("its {name}: {error}")
}

fn integer(row: &Row<'_>, index: usize, name: &str) -> Result<i64, String> {
    row.get(index).map_err(column(name))
}

fn natural(row: &Row<'_>, index: usize, name: &str) -> Result<u64, String> {
    let number = integer(row, index, name)?;
    u64::try_from(number).map_err(|_| format!("its {name} is {number}"))
}

fn text<'a>(row: &'a Row<'_>, index: usize, name: &str) -> Result<Option<&'a str>, String> {
    row.get_ref(index).map_err(column(name))?.as_str_or_null().map_err(column(name))
}

fn blob<'a>(row: &'a Row<'_>, index: usize, name: &str) -> Result<Option<&'a [u8]>, String> {
    row.get_ref(index).map_err(column(name))?.as_blob_or_null().map_err(column(name))
}
