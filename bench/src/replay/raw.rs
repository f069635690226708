//! The same read models by plain SQL.

use std::hint::black_box;
use std::path::Path;

use futures::TryStreamExt;
use rusqlite::params;
use serde::Deserialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Database, Executor, PgConnection, Row};
use uuid::Uuid;

use super::totals::{self, Totals};
use crate::domain::MeterEvent;
use crate::sample::{Sample, Stopwatch};
use crate::{Error, raw};

/// All that there is of an event: a projection may ask for any of it.
const SCAN: &str =
    "SELECT position, version, recorded_at, stream, type, id, data, causation, correlation, metadata
                    FROM events ORDER BY position";
const PAGE: &str = "SELECT position, data FROM events WHERE position > ?1 ORDER BY position LIMIT ?2";
const ADD: &str = "INSERT INTO totals (meter_id, total) VALUES (?1, ?2)
                   ON CONFLICT (meter_id) DO UPDATE SET total = total + excluded.total";
const MOVE: &str = "INSERT INTO projections (name, position) VALUES ('raw', ?1)
                    ON CONFLICT (name) DO UPDATE SET position = excluded.position";

/// An event's fields as they are stored.
#[derive(Deserialize)]
struct Fields {
    meter_id: u64,
    value: u64,
}

/// All columns of [`SCAN`] but the data; `$number` is how an event type's number is stored.
macro_rules! columns {
    ($row:expr, $number:ty) => {{
        let numbers: [i64; 4] = [$row.try_get(0)?, $row.try_get(1)?, $row.try_get(2)?, $row.try_get(3)?];
        let (event_type, id): ($number, Uuid) = ($row.try_get(4)?, $row.try_get(5)?);
        let [causation, correlation]: [Option<Vec<u8>>; 2] = [$row.try_get(7)?, $row.try_get(8)?];
        let metadata: Option<String> = $row.try_get(9)?;
        (numbers, event_type, id, causation, correlation, metadata)
    }};
}

fn decode(data: &str) -> Result<MeterEvent, Error> {
    let Fields { meter_id, value } = serde_json::from_str(data)?;
    Ok(MeterEvent::Read { meter_id, value })
}

/// Reads all events by one query of `sqlx`, row by row as they come, and adds them up in memory.
pub(super) async fn scan(log: &Path) -> Result<Sample, Error> {
    let options = SqliteConnectOptions::new().filename(log).row_buffer_size(1_024);
    let options = options.pragma("cache_size", "-65536").disable_statement_logging();
    add_up(options.connect().await?, |row| Ok((row.try_get(6)?, columns!(row, i64)))).await
}

/// The same on PostgreSQL.
pub(super) async fn postgres(connection: PgConnection) -> Result<Sample, Error> {
    add_up(connection, |row| Ok((row.try_get(6)?, columns!(row, i32)))).await
}

/// Adds up the first of what is taken from each row, which is its data; the rest is there for the work that it makes.
async fn add_up<C: Connection, R>(
    mut connection: C,
    take: impl Fn(&<C::Database as Database>::Row) -> Result<(&str, R), Error>,
) -> Result<Sample, Error>
where
    for<'a> &'a mut C: Executor<'a, Database = C::Database>,
{
    let watch = Stopwatch::start();
    let (mut totals, mut events) = (Totals::new(), 0);
    let mut rows = connection.fetch(SCAN);
    while let Some(row) = rows.try_next().await? {
        let (data, rest) = take(&row)?;
        black_box(rest);
        totals::add(&mut totals, std::iter::once(&decode(data)?));
        events += 1;
    }
    drop(rows);
    let took = watch.took();
    connection.close().await?;
    totals::check(events, totals.values().sum())?;
    Ok(Sample { events, took, latencies: None, appends: None })
}

/// On one thread and one connection: reads so many rows, adds them up, adds that to the table, and moves a checkpoint,
/// in one transaction; at the durability of a projection in the store's file.
pub(super) fn into_table(log: &Path, batch: usize) -> Result<Sample, Error> {
    let mut connection = raw::connect(log)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    let watch = Stopwatch::start();
    connection.execute_batch(totals::SCHEMA)?;
    let (mut at, mut events) = (0_i64, 0);
    loop {
        let transaction = connection.transaction()?;
        let (mut totals, from) = (Totals::new(), at);
        {
            let mut statement = transaction.prepare_cached(PAGE)?;
            let mut rows = statement.query(params![at, batch as i64])?;
            while let Some(row) = rows.next()? {
                at = row.get(0)?;
                totals::add(&mut totals, std::iter::once(&decode(row.get_ref(1)?.as_str()?)?));
                events += 1;
            }
        }
        if at == from {
            break;
        }
        let mut add = transaction.prepare_cached(ADD)?;
        for (meter_id, total) in &totals {
            add.execute(params![*meter_id as i64, *total as i64])?;
        }
        drop(add);
        transaction.prepare_cached(MOVE)?.execute([at])?;
        transaction.commit()?;
    }
    let took = watch.took();
    totals::check(events, totals::in_table(&connection)?)?;
    Ok(Sample { events, took, latencies: None, appends: None })
}
