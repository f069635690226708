//! What cases are run on.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::postgres::Server;
use crate::sample::Sample;
use crate::{Error, raw, replay};

/// What cases are run on, and what they share.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    /// What the raw engine is awaited on where it must be: one thread, so that no answer of the server wakes another one.
    pub(crate) alone: Runtime,
    /// Where files are put.
    pub(crate) directory: PathBuf,
    /// How long a case runs, unless what it does has an end.
    pub(crate) time: Duration,
    postgres: Option<Server>,
    log: OnceCell<PathBuf>,
    postgres_log: OnceCell<String>,
}

impl Stage {
    pub(crate) fn new(directory: &Path, time: Duration) -> Result<Self, Error> {
        let (runtime, directory) = (Runtime::new()?, directory.to_owned());
        let alone = Builder::new_current_thread().enable_all().build()?;
        let (log, postgres_log) = (OnceCell::new(), OnceCell::new());
        Ok(Self { runtime, alone, directory, time, postgres: None, log, postgres_log })
    }

    /// With a PostgreSQL server, if there is the URL of one.
    pub(crate) fn with_postgres(mut self, url: Option<&str>) -> Result<Self, Error> {
        self.postgres = url.map(|url| self.runtime.block_on(Server::begin(url))).transpose()?;
        Ok(self)
    }

    /// The PostgreSQL server, if there is one.
    pub(crate) fn postgres(&self) -> Option<&Server> {
        self.postgres.as_ref()
    }

    /// Runs a case on the PostgreSQL server, in a schema of its own.
    pub(crate) fn on_postgres(
        &self,
        runtime: &Runtime,
        case: impl AsyncFnOnce(&Server, &str) -> Result<Sample, Error>,
    ) -> Result<Sample, Error> {
        let server = self.postgres.as_ref().ok_or("there is no PostgreSQL server")?;
        let schema = server.schema();
        runtime.block_on(async {
            let sample = case(server, &schema).await?;
            server.discard(&schema).await?;
            Ok(sample)
        })
    }

    /// The schema with the log that is replayed from PostgreSQL.
    pub(crate) fn postgres_log(&self, server: &Server) -> Result<&str, Error> {
        if let Some(schema) = self.postgres_log.get() {
            return Ok(schema);
        }
        let schema = server.schema();
        eprintln!("a log of {} events on PostgreSQL", replay::POSTGRES_EVENTS);
        self.runtime.block_on(raw::postgres::log(server, &schema, replay::POSTGRES_EVENTS))?;
        Ok(self.postgres_log.get_or_init(|| schema))
    }

    /// The file with the log that is replayed. It is written when it is asked for the first time.
    pub(crate) fn log(&self) -> Result<&Path, Error> {
        if let Some(log) = self.log.get() {
            return Ok(log);
        }
        let log = self.directory.join("log.db");
        eprintln!("a log of {} events", replay::EVENTS);
        replay::write(&self.runtime, &log, replay::EVENTS)?;
        Ok(self.log.get_or_init(|| log))
    }
}
