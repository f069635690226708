//! Reading streams, the log and receipts.

use cqrs_core::{
    Appended, CommandId, Direction, EventFilter, LogPage, Position, RecordedEvent, StoreError, StreamId,
    StreamRead, Version,
};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use crate::connection::Database;
use crate::error::corrupt;
use crate::event_row;

const HEAD: &str = include_str!("sql/head.sql");
const READ_LOG: &str = include_str!("sql/read_log.sql");
const READ_FILTERED: &str = include_str!("sql/read_log_filtered.sql");
const READ_FORWARD: &str = include_str!("sql/read_stream_forward.sql");
const READ_BACKWARD: &str = include_str!("sql/read_stream_backward.sql");
const RECEIPTS: &str = include_str!("sql/receipts.sql");

/// How many positions one page looks at, at least: a filter that matches little costs one call for so many
/// events, a few milliseconds.
const WINDOW: u64 = 20_000;

/// The column of `read_log_filtered.sql` that has the head, in the row that has no position.
const HEAD_COLUMN: usize = 10;

/// PostgreSQL's integers end where a signed number does; so does everything that is stored.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A column with a number that is not negative.
pub(crate) fn natural(row: &PgRow, index: usize) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(index)?;
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The position of the last event.
pub(crate) async fn head(database: &Database) -> Result<Position, StoreError> {
    let rows = database.read("read the head", || sqlx::query(HEAD)).await?;
    head_of(rows.first(), 0)
}

fn head_of(row: Option<&PgRow>, index: usize) -> Result<Position, StoreError> {
    let row = row.ok_or_else(|| corrupt("the log has no head"))?;
    natural(row, index).map(Position::new).map_err(|error| corrupt(format!("the log's head: {error}")))
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
    if *filter == EventFilter::default() {
        let statement = || sqlx::query(READ_LOG).bind(clamp(after.as_u64())).bind(clamp(limit as u64));
        let rows = database.read_as("read the log", statement, unpacked(database, None)).await?;
        let events = events(database, rows, None).await?;
        // Positions are dense, so the last event is the last one looked at.
        let scanned_to = events.last().map_or(after, |event| event.position);
        return Ok(LogPage { events, scanned_to });
    }
    let limit = limit as u64;
    let window = after.plus(limit.max(WINDOW));
    let streams = filter.wanted_streams().map(|streams| streams.iter().map(StreamId::as_str).collect());
    let streams: Option<Vec<&str>> = streams;
    let sql = filtered(filter);
    let statement = || {
        sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(clamp(after.as_u64()))
            .bind(clamp(window.as_u64()))
            .bind(clamp(limit))
            .bind(filter.wanted_categories())
            .bind(filter.wanted_event_types())
            .bind(streams.as_deref())
    };
    let mut rows = database.read_as("read the log", statement, unpacked(database, None)).await?;
    // It comes last; the events are in order wherever it comes.
    let has_position =
        |row: &PgRow| row.try_get::<Option<i64>, _>(0).is_ok_and(|position| position.is_some());
    let head = rows.iter().rposition(|row| row.as_ref().is_err_and(|row| !has_position(row)));
    let head = head.and_then(|place| rows.remove(place).err());
    let head = head_of(head.as_ref(), HEAD_COLUMN)?;
    let events = events(database, rows, None).await?;
    let last = events.last().map_or(after, |event| event.position);
    let scanned_to = match (events.len() as u64) < limit {
        // The window was looked at as a whole, as far as there was a log.
        true => window.min(head).max(last),
        false => last,
    };
    Ok(LogPage { events, scanned_to })
}

/// The statement that reads by a filter: its plan has no conditions but those of the filter.
fn filtered(filter: &EventFilter) -> String {
    let conditions = [
        ("$4", filter.wanted_categories().is_some()),
        ("$5", filter.wanted_event_types().is_some()),
        ("$6", filter.wanted_streams().is_some()),
    ];
    let is_wanted = |line: &&str| conditions.iter().all(|(name, wanted)| *wanted || !line.contains(name));
    READ_FILTERED.lines().filter(is_wanted).collect::<Vec<_>>().join("\n")
}

/// Unpacks a row when it comes, if that can be done; all are of the `stream`, if one is given.
fn unpacked(
    database: &Database,
    stream: Option<&StreamId>,
) -> impl Fn(PgRow) -> Result<RecordedEvent, PgRow> {
    move |row| {
        let names = database.names().remembered_of(&row, stream);
        names.and_then(|names| event_row::read(&row, &names).ok()).ok_or(row)
    }
}

/// The events of a page, of which some rows are not unpacked yet.
async fn events(
    database: &Database,
    rows: Vec<Result<RecordedEvent, PgRow>>,
    stream: Option<&StreamId>,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let left: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
    let mut names = database.names().of(database, &left, stream).await?.into_iter();
    let mut read = |row| event_row::read(&row, &names.next().unwrap_or_default());
    rows.into_iter().map(|row| row.or_else(&mut read)).collect()
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
    let statement = || {
        sqlx::query(sql)
            .bind(stream.as_str())
            .bind(clamp(read.from.as_u64()))
            .bind(clamp(read.limit as u64))
    };
    let rows = database.read_as("read a stream", statement, unpacked(database, Some(stream))).await?;
    events(database, rows, Some(stream)).await
}

/// First outcomes of commands.
pub(crate) async fn receipts(
    database: &Database,
    commands: &[CommandId],
) -> Result<Vec<Option<Appended>>, StoreError> {
    let ids: Vec<_> = commands.iter().map(|command| command.as_uuid()).collect();
    let rows = database.read("read receipts", || sqlx::query(RECEIPTS).bind(&ids)).await?;
    let mut found = vec![None; commands.len()];
    for row in &rows {
        let unreadable = |error| corrupt(format!("a receipt: {error}"));
        let place = (natural(row, 0).map_err(unreadable)? as usize).wrapping_sub(1);
        if let Some(found) = found.get_mut(place) {
            *found = Some(receipt(row, 1).map_err(unreadable)?);
        }
    }
    Ok(found)
}

/// Reads a receipt from three columns.
pub(crate) fn receipt(row: &PgRow, first: usize) -> Result<Appended, sqlx::Error> {
    let versions: Vec<i64> = row.try_get(first + 2)?;
    let version = |version| u64::try_from(version).map(Version::new);
    let versions = versions.into_iter().map(version).collect::<Result<_, _>>();
    Ok(Appended {
        position: Position::new(natural(row, first)?),
        events: natural(row, first + 1)?,
        versions: versions.map_err(|error| sqlx::Error::Decode(error.into()))?,
        duplicate: true,
    })
}
