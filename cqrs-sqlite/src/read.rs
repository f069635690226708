//! Reading streams, the log and receipts.

use cqrs_core::{
    Appended, CommandId, Direction, EventFilter, LogPage, Position, RecordedEvent, StoreError, StreamId,
    StreamRead,
};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::connection::Database;
use crate::error::corrupt;
use crate::event_row::{EventReader, Hex};

const HEAD: &str = include_str!("sql/head.sql");
const READ_LOG: &str = include_str!("sql/read_log.sql");
const READ_FORWARD: &str = include_str!("sql/read_stream_forward.sql");
const READ_BACKWARD: &str = include_str!("sql/read_stream_backward.sql");
const RECEIPTS: &str = include_str!("sql/receipts.sql");

/// How many positions one page looks at, at least: a filter that matches little costs one call for so many
/// events, a few milliseconds.
const WINDOW: u64 = 20_000;

/// SQLite's integers end where a signed number does; so does everything that is stored.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A parameter of `json_each`.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::backend("write parameters as JSON", error))
}

/// A column with a number that is not negative.
pub(crate) fn natural(row: &SqliteRow, index: usize) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(index)?;
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The position of the last event.
pub(crate) async fn head(database: &Database) -> Result<Position, StoreError> {
    let rows = database.read("read the head", sqlx::query(HEAD)).await?;
    head_of(rows.first())
}

fn head_of(row: Option<&SqliteRow>) -> Result<Position, StoreError> {
    let row = row.ok_or_else(|| corrupt("the log has no head"))?;
    natural(row, 0).map(Position::new).map_err(|error| corrupt(format!("the log's head: {error}")))
}

/// A page of the log.
pub(crate) async fn log(
    database: &Database,
    after: Position,
    filter: &EventFilter,
    limit: usize,
) -> Result<LogPage, StoreError> {
    if limit == 0 {
        return Ok(LogPage { events: Vec::new(), scanned_to: after });
    }
    let limit = limit as u64;
    let window = after.plus(limit.max(WINDOW));
    let statement = sqlx::query(READ_LOG)
        .bind(clamp(after.as_u64()))
        .bind(clamp(window.as_u64()))
        .bind(clamp(limit))
        .bind(filter.wanted_categories().map(json).transpose()?)
        .bind(filter.wanted_event_types().map(json).transpose()?)
        .bind(filter.wanted_streams().map(json).transpose()?);
    let rows = database.read("read the log", statement).await?;
    let head = head_of(rows.first())?;
    let mut reader = EventReader::default();
    let events = rows.iter().skip(1).map(|row| reader.read(row)).collect::<Result<Vec<_>, _>>()?;
    let last = events.last().map_or(after, |event| event.position);
    let scanned_to = match (events.len() as u64) < limit {
        // The window was looked at as a whole, as far as there was a log.
        true => window.min(head).max(last),
        false => last,
    };
    Ok(LogPage { events, scanned_to })
}

/// A page of a stream.
pub(crate) async fn stream(
    database: &Database,
    stream: &StreamId,
    read: StreamRead,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let sql = match read.direction {
        Direction::Forward => READ_FORWARD,
        Direction::Backward => READ_BACKWARD,
    };
    let statement = sqlx::query(sql)
        .bind(stream.to_string())
        .bind(clamp(read.from.as_u64()))
        .bind(clamp(read.limit as u64));
    let rows = database.read("read a stream", statement).await?;
    let mut reader = EventReader::default();
    rows.iter().map(|row| reader.read(row)).collect()
}

/// First outcomes of commands.
pub(crate) async fn receipts(
    database: &Database,
    commands: &[CommandId],
) -> Result<Vec<Option<Appended>>, StoreError> {
    let ids: Vec<_> = commands.iter().map(|command| Hex(command.as_uuid())).collect();
    let rows = database.read("read receipts", sqlx::query(RECEIPTS).bind(json(&ids)?)).await?;
    let mut found = vec![None; commands.len()];
    for row in &rows {
        let unreadable = |error| corrupt(format!("a receipt: {error}"));
        let key = natural(row, 0).map_err(unreadable)? as usize;
        if let Some(found) = found.get_mut(key) {
            *found = Some(receipt(row).map_err(unreadable)?);
        }
    }
    Ok(found)
}

/// Reads a receipt from the columns after the key.
fn receipt(row: &SqliteRow) -> Result<Appended, sqlx::Error> {
    let versions: &str = row.try_get(3)?;
    Ok(Appended {
        position: Position::new(natural(row, 1)?),
        events: natural(row, 2)?,
        versions: serde_json::from_str(versions).map_err(|error| sqlx::Error::Decode(error.into()))?,
        duplicate: true,
    })
}
