//! The raw engine: the same rows in the same tables at the same durability, by the fastest plain way.
//!
//! One thread, one connection, one prepared statement, nothing awaited, nothing checked.

pub(crate) mod postgres;

use std::path::Path;
use std::time::{Duration, Instant};

use cqrs_core::EventStore;
use cqrs_sqlite::SqliteStore;
use rusqlite::{Connection, Transaction, params};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::Error;
use crate::sample::{Quantiles, Sample, Stopwatch, histogram};
use crate::streams::{STREAMS, Streams};

const INSERT: &str = "INSERT INTO events (position, stream, version, type, id, data, recorded_at)
                      VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)";

/// Commits so many events at a time until the time is over. Latencies are those of transactions.
pub(crate) fn run(runtime: &Runtime, path: &Path, batch: usize, time: Duration) -> Result<Sample, Error> {
    // Our own store makes the tables, so that they are the same.
    runtime.block_on(async {
        SqliteStore::open(path).await?.close().await;
        Ok::<_, Error>(())
    })?;
    let mut connection = connect(path)?;
    prepare_streams(&mut connection)?;
    let mut versions = vec![0_i64; usize::try_from(STREAMS)?];
    let mut position = 0_i64;
    let mut latencies = histogram()?;
    let watch = Stopwatch::start();
    while watch.started().elapsed() < time {
        let begun = Instant::now();
        let transaction = connection.transaction()?;
        for _ in 0..batch {
            position += 1;
            let stream = Streams::Many.of(position as u64);
            let version = &mut versions[usize::try_from(stream)?];
            *version += 1;
            insert(&transaction, position, stream, *version)?;
        }
        transaction.commit()?;
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
    let took = watch.took();
    Ok(Sample { events: position as u64, took, latencies: Some(Quantiles::of(&latencies)), appends: None })
}

/// A connection with the settings of the one that appends for our store.
pub(crate) fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    for (pragma, value) in
        [("synchronous", "FULL"), ("cache_size", "-65536"), ("wal_autocheckpoint", "10000")]
    {
        connection.pragma_update(None, pragma, value)?;
    }
    Ok(connection)
}

/// Writes an event of the benchmark's one type. Streams have the number after their key's.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    position: i64,
    meter_id: u64,
    version: i64,
) -> Result<(), Error> {
    let data = format!(r#"{{"meter_id":{meter_id},"value":{position}}}"#);
    let recorded_at = 1_700_000_000_000_000 + position;
    let id = Uuid::now_v7();
    let parameters = params![position, meter_id as i64 + 1, version, id.as_bytes(), data, recorded_at];
    transaction.prepare_cached(INSERT)?.execute(parameters)?;
    Ok(())
}

/// Gives all streams and the one event type their numbers.
pub(crate) fn prepare_streams(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO event_types (id, category, name) VALUES (1, 'meter', 'Read')", [])?;
    {
        let mut insert = transaction.prepare("INSERT INTO streams (id, name) VALUES (?1, ?2)")?;
        for stream in 0..STREAMS {
            insert.execute(params![stream as i64 + 1, format!("meter-{stream}")])?;
        }
    }
    transaction.commit()?;
    Ok(())
}
