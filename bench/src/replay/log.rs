//! The log that is replayed.

use std::path::Path;

use cqrs_core::EventStore;
use cqrs_sqlite::SqliteStore;
use tokio::runtime::Runtime;

use crate::streams::{STREAMS, Streams};
use crate::{Error, raw};

/// Events in a transaction while the log is written.
const BATCH: u64 = 10_000;

/// Writes a file with so many events, in the order in which clients would write them.
pub(crate) fn write(runtime: &Runtime, path: &Path, events: u64) -> Result<(), Error> {
    runtime.block_on(async {
        SqliteStore::open(path).await?.close().await;
        Ok::<_, Error>(())
    })?;
    let mut connection = raw::connect(path)?;
    raw::prepare_streams(&mut connection)?;
    let mut versions = vec![0_i64; usize::try_from(STREAMS)?];
    for first in (0..events).step_by(BATCH as usize) {
        let transaction = connection.transaction()?;
        for position in first + 1..=events.min(first + BATCH) {
            let stream = Streams::Many.of(position);
            let version = &mut versions[usize::try_from(stream)?];
            *version += 1;
            raw::insert(&transaction, position as i64, stream, *version)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
