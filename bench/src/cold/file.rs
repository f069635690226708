//! The file that cold loads are made from.

use std::path::Path;

use cqrs_core::{App, EventStore};
use cqrs_sqlite::SqliteStore;
use rusqlite::Connection;
use tokio::runtime::Runtime;

use super::{LOADS, SNAPSHOT_AFTER};
use crate::domain::Read;
use crate::{Error, raw, streams};

/// The key of the first long stream.
pub(super) const LONG: u64 = 0;
/// The key of the first short stream.
pub(super) const SHORT: u64 = 1_000;
/// The key of a short stream that is never measured.
pub(super) const OTHER: u64 = SHORT + LOADS;
/// How many events a short stream has.
const SHORT_EVENTS: u64 = 10;
/// How many events are not in the snapshot: as many as are missing on average when one is made after twice as many.
const AFTER_SNAPSHOT: u64 = SNAPSHOT_AFTER / 2;

/// Writes the long streams and the short ones, all at the same time as applications do: an event's neighbours in the
/// log belong to other streams. Each long stream has a snapshot, to which half of what makes the next one due has
/// come since.
pub(super) fn prepare(runtime: &Runtime, path: &Path) -> Result<(), Error> {
    prepare_with(runtime, path, streams::LONG)
}

pub(super) fn prepare_with(runtime: &Runtime, path: &Path, events: u64) -> Result<(), Error> {
    runtime.block_on(async {
        SqliteStore::open(path).await?.close().await;
        Ok::<_, Error>(())
    })?;
    let before_snapshot = events - AFTER_SNAPSHOT;
    let mut connection = raw::connect(path)?;
    raw::prepare_streams(&mut connection)?;
    write(&mut connection, 1..before_snapshot, events / SHORT_EVENTS)?;
    drop(connection);
    runtime.block_on(snapshot(path))?;
    write(&mut raw::connect(path)?, before_snapshot + 2..events + 1, events / SHORT_EVENTS)
}

/// Writes these versions of each long stream, and after so many of them one of each short stream.
fn write(connection: &mut Connection, versions: std::ops::Range<u64>, short: u64) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    let mut position =
        transaction.query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))?;
    for version in versions {
        let mut insert = |meter_id: u64, version: u64| {
            position += 1;
            raw::insert(&transaction, position, meter_id, version as i64)
        };
        for stream in 0..LOADS {
            insert(LONG + stream, version)?;
        }
        if version % short == 0 {
            for stream in SHORT..=OTHER {
                insert(stream, version / short)?;
            }
        }
    }
    Ok(transaction.commit()?)
}

/// Has a snapshot made of each long stream, by the first of two more commands.
async fn snapshot(path: &Path) -> Result<(), Error> {
    for stream in 0..LOADS {
        let app = App::builder(SqliteStore::open(path).await?).start().await?;
        // The second command finds the snapshot under way, and shutting down waits for that.
        for _ in 0..2 {
            app.dispatch(Read::<2> { meter_id: LONG + stream, value: 1 }).await?;
        }
        app.shutdown().await;
    }
    let connection = Connection::open(path)?;
    let made: i64 = connection.query_row("SELECT count(*) FROM snapshots", [], |row| row.get(0))?;
    match made == LOADS as i64 {
        true => Ok(()),
        false => Err(format!("{made} snapshots were made instead of {LOADS}").into()),
    }
}
