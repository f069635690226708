//! Reading streams, the log and receipts.

use cqrs_core::{
    Appended, CommandId, Direction, EventFilter, LogPage, Position, RecordedEvent, StoreError, StreamId,
    StreamRead,
};
use rusqlite::{Connection, Rows, params};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::connection::Database;
use crate::error::corrupt;
use crate::event_row::{EventReader, Hex};
use crate::log_reader::{LogReader, ReadError};

const HEAD: &str = include_str!("sql/head.sql");
const READ_LOG: &str = include_str!("sql/read_log.sql");
const READ_FORWARD: &str = include_str!("sql/read_stream_forward.sql");
const READ_BACKWARD: &str = include_str!("sql/read_stream_backward.sql");
const RECEIPTS: &str = include_str!("sql/receipts.sql");

/// How many positions one page looks at, at least: a filter that matches little costs one call for so many
/// events, a few milliseconds.
const WINDOW: u64 = 20_000;

/// For how many events there is room in a page before the first is read, at most.
const PAGE: usize = 1_000;

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
    let row = rows.first().ok_or_else(|| corrupt("the log has no head"))?;
    natural(row, 0).map(Position::new).map_err(|error| corrupt(format!("the log's head: {error}")))
}

/// A page of the log. The events are looked at after the head, so every one at or below the head is there to be
/// seen.
pub(crate) async fn log(
    database: &Database,
    after: Position,
    filter: &EventFilter,
    limit: usize,
) -> Result<LogPage, StoreError> {
    if limit == 0 {
        return Ok(LogPage { events: Vec::new(), scanned_to: after });
    }
    let window = after.plus((limit as u64).max(WINDOW));
    let categories = filter.wanted_categories().map(json).transpose()?;
    let event_types = filter.wanted_event_types().map(json).transpose()?;
    let streams = filter.wanted_streams().map(json).transpose()?;
    let read = move |reader: &mut LogReader| {
        let LogReader { connection, events } = reader;
        let head: i64 = connection.prepare_cached(HEAD)?.query_row([], |row| row.get(0))?;
        let head = u64::try_from(head).map_err(|_| corrupt(format!("the log's head is {head}")))?;
        let (from, to) = (clamp(after.as_u64()), clamp(window.as_u64()));
        let parameters = params![from, to, clamp(limit as u64), categories, event_types, streams];
        let mut statement = connection.prepare_cached(READ_LOG)?;
        let found = page(statement.query(parameters)?, limit.min(PAGE), events, connection)?;
        let last = found.last().map_or(after, |event| event.position);
        let scanned_to = match found.len() < limit {
            // The window was looked at as a whole, as far as there was a log.
            true => window.min(Position::new(head)).max(last),
            false => last,
        };
        Ok(LogPage { events: found, scanned_to })
    };
    database.log_readers().read("read the log", read).await
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
    let (name, from, limit) = (stream.to_string(), clamp(read.from.as_u64()), clamp(read.limit as u64));
    let read = move |reader: &mut LogReader| {
        let LogReader { connection, events } = reader;
        let mut statement = connection.prepare_cached(sql)?;
        page(statement.query(params![name, from, limit])?, 0, events, connection)
    };
    database.log_readers().read("read a stream", read).await
}

/// Unpacks rows, of which there may be about so many.
fn page(
    mut rows: Rows<'_>,
    about: usize,
    reader: &mut EventReader,
    names: &Connection,
) -> Result<Vec<RecordedEvent>, ReadError> {
    let mut events = Vec::with_capacity(about);
    while let Some(row) = rows.next()? {
        events.push(reader.read(row, names)?);
    }
    Ok(events)
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
