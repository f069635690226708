//! Replays: a log that is there already becomes a read model.

mod log;
mod raw;
mod totals;

use std::path::Path;

use cqrs_core::{App, Projection, ReadModel, StartFrom, Store, SubscribeOptions};
use cqrs_memory::InMemory;
use cqrs_sqlite::SqliteStore;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

pub(crate) use self::log::write;
pub(crate) use self::totals::{InTable, InValue, NAME};
use crate::Error;
use crate::sample::{Sample, Stopwatch};
use crate::stage::Stage;

/// How many events are replayed.
pub(crate) const EVENTS: u64 = 1_000_000;

/// How many events are replayed from PostgreSQL.
pub(crate) const POSTGRES_EVENTS: u64 = 250_000;

/// Who replays, and into what. The read model is the total of each meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Replay {
    /// A plain query of `sqlx`: whole events, whose columns are decoded, and whose data is added up in memory.
    RawScan,
    /// A projection into a value in memory.
    Value,
    /// Plain SQL: as many rows at a time are read, decoded, and added to a table in one transaction.
    RawTable,
    /// A projection into a table of the same file.
    Table,
    /// As [`Replay::RawScan`], from PostgreSQL.
    PostgresScan,
    /// As [`Replay::Value`], from PostgreSQL.
    PostgresValue,
}

impl Replay {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RawScan => "raw scan, replay into a value",
            Self::Value => "SQLite, replay into a value",
            Self::RawTable => "raw engine, replay into a table",
            Self::Table => "SQLite, replay into a table",
            Self::PostgresScan => "raw PostgreSQL scan, replay into a value",
            Self::PostgresValue => "PostgreSQL, replay into a value",
        }
    }

    /// Whether it needs a PostgreSQL server.
    pub(crate) fn needs_postgres(self) -> bool {
        matches!(self, Self::PostgresScan | Self::PostgresValue)
    }

    /// Replays the stage's log once. Nothing of it is left behind.
    pub(crate) fn run(self, stage: &Stage) -> Result<Sample, Error> {
        match stage.postgres().filter(|_| self.needs_postgres()) {
            Some(server) => {
                let schema = stage.postgres_log(server)?;
                match self {
                    Self::PostgresScan => {
                        stage.alone.block_on(async { raw::postgres(server.connect(schema).await?).await })
                    }
                    _ => stage.runtime.block_on(async { into_value(server.store(schema).await?).await }),
                }
            }
            None => self.on_sqlite(&stage.runtime, stage.log()?),
        }
    }

    fn on_sqlite(self, runtime: &Runtime, log: &Path) -> Result<Sample, Error> {
        let sample = match self {
            Self::RawScan => runtime.block_on(raw::scan(log))?,
            Self::RawTable => raw::into_table(log, SubscribeOptions::default().batch_events)?,
            Self::Table => runtime.block_on(into_table(log))?,
            _ => runtime.block_on(async { into_value(SqliteStore::open(log).await?).await })?,
        };
        clean(log)?;
        Ok(sample)
    }
}

async fn into_value(store: impl Store) -> Result<Sample, Error> {
    let totals = InMemory::default();
    let sample = replay(store, InValue, totals.clone(), StartFrom::Origin).await?;
    let found = totals.read(|totals: &totals::Totals| totals.values().sum()).await;
    totals::check(sample.events, found)?;
    Ok(sample)
}

async fn into_table(log: &Path) -> Result<Sample, Error> {
    let store = SqliteStore::open(log).await?;
    let read_model = store.read_model();
    let sample = replay(store, InTable, read_model, StartFrom::Origin).await?;
    totals::check(sample.events, totals::in_table(&Connection::open(log)?)?)?;
    Ok(sample)
}

/// Starts an application with the projection, and waits until it has caught up with the log.
pub(crate) async fn replay<P: Projection, R: ReadModel<Target = P::Target>>(
    store: impl Store,
    projection: P,
    read_model: R,
    start: StartFrom,
) -> Result<Sample, Error> {
    let head = store.head().await?;
    let mut options = SubscribeOptions::default();
    options.start = start;
    let watch = Stopwatch::start();
    let app = App::builder(store).projection_with(projection, read_model, options).start().await?;
    let mut status = app.watch_status(NAME).ok_or("the projection has no status")?;
    let ended = status.wait_for(|status| status.position >= head || status.state.is_stopped()).await?;
    if ended.position < head {
        return Err(format!("the projection has ended: {:?}", ended.last_error).into());
    }
    drop(ended);
    let took = watch.took();
    app.shutdown().await;
    Ok(Sample { events: head.as_u64(), took, latencies: None, appends: None })
}

/// Removes what a replay has made, so that the next one begins anew.
pub(crate) fn clean(log: &Path) -> Result<(), Error> {
    let connection = Connection::open(log)?;
    connection.execute_batch(
        "DROP TABLE IF EXISTS totals;
         DELETE FROM projections;
         PRAGMA wal_checkpoint(TRUNCATE);",
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_sees_each_event_once_and_can_be_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log.db");
        let runtime = Runtime::new().unwrap();
        write(&runtime, &log, 2_500).unwrap();
        for _ in 0..2 {
            for way in [Replay::RawScan, Replay::Value, Replay::RawTable, Replay::Table] {
                assert_eq!(way.on_sqlite(&runtime, &log).unwrap().events, 2_500, "{way:?}");
            }
        }
    }

    #[test]
    fn a_total_that_lacks_an_event_is_found_out() {
        assert!(totals::check(4, 10).is_ok());
        assert!(totals::check(4, 9).is_err());
    }
}
