//! How an event stands in a row: what can be derived is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use cqrs_core::{
    CausationId, CorrelationId, EventId, Json, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, Timestamp, Version,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error::corrupt;
use crate::names::RowNames;
use crate::session::Statement;

/// An id of the metadata as a row has it: NULL where it follows from the rest of the row, empty where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Derived,
    Absent,
    Id(Uuid),
}

impl Kept {
    fn of(id: Option<Uuid>, derived: Option<Uuid>) -> Self {
        match id {
            _ if id == derived => Self::Derived,
            None => Self::Absent,
            Some(id) => Self::Id(id),
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Derived => None,
            Self::Absent => Some(&[]),
            Self::Id(id) => Some(id.as_bytes()),
        }
    }

    fn read(bytes: Option<&[u8]>, derived: Option<Uuid>) -> Option<Option<Uuid>> {
        match bytes {
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

/// New events, column by column, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct EventRows {
    streams: Vec<i64>,
    versions: Vec<i64>,
    times: Vec<i64>,
    types: Vec<i32>,
    ids: Vec<Uuid>,
    data: Vec<Json>,
    causations: Vec<Kept>,
    correlations: Vec<Kept>,
    metadata: Vec<Option<String>>,
}

impl EventRows {
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The streams, versions and types of all of them, by number.
    #[cfg(test)]
    pub(crate) fn places(&self) -> Vec<(i64, i64, i32)> {
        let rest = self.versions.iter().zip(&self.types);
        self.streams.iter().zip(rest).map(|(stream, (version, kind))| (*stream, *version, *kind)).collect()
    }

    /// Adds an event whose stream and type have numbers.
    pub(crate) fn push(
        &mut self,
        event: &NewEvent,
        (stream, version, event_type): (i64, Version, i32),
        recorded_at: Timestamp,
    ) -> Result<(), serde_json::Error> {
        let Metadata { causation_id, correlation_id, extra } = &event.metadata;
        let causation = causation_id.map(CausationId::as_uuid);
        let correlation = correlation_id.map(CorrelationId::as_uuid);
        self.metadata.push(match extra.is_empty() {
            true => None,
            false => Some(serde_json::to_string(extra)?),
        });
        self.streams.push(stream);
        self.versions.push(version.as_u64() as i64);
        self.times.push(recorded_at.as_micros());
        self.types.push(event_type);
        self.ids.push(event.id.as_uuid());
        self.data.push(event.data.clone());
        self.causations.push(Kept::of(causation, Some(derived_causation(event.id))));
        self.correlations.push(Kept::of(correlation, causation));
        Ok(())
    }

    /// Adds the first of them to the parameters of `append_one.sql`.
    pub(crate) fn bind_first(&self, statement: Statement) -> Statement {
        statement
            .bind(self.streams.first())
            .bind(self.versions.first())
            .bind(self.times.first())
            .bind(self.types.first())
            .bind(self.ids.first())
            .bind(self.data.first().map(Json::as_str))
            .bind(self.causations.first().and_then(Kept::bytes))
            .bind(self.correlations.first().and_then(Kept::bytes))
            .bind(self.metadata.first().and_then(Option::as_deref))
    }

    /// Adds the columns to the parameters of `append_batch`.
    pub(crate) fn bind(&self, statement: Statement) -> Statement {
        statement
            .bind(&self.streams)
            .bind(&self.versions)
            .bind(&self.times)
            .bind(&self.types)
            .bind(&self.ids)
            .bind(self.data.iter().map(Json::as_str).collect::<Vec<_>>())
            .bind(self.causations.iter().map(Kept::bytes).collect::<Vec<_>>())
            .bind(self.correlations.iter().map(Kept::bytes).collect::<Vec<_>>())
            .bind(&self.metadata)
    }
}

/// Unpacks a row of a page, whose columns are those of `read_log.sql`. Their types are ours, and not
/// looked at in each row.
pub(crate) fn read(row: &PgRow, names: &RowNames) -> Result<RecordedEvent, StoreError> {
    let position =
        number(row, 0, "position").map_err(|error| corrupt(format!("an event in the log: {error}")))?;
    unpack(row, position, names)
        .map_err(|what| corrupt(format!("{} (position {position}): {what}", named(row, names))))
}

fn unpack(row: &PgRow, position: u64, names: &RowNames) -> Result<RecordedEvent, String> {
    let id = EventId::new(row.try_get_unchecked(5).map_err(column("id"))?);
    let data: &str = row.try_get_unchecked(6).map_err(column("data"))?;
    let data = Json::parse(data).map_err(|error| format!("its data is no JSON: {error}"))?;
    let causation: Option<&[u8]> = row.try_get_unchecked(7).map_err(column("causation"))?;
    let correlation: Option<&[u8]> = row.try_get_unchecked(8).map_err(column("correlation"))?;
    let causation = Kept::read(causation, Some(derived_causation(id))).ok_or("its causation is no UUID")?;
    let correlation = Kept::read(correlation, causation).ok_or("its correlation is no UUID")?;
    let extra: Option<&str> = row.try_get_unchecked(9).map_err(column("metadata"))?;
    let extra = match extra {
        None => BTreeMap::new(),
        Some(text) => {
            serde_json::from_str(text).map_err(|error| format!("its metadata is unreadable: {error}"))?
        }
    };
    let (Some(stream), Some(event_type)) = (&names.stream, &names.event_type) else {
        return Err(nameless(row, names));
    };
    Ok(RecordedEvent {
        position: Position::new(position),
        stream: stream.clone(),
        version: Version::new(number(row, 1, "version")?),
        id,
        event_type: Arc::clone(event_type),
        data,
        metadata: Metadata {
            causation_id: causation.map(CausationId::new),
            correlation_id: correlation.map(CorrelationId::new),
            extra,
        },
        recorded_at: Timestamp::from_micros(row.try_get_unchecked(2).map_err(column("recorded_at"))?),
    })
}

/// Why a row has no name of its stream or of its type.
fn nameless(row: &PgRow, names: &RowNames) -> String {
    match (numbers(row), &names.stream) {
        (Err(unreadable), _) => unreadable,
        (Ok((stream, _)), None) => format!("its stream {stream} has no name"),
        (Ok((_, event_type)), Some(_)) => format!("its type {event_type} has no name"),
    }
}

/// Names an event by what can be read of its row.
fn named(row: &PgRow, names: &RowNames) -> String {
    let event_type = names.event_type.as_ref();
    let event_type = event_type.map_or_else(|| "an event".to_owned(), |name| format!("event {name:?}"));
    let version =
        row.try_get_unchecked::<i64, _>(1).map_or_else(|_| "?".to_owned(), |version| version.to_string());
    let stream = names.stream.as_ref();
    let stream = stream.map_or_else(|| "without a name".to_owned(), StreamId::to_string);
    format!("{event_type} at version {version} of stream {stream}")
}

/// The numbers of a row's stream and event type.
pub(crate) fn numbers(row: &PgRow) -> Result<(i64, i32), String> {
    Ok((
        row.try_get_unchecked(3).map_err(column("stream"))?,
        row.try_get_unchecked(4).map_err(column("type"))?,
    ))
}

fn column(name: &str) -> impl Fn(sqlx::Error) -> String {
    move |error| format!("its {name}: {error}")
}

fn number(row: &PgRow, index: usize, name: &str) -> Result<u64, String> {
    let number: i64 = row.try_get_unchecked(index).map_err(column(name))?;
    u64::try_from(number).map_err(|_| format!("its {name} is {number}"))
}
