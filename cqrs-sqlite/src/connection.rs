//! A file's connections: those that write, behind a gate, and some that read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use cqrs_core::StoreError;
use futures::{FutureExt, TryStreamExt};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, Either, Executor, Sqlite, SqliteConnection};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, Semaphore};

use crate::error::{SQLITE_ERROR, corrupt, failed, primary_code};
use crate::file::{Kind, prepare};
use crate::log_reader::LogReaders;
use crate::log_writer::LogWriter;
use crate::options::{SqliteOptions, Synchronous};
use crate::{OpenError, gate};

/// A statement with its parameters.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// An open file.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    options: SqliteOptions,
    /// The names of all that our schema makes in it.
    own_names: HashSet<String>,
    gate: Arc<Mutex<()>>,
    /// What appends, if there is a log in the file.
    log: Option<LogWriter>,
    /// Writes what follows from the log, and can be made again: no commit waits for the disk. `None` once it is
    /// closed.
    derived: Arc<Mutex<Option<Writer>>>,
    /// What reads events.
    log_readers: LogReaders,
    readers: Readers,
    /// The one connection that projections write with. A pool, because only a pool gives out a transaction
    /// that owns its connection, and only sqlx's own transactions nest.
    projections: SqlitePool,
    /// The connections that the application queries read models with.
    queries: SqlitePool,
}

#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    /// Whether a transaction may be open, because somebody who began one was dropped or failed.
    dirty: bool,
}

/// The right to write: nobody else in this process writes to the file meanwhile. A transaction that is still
/// open when this is dropped is rolled back.
pub(crate) struct Turn {
    writer: OwnedMappedMutexGuard<Option<Writer>, Writer>,
    _gate: OwnedMutexGuard<()>,
}

impl Database {
    /// Opens a file, and creates or migrates it as needed.
    pub(crate) async fn open(path: &Path, kind: &Kind, options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = prepare(path, kind, options).await?;
        let failed = |source| OpenError::Sqlite { path: path.clone(), source };
        let derived = options.writer(&path, Synchronous::Normal);
        let writer = Writer::connect(derived.clone()).await.map_err(|error| failed(error.into()))?;
        let log = match kind.has_log() {
            true => Some(LogWriter::start(&path, options).await.map_err(failed)?),
            false => None,
        };
        let pool = |connections: u32, options: SqliteConnectOptions| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .connect_lazy_with(options)
        };
        Ok(Self {
            own_names: kind.own_names().map_err(|error| failed(error.into()))?,
            options: options.clone(),
            gate: gate::of(&path),
            log,
            derived: Arc::new(Mutex::new(Some(writer))),
            log_readers: LogReaders::new(&path, options),
            readers: Readers::new(options.reader(&path), options.read_connections),
            projections: pool(1, derived),
            queries: pool(options.read_connections, options.reader(&path)),
            path,
        })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file beside it: its own name, and more.
    pub(crate) fn beside(&self, more: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(more);
        name.into()
    }

    /// How it was opened.
    pub(crate) fn options(&self) -> &SqliteOptions {
        &self.options
    }

    /// The names of all that our schema makes in it.
    pub(crate) fn own_names(&self) -> &HashSet<String> {
        &self.own_names
    }

    /// The connections that the application may query with.
    pub(crate) fn queries(&self) -> &SqlitePool {
        &self.queries
    }

    /// The connection that projections write with; to be used behind the gate.
    pub(crate) fn projections(&self) -> &SqlitePool {
        &self.projections
    }

    /// Waits at the gate.
    pub(crate) async fn enter(&self, action: &'static str) -> Result<OwnedMutexGuard<()>, StoreError> {
        let entered =
            tokio::time::timeout(self.options.busy_timeout, Arc::clone(&self.gate).lock_owned()).await;
        let guard =
            entered.map_err(|_| StoreError::backend(action, GateTimeout(self.options.busy_timeout)))?;
        match self.readers.permits.is_closed() {
            true => Err(StoreError::Closed),
            false => Ok(guard),
        }
    }

    /// What appends; to be used behind the gate.
    pub(crate) fn log(&self) -> Result<&LogWriter, StoreError> {
        self.log.as_ref().ok_or_else(|| corrupt("a file of read models has no log"))
    }

    /// Waits for the right to write what follows from the log.
    pub(crate) async fn turn(&self, action: &'static str) -> Result<Turn, StoreError> {
        let gate = self.enter(action).await?;
        let writer = Arc::clone(&self.derived).lock_owned().await;
        let writer = OwnedMutexGuard::try_map(writer, Option::as_mut);
        let mut turn = Turn { writer: writer.map_err(|_| StoreError::Closed)?, _gate: gate };
        turn.writer.clean().await.map_err(|error| failed(action, &self.path, error))?;
        turn.writer.dirty = true;
        Ok(turn)
    }

    /// What reads events.
    pub(crate) fn log_readers(&self) -> &LogReaders {
        &self.log_readers
    }

    /// Reads.
    pub(crate) async fn read(
        &self,
        action: &'static str,
        statement: Statement,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.readers.read(action, statement).await
    }

    /// Waits for who writes, copies the WAL into the file, and closes all connections.
    pub(crate) async fn close(&self) {
        let _gate = Arc::clone(&self.gate).lock_owned().await;
        self.log_readers.close().await;
        self.readers.close(self.options.busy_timeout).await;
        self.projections.close().await;
        // The application may sit on a connection for as long as it likes; closing does not.
        let _ = tokio::time::timeout(self.options.busy_timeout, self.queries.close()).await;
        if let Some(log) = &self.log {
            log.close().await;
        }
        let Some(mut writer) = self.derived.lock().await.take() else { return };
        let cleaned = writer.clean().await;
        let copied = match cleaned {
            Ok(()) => writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = copied {
            // Nothing is lost: whoever opens the file next reads the WAL.
            tracing::warn!(path = %self.path.display(), %error, "the WAL was not copied into the file");
        }
        if let Err(error) = writer.connection.close().await {
            tracing::warn!(path = %self.path.display(), %error, "a connection was not closed cleanly");
        }
    }
}

/// The right to write did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("another writer of this process kept the file busy for more than {0:?}")]
struct GateTimeout(Duration);

impl Writer {
    async fn connect(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: options.connect().await?, options, dirty: false })
    }

    /// Makes sure that no transaction is open.
    async fn clean(&mut self) -> Result<(), sqlx::Error> {
        if self.dirty {
            match self.connection.execute("ROLLBACK").await {
                Ok(_) => {}
                // There was none.
                Err(error) if primary_code(&error) == Some(SQLITE_ERROR) => {}
                Err(_) => self.connection = self.options.connect().await?,
            }
            self.dirty = false;
        }
        Ok(())
    }
}

impl Turn {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.writer.options.get_filename()
    }

    /// The connection.
    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.writer.connection
    }

    /// Runs a text of so many statements, of which the last one commits. Returns how many rows they changed.
    pub(crate) async fn run(
        &mut self,
        statement: Statement,
        statements: usize,
    ) -> Result<u64, sqlx::Error> {
        let (mut done, mut changed) = (0, 0);
        let mut results = self.connection().fetch_many(statement);
        let source = loop {
            match results.try_next().await {
                Ok(Some(Either::Left(result))) => {
                    (done, changed) = (done + 1, changed + result.rows_affected())
                }
                Ok(Some(Either::Right(_))) => {}
                Ok(None) if done == statements => break None,
                // The connection's thread is gone, and took the results with it.
                Ok(None) => break Some(sqlx::Error::WorkerCrashed),
                Err(error) => break Some(error),
            }
        };
        drop(results);
        match source {
            None => {
                self.writer.dirty = false;
                Ok(changed)
            }
            Some(source) => {
                self.roll_back().await;
                Err(source)
            }
        }
    }

    /// Rolls back, if a transaction is open. Should that fail, it is done before the next turn.
    async fn roll_back(&mut self) {
        if let Err(error) = self.writer.clean().await {
            tracing::warn!(%error, "a transaction is rolled back later");
        }
    }
}

impl Drop for Turn {
    /// Lets other processes write at once, rather than at this process's next turn. The connection's thread
    /// receives the rollback with the first poll; nobody needs to wait for it.
    fn drop(&mut self) {
        if self.writer.dirty {
            let _ = self.writer.connection.execute("ROLLBACK").now_or_never();
        }
    }
}

/// Connections that read, opened as they are needed. One that failed, or whose reader was dropped, is closed.
#[derive(Debug)]
struct Readers {
    options: SqliteConnectOptions,
    permits: Semaphore,
    count: u32,
    idle: SyncMutex<Vec<SqliteConnection>>,
}

impl Readers {
    fn new(options: SqliteConnectOptions, count: u32) -> Self {
        let permits = Semaphore::new(count as usize);
        Self { options, permits, count, idle: SyncMutex::default() }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, action: &'static str, statement: Statement) -> Result<Vec<SqliteRow>, StoreError> {
        let _permit = self.permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let failed = |error| failed(action, self.options.get_filename(), error);
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(failed)?,
        };
        let rows = statement.fetch_all(&mut connection).await.map_err(failed)?;
        self.idle().push(connection);
        Ok(rows)
    }

    /// Waits for those who read, but not for ever: somebody may hold a read that he does not poll.
    async fn close(&self, patience: Duration) {
        let all = tokio::time::timeout(patience, self.permits.acquire_many(self.count)).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            let _ = connection.close().await;
        }
    }
}
