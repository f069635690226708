//! How an event stands in a row: what can be derived is left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cqrs_core::{
    CausationId, CorrelationId, EventId, Json, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, Timestamp, Version,
};
use serde::{Serialize, Serializer};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::error::corrupt;

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

/// Reads the rows of a page; names that repeat are shared.
#[derive(Default)]
pub(crate) struct EventReader {
    streams: HashMap<i64, StreamId>,
    types: HashMap<i64, Arc<str>>,
}

impl EventReader {
    /// Unpacks a row with the columns of `read_log.sql`.
    pub(crate) fn read(&mut self, row: &SqliteRow) -> Result<RecordedEvent, StoreError> {
        let position: i64 =
            row.try_get(0).map_err(|error| corrupt(format!("a position in the log: {error}")))?;
        self.unpack(row).map_err(|what| corrupt(format!("{} (position {position}): {what}", named(row))))
    }

    fn unpack(&mut self, row: &SqliteRow) -> Result<RecordedEvent, String> {
        let id = Uuid::from_slice(row.try_get(7).map_err(column("id"))?)
            .map(EventId::new)
            .map_err(|_| "its id is no UUID".to_owned())?;
        let stream = self.stream(row)?;
        let event_type = self.event_type(row)?;
        let data: String = row.try_get(8).map_err(column("data"))?;
        let data = Json::parse(data).map_err(|error| format!("its data is no JSON: {error}"))?;
        let causation: Option<&[u8]> = row.try_get(9).map_err(column("causation"))?;
        let correlation: Option<&[u8]> = row.try_get(10).map_err(column("correlation"))?;
        let causation =
            Kept::read(causation, Some(derived_causation(id))).ok_or("its causation is no UUID")?;
        let correlation = Kept::read(correlation, causation).ok_or("its correlation is no UUID")?;
        let extra: Option<&str> = row.try_get(11).map_err(column("metadata"))?;
        let extra = match extra {
            None => BTreeMap::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("its metadata is unreadable: {error}"))?,
        };
        Ok(RecordedEvent {
            position: Position::new(number(row, 0, "position")?),
            stream,
            version: Version::new(number(row, 1, "version")?),
            id,
            event_type,
            data,
            metadata: Metadata {
                causation_id: causation.map(CausationId::new),
                correlation_id: correlation.map(CorrelationId::new),
                extra,
            },
            recorded_at: Timestamp::from_micros(row.try_get(2).map_err(column("recorded_at"))?),
        })
    }

    fn stream(&mut self, row: &SqliteRow) -> Result<StreamId, String> {
        let number: i64 = row.try_get(3).map_err(column("stream"))?;
        if let Some(stream) = self.streams.get(&number) {
            return Ok(stream.clone());
        }
        let name: Option<&str> = row.try_get(4).map_err(column("stream's name"))?;
        let name = name.ok_or_else(|| format!("its stream {number} has no name"))?;
        let stream: StreamId = name.parse().map_err(|error| format!("its stream: {error}"))?;
        self.streams.insert(number, stream.clone());
        Ok(stream)
    }

    fn event_type(&mut self, row: &SqliteRow) -> Result<Arc<str>, String> {
        let number: i64 = row.try_get(5).map_err(column("type"))?;
        if let Some(event_type) = self.types.get(&number) {
            return Ok(Arc::clone(event_type));
        }
        let name: Option<&str> = row.try_get(6).map_err(column("type's name"))?;
        let name: Arc<str> = name.ok_or_else(|| format!("its type {number} has no name"))?.into();
        self.types.insert(number, Arc::clone(&name));
        Ok(name)
    }
}

/// Names an event by what can be read of its row.
fn named(row: &SqliteRow) -> String {
    let text = |index| row.try_get::<Option<String>, _>(index).ok().flatten();
    let event_type = text(6).map_or_else(|| "an event".to_owned(), |name| format!("event {name:?}"));
    let version = row.try_get::<i64, _>(1).map_or_else(|_| "?".to_owned(), |version| version.to_string());
    let stream = text(4).unwrap_or_else(|| "without a name".to_owned());
    format!("{event_type} at version {version} of stream {stream}")
}

fn column(name: &str) -> impl Fn(sqlx::Error) -> String {
    move |error| format!("its {name}: {error}")
}

fn number(row: &SqliteRow, index: usize, name: &str) -> Result<u64, String> {
    let number: i64 = row.try_get(index).map_err(column(name))?;
    u64::try_from(number).map_err(|_| format!("its {name} is {number}"))
}
