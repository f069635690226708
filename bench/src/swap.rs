//! How long commands wait while a read model is rebuilt and takes the old one's place.

use std::path::Path;
use std::time::Instant;

use async_trait::async_trait;
use cqrs_core::{App, BoxError, EventStore, Projection, RecordedEvent};
use cqrs_sqlite::SqliteStore;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use tokio::sync::watch;

use crate::Error;
use crate::domain::{MeterEvent, Read};
use crate::runner::discard;
use crate::sample::{Quantiles, histogram};
use crate::stage::Stage;

/// Commands of the one client while nothing is rebuilt.
const BEFORE: u64 = 2_000;

/// A rebuild, and the commands of one client beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SwapResult {
    /// Rows that were made anew.
    pub(crate) rows: u64,
    /// From the call to its answer.
    pub(crate) rebuild_seconds: f64,
    /// Of commands before the rebuild.
    pub(crate) before_micros: Quantiles,
    /// Of commands during the rebuild.
    pub(crate) during_micros: Quantiles,
    /// The command that waited longest during the rebuild: for the swap.
    pub(crate) longest_micros: f64,
}

/// Keeps a row for each event.
struct Readings;

#[async_trait]
impl Projection for Readings {
    const NAME: &'static str = "readings";
    type Event = MeterEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("swap/schema.sql")).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<MeterEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<MeterEvent>],
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let row = |event: &RecordedEvent<MeterEvent>| {
            let MeterEvent::Read { meter_id, value } = event.data;
            (event.position, meter_id, value)
        };
        let rows = serde_json::to_string(&events.iter().map(row).collect::<Vec<_>>())?;
        sqlx::query(include_str!("swap/insert.sql")).bind(rows).execute(connection).await?;
        Ok(())
    }
}

/// Runs if the text is in the words `swap of a rebuild`.
pub(crate) fn run(stage: &Stage, only: &str) -> Result<Option<SwapResult>, Error> {
    if !"swap of a rebuild".contains(only) {
        return Ok(None);
    }
    let file = stage.directory.join("swap.db");
    std::fs::copy(stage.log()?, &file)?;
    eprintln!("swap: a rebuild beside commands");
    let result = stage.runtime.block_on(measure(&file, BEFORE))?;
    discard(&file)?;
    Ok(Some(result))
}

async fn measure(file: &Path, before: u64) -> Result<SwapResult, Error> {
    let store = SqliteStore::open(file).await?;
    let (read_model, head) = (store.read_model(), store.head().await?);
    let app = App::builder(store).projection(Readings, read_model).start().await?;
    let mut status = app.watch_status(Readings::NAME).ok_or("the projection has no status")?;
    status.wait_for(|status| status.position >= head).await?;
    let mut latencies = histogram()?;
    for value in 0..before {
        command(&app, value, &mut latencies).await?;
    }
    let (ended, rebuilt) = watch::channel(false);
    let client = tokio::spawn(commands_until(app.clone(), before, rebuilt));
    let begun = Instant::now();
    let up_to = app.rebuild(Readings::NAME).await;
    let rebuild_seconds = begun.elapsed().as_secs_f64();
    // The client listens until it is told, unless it has failed.
    let _ = ended.send(true);
    let during = client.await??;
    app.shutdown().await;
    Ok(SwapResult {
        rows: up_to?.as_u64(),
        rebuild_seconds,
        before_micros: Quantiles::of(&latencies),
        during_micros: Quantiles::of(&during),
        longest_micros: during.max() as f64,
    })
}

async fn commands_until(
    app: App,
    first: u64,
    ended: watch::Receiver<bool>,
) -> Result<Histogram<u64>, Error> {
    let (mut latencies, mut value) = (histogram()?, first);
    while !*ended.borrow() {
        command(&app, value, &mut latencies).await?;
        value += 1;
    }
    Ok(latencies)
}

/// A command for the one meter of the client.
async fn command(app: &App, value: u64, latencies: &mut Histogram<u64>) -> Result<(), Error> {
    let begun = Instant::now();
    app.dispatch(Read::<0> { meter_id: 0, value }).await?;
    latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rebuilt_is_all_that_there_was_and_what_came_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("swap.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        crate::replay::write(&runtime, &file, 3_000).unwrap();
        let result = runtime.block_on(measure(&file, 5)).unwrap();
        let connection = rusqlite::Connection::open(&file).unwrap();
        let counts = "SELECT (SELECT count(*) FROM readings), (SELECT count(*) FROM events)";
        let (rows, events): (i64, i64) =
            connection.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert!(result.rows >= 3_005 && rows as u64 >= result.rows && rows <= events);
    }
}
