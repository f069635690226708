//! A load on the raw engine: one `SELECT`, one JSON decoder, one transaction.

use std::path::Path;
use std::time::Instant;

use cqrs_core::Aggregate;
use rusqlite::Connection;
use serde::Deserialize;

use super::{Load, file, micros};
use crate::domain::{Meter, MeterEvent};
use crate::{Error, raw};

const SELECT: &str = "SELECT events.version, events.data
                      FROM streams JOIN events ON events.stream = streams.id
                      WHERE streams.name = ?1 ORDER BY events.version";

/// An event's fields as they are stored.
#[derive(Deserialize)]
struct Fields {
    meter_id: u64,
    value: u64,
}

/// Reads and folds a stream, and appends an event; then appends one more.
pub(super) fn load(path: &Path, meter_id: u64) -> Result<Load, Error> {
    let mut connection = raw::connect(path)?;
    read_and_append(&mut connection, file::OTHER)?;
    let begun = Instant::now();
    let version = read_and_append(&mut connection, meter_id)?;
    let first = micros(begun);
    let begun = Instant::now();
    append(&mut connection, meter_id, version + 1)?;
    Ok(Load { first, next: micros(begun) })
}

/// Returns the version that the stream comes to.
fn read_and_append(connection: &mut Connection, meter_id: u64) -> Result<i64, Error> {
    let version = read(connection, meter_id)?.1 + 1;
    append(connection, meter_id, version)?;
    Ok(version)
}

/// The version of a stream.
#[cfg(test)]
pub(super) fn version(path: &Path, meter_id: u64) -> Result<i64, Error> {
    Ok(read(&raw::connect(path)?, meter_id)?.1)
}

fn read(connection: &Connection, meter_id: u64) -> Result<(Meter, i64), Error> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query([format!("meter-{meter_id}")])?;
    let (mut meter, mut version) = (Meter::<0>::default(), 0);
    while let Some(row) = rows.next()? {
        version = row.get(0)?;
        let Fields { meter_id, value } = serde_json::from_str(row.get_ref(1)?.as_str()?)?;
        meter.apply(&MeterEvent::Read { meter_id, value });
    }
    Ok((meter, version))
}

fn append(connection: &mut Connection, meter_id: u64, version: i64) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    let position: i64 = transaction
        .prepare_cached("SELECT max(position) + 1 FROM events")?
        .query_row([], |row| row.get(0))?;
    raw::insert(&transaction, position, meter_id, version)?;
    Ok(transaction.commit()?)
}
