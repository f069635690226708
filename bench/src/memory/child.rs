//! What a process does whose memory is measured.

use std::ffi::OsString;
use std::future::IntoFuture;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use cqrs_core::{App, DispatchOptions, EventStore, Position, StartFrom};
use cqrs_sqlite::{SqliteOptions, SqliteStore};
use tokio::runtime::Runtime;

use super::Answer;
use crate::Error;
use crate::case::Work;
use crate::domain::Read;
use crate::process::memory;
use crate::replay;
use crate::stage::Stage;
use crate::streams::Streams;

/// How many commands are under way at a time while aggregates are made: few, so that what they need for a moment
/// is little.
const COMMANDS: u64 = 256;

/// The one thing that a process does.
#[derive(Clone, Debug, PartialEq, Subcommand)]
#[command(hide = true)]
pub(crate) enum Child {
    /// Clients that dispatch.
    #[command(hide = true)]
    Clients { file: PathBuf, clients: u64, seconds: f64 },
    /// The raw engine.
    #[command(hide = true)]
    Raw { file: PathBuf, batch: usize, seconds: f64 },
    /// One command for each of so many aggregates, of which so many are kept.
    #[command(hide = true)]
    Idle { file: PathBuf, aggregates: u64, kept: u64 },
    /// A replay of the last so many events of a log into a table, with so many KiB of SQLite's pages in memory.
    #[command(hide = true)]
    Replay { file: PathBuf, events: u64, cache: u64 },
}

impl Child {
    /// What this program is started with to do it.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let (name, file, numbers) = match self {
            Self::Clients { file, clients, seconds } => {
                ("clients", file, [clients.to_string(), seconds.to_string()])
            }
            Self::Raw { file, batch, seconds } => ("raw", file, [batch.to_string(), seconds.to_string()]),
            Self::Idle { file, aggregates, kept } => {
                ("idle", file, [aggregates.to_string(), kept.to_string()])
            }
            Self::Replay { file, events, cache } => {
                ("replay", file, [events.to_string(), cache.to_string()])
            }
        };
        let numbers = numbers.into_iter().map(OsString::from);
        [name.into(), file.into()].into_iter().chain(numbers).collect()
    }

    /// Does it, and prints what it took.
    pub(crate) fn run(&self) -> Result<(), Error> {
        println!("{}", serde_json::to_string(&self.answer()?)?);
        Ok(())
    }

    fn answer(&self) -> Result<Answer, Error> {
        let under_load = |work: Work, file: &Path, seconds: f64| {
            let directory = file.parent().unwrap_or(Path::new("."));
            let stage = Stage::new(directory, Duration::from_secs_f64(seconds))?;
            let sample = work.run(&stage, file)?;
            Ok(Answer { events: sample.events, memory: memory()? })
        };
        match self {
            Self::Clients { file, clients, seconds } => {
                let work = Work::Sqlite { clients: *clients, streams: Streams::Many };
                under_load(work, file, *seconds)
            }
            Self::Raw { file, batch, seconds } => under_load(Work::Raw { batch: *batch }, file, *seconds),
            Self::Idle { file, aggregates, kept } => {
                Runtime::new()?.block_on(idle(file, *aggregates, *kept))
            }
            Self::Replay { file, events, cache } => {
                Runtime::new()?.block_on(replay_last(file, *events, *cache << 10))
            }
        }
    }
}

async fn idle(file: &Path, aggregates: u64, kept: u64) -> Result<Answer, Error> {
    let mut options = DispatchOptions::default();
    options.live_aggregates = NonZeroUsize::new(usize::try_from(kept)?).ok_or("none is kept")?;
    options.live_idle = None;
    let app = App::builder(SqliteStore::open(file).await?).dispatch_options(options).start().await?;
    for first in (0..aggregates).step_by(COMMANDS as usize) {
        let ids = first..aggregates.min(first + COMMANDS);
        let commands = ids.map(|meter_id| app.dispatch(Read::<0> { meter_id, value: 1 }).into_future());
        futures::future::try_join_all(commands).await?;
    }
    let memory = memory()?;
    app.shutdown().await;
    Ok(Answer { events: aggregates, memory })
}

async fn replay_last(file: &Path, events: u64, cache_bytes: u64) -> Result<Answer, Error> {
    let options = SqliteOptions::new().cache_bytes(cache_bytes);
    let store = SqliteStore::open_with(file, options).await?;
    let start = store.head().await?.as_u64().saturating_sub(events);
    let (read_model, start) = (store.read_model(), StartFrom::Position(Position::new(start)));
    replay::replay(store, replay::InTable, read_model, start).await?;
    let answer = Answer { events, memory: memory()? };
    replay::clean(file)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        child: Child,
    }

    #[test]
    fn a_child_is_told_what_its_parent_wants() {
        let file = PathBuf::from("/a file");
        for child in [
            Child::Clients { file: file.clone(), clients: 256, seconds: 2.5 },
            Child::Raw { file: file.clone(), batch: 64, seconds: 1.0 },
            Child::Replay { file: file.clone(), events: 1_000, cache: 4_096 },
            Child::Idle { file, aggregates: 100_000, kept: 1 },
        ] {
            let arguments = std::iter::once("bench".into()).chain(child.arguments());
            assert_eq!(Program::parse_from(arguments).child, child);
        }
    }

    #[test]
    fn a_child_tells_what_it_did() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child.db");
        let answer = Child::Idle { file, aggregates: 300, kept: 1 }.answer().unwrap();
        assert_eq!(answer.events, 300);
        assert!(answer.memory.resident > 0);
    }
}
