//! The room that events take on disk, besides their JSON.

use std::future::IntoFuture;
use std::path::Path;

use cqrs_core::App;
use cqrs_sqlite::SqliteStore;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::Error;
use crate::domain::Read;
use crate::goal::{Bound, Judged};
use crate::runner::discard;
use crate::streams::Streams;

/// How many events are written.
const EVENTS: u64 = 200_000;

/// How many commands are under way at a time; the order of the events, and with it the fill of the pages, depends
/// on it a little.
const COMMANDS: u64 = 1_000;

/// The events' data alone.
const DATA_BYTES: &str = "SELECT count(*), sum(length(CAST(data AS BLOB))) FROM events";

/// A schema as one writes it down without a thought about size: ids and times as text, and the metadata's two ids
/// as JSON in each row.
const NAIVE: &str = include_str!("disk/naive.sql");

const OURS: &str = "SQLite";

/// A file that was written and closed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DiskResult {
    pub(crate) case: String,
    pub(crate) events: u64,
    pub(crate) file_bytes: u64,
    /// The JSON of the events' data.
    pub(crate) data_bytes: u64,
    /// What an event takes besides its data.
    pub(crate) bytes_per_event: f64,
}

/// Runs if the text is in the word `disk`.
pub(crate) fn run(runtime: &Runtime, only: &str, directory: &Path) -> Result<Vec<DiskResult>, Error> {
    if !"disk".contains(only) {
        return Ok(Vec::new());
    }
    eprintln!("disk: {EVENTS} events");
    let (ours, naive) = (directory.join("disk.db"), directory.join("naive.db"));
    runtime.block_on(write(&ours, EVENTS))?;
    copy(&ours, &naive)?;
    let results = vec![measure(OURS, &ours)?, measure("naive schema", &naive)?];
    discard(&ours)?;
    discard(&naive)?;
    Ok(results)
}

/// What an event may take, and what it takes.
pub(crate) fn goals(results: &[DiskResult]) -> Vec<Judged> {
    let ours = results.iter().filter(|result| result.case == OURS);
    let judge = |result: &DiskResult| {
        let what = "bytes an event on disk, besides its JSON".to_owned();
        Judged::new(OURS, what, Bound::AtMost(140.0), result.bytes_per_event)
    };
    ours.map(judge).collect()
}

/// Writes events by our path, and closes the file.
async fn write(path: &Path, events: u64) -> Result<(), Error> {
    let app = App::builder(SqliteStore::open(path).await?).start().await?;
    for first in (0..events).step_by(COMMANDS as usize) {
        let commands = (first..events.min(first + COMMANDS)).map(|value| {
            app.dispatch(Read::<0> { meter_id: Streams::Many.of(value), value }).into_future()
        });
        futures::future::try_join_all(commands).await?;
    }
    app.shutdown().await;
    Ok(())
}

/// Writes the events of one of our files into a naive one, in their order.
fn copy(ours: &Path, naive: &Path) -> Result<(), Error> {
    let connection = Connection::open(naive)?;
    connection.execute_batch(NAIVE)?;
    connection.execute("ATTACH ?1 AS ours", [ours.to_string_lossy()])?;
    connection.execute_batch(include_str!("disk/copy.sql"))?;
    connection.execute_batch("DETACH ours")?;
    Ok(())
}

fn measure(case: &str, path: &Path) -> Result<DiskResult, Error> {
    let file_bytes = std::fs::metadata(path)?.len();
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        return Err(format!("{} was not closed", path.display()).into());
    }
    let connection = Connection::open(path)?;
    let (events, data_bytes): (i64, i64) =
        connection.query_row(DATA_BYTES, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (events, data_bytes) = (u64::try_from(events)?, u64::try_from(data_bytes)?);
    let bytes_per_event = (file_bytes as f64 - data_bytes as f64) / events as f64;
    Ok(DiskResult { case: case.to_owned(), events, file_bytes, data_bytes, bytes_per_event })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_have_the_same_events_and_ours_is_the_smaller_one() {
        let directory = tempfile::tempdir().unwrap();
        let (ours, naive) = (directory.path().join("ours.db"), directory.path().join("naive.db"));
        Runtime::new().unwrap().block_on(write(&ours, 2_000)).unwrap();
        copy(&ours, &naive).unwrap();
        let (ours, naive) = (measure(OURS, &ours).unwrap(), measure("naive", &naive).unwrap());
        assert_eq!((ours.events, ours.data_bytes), (2_000, naive.data_bytes));
        assert_eq!(ours.events, naive.events);
        assert!(ours.bytes_per_event < naive.bytes_per_event);
    }

    #[test]
    fn only_our_file_has_a_goal() {
        let result = |case: &str, bytes_per_event| DiskResult {
            case: case.to_owned(),
            events: 1,
            file_bytes: 0,
            data_bytes: 0,
            bytes_per_event,
        };
        let goals = goals(&[result(OURS, 140.0), result("naive schema", 400.0)]);
        assert_eq!((goals.len(), goals[0].met), (1, true));
    }
}
