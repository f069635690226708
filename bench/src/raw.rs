//! The raw engine: the same rows in the same tables at the same durability, by the fastest plain way.
//!
//! One thread, one connection, one prepared statement, nothing awaited, nothing checked.

use std::path::Path;
use std::time::{Duration, Instant};

use cqrs_core::EventStore;
use cqrs_sqlite::SqliteStore;
use rusqlite::{Connection, params};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::ours::scatter;
use crate::report::Sample;
use crate::{Error, STREAMS};

const INSERT: &str = "INSERT INTO events (position, stream, version, type, id, data, recorded_at)
                      VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)";

pub(crate) fn run(runtime: &Runtime, path: &Path, batch: usize, time: Duration) -> Result<Sample, Error> {
    // Our own store makes the tables, so that they are the same.
    runtime.block_on(async {
        SqliteStore::open(path).await?.close().await;
        Ok::<_, Error>(())
    })?;
    let mut connection = Connection::open(path)?;
    for (pragma, value) in
        [("synchronous", "FULL"), ("cache_size", "-65536"), ("wal_autocheckpoint", "10000")]
    {
        connection.pragma_update(None, pragma, value)?;
    }
    prepare_streams(&mut connection)?;
    let mut versions = vec![0_i64; usize::try_from(STREAMS)?];
    let mut position = 0_i64;
    let start = Instant::now();
    while start.elapsed() < time {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for _ in 0..batch {
                position += 1;
                let stream = usize::try_from(scatter(position as u64) % STREAMS)?;
                versions[stream] += 1;
                let data = format!(r#"{{"meter_id":{stream},"value":{position}}}"#);
                let recorded_at = 1_700_000_000_000_000 + position;
                let id = Uuid::now_v7();
                insert.execute(params![
                    position,
                    stream as i64 + 1,
                    versions[stream],
                    id.as_bytes(),
                    data,
                    recorded_at
                ])?;
            }
        }
        transaction.commit()?;
    }
    let per_second = position as f64 / start.elapsed().as_secs_f64();
    Ok(Sample { per_second, p50: None, p99: None })
}

fn prepare_streams(connection: &mut Connection) -> Result<(), Error> {
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
