//! A database's connections: one that appends, and some for everything else.

use std::convert;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use cqrs_core::{BoxError, StoreError};
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgRow};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedSemaphorePermit, RwLock, Semaphore};

use crate::ConnectError;
use crate::append::Appender;
use crate::error::{Fate, failed, fate, not_written};
use crate::names::Names;
use crate::options::{PostgresOptions, Synchronous};
use crate::schema::{Kind, is_name, prepare};
use crate::session::{Profile, Session, Statement};
use crate::tables::Tables;

const IDENTITY: &str = include_str!("sql/identity.sql");

/// A schema of a database, connected.
#[derive(Debug)]
pub(crate) struct Database {
    kind: &'static Kind,
    /// Where it is, in words.
    place: Arc<str>,
    /// The same in the words of all nodes, whatever way they have to the server.
    identity: String,
    server: PgConnectOptions,
    options: PostgresOptions,
    /// What everything but appends is done with. Commits wait for no disk: what they write follows from the log,
    /// and can be made again.
    calls: Calls,
    /// What projections write with, and the application queries with.
    tables: Tables,
    /// Held for reading by whoever has a shadow to throw away.
    shadows: Arc<RwLock<()>>,
    /// How connections are made that are not used by calls.
    profile: Profile,
    names: Names,
    /// What appends; `None` once it is closed.
    appender: Arc<Mutex<Option<Appender>>>,
    /// Whose turn it is to append.
    turns: Arc<Semaphore>,
}

impl Database {
    /// Connects, and creates or migrates the schema as needed.
    pub(crate) async fn connect(
        url: &str,
        kind: &'static Kind,
        options: &PostgresOptions,
    ) -> Result<Self, ConnectError> {
        let server = server(url).map_err(|source| ConnectError::Url { source })?;
        if !is_name(&options.schema) {
            return Err(ConnectError::Schema { schema: options.schema.clone() });
        }
        let place: Arc<str> = place(&server, &options.schema).into();
        let derived = Profile::new(&server, options, Synchronous::Normal);
        let log = Profile::new(&server, options, options.synchronous);
        prepare(&log, kind, options, &place).await?;
        let identity = match kind.has_log() {
            false => identity(&derived, &options.schema).await.map_err(|error| ConnectError::Postgres {
                place: place.to_string(),
                source: error.into(),
            })?,
            // It is told to nobody but the store itself.
            true => format!("the store's schema {}", options.schema),
        };
        Ok(Self {
            kind,
            identity,
            tables: Tables::new(&server, &options.schema, options, options.connections),
            server,
            shadows: Arc::default(),
            calls: Calls::new(derived.clone(), options.connections),
            profile: derived,
            names: Names::new(),
            appender: Arc::new(Mutex::new(Some(Appender::new(log, Arc::clone(&place))))),
            turns: Arc::new(Semaphore::new(1)),
            options: options.clone(),
            place,
        })
    }

    /// What it is for.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// Where it is, in words.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Where it is, in the words of all nodes.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The server, without any settings.
    pub(crate) fn server(&self) -> &PgConnectOptions {
        &self.server
    }

    /// The tables of read models.
    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// A connection for what takes its time.
    pub(crate) async fn session(&self, action: &'static str) -> Result<Session, StoreError> {
        if self.calls.permits.is_closed() {
            return Err(StoreError::Closed);
        }
        self.calls.profile.open().await.map_err(|error| failed(action, &self.place, error))
    }

    /// To be held by whoever has a shadow to throw away: closing waits for him.
    pub(crate) async fn shadows(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.shadows).read_owned().await
    }

    /// How it was connected.
    pub(crate) fn options(&self) -> &PostgresOptions {
        &self.options
    }

    /// How connections are made that are not used by calls.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The names of streams and event types.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Waits for the right to append, and for what appends.
    pub(crate) async fn appender(
        &self,
    ) -> Result<(OwnedSemaphorePermit, OwnedMutexGuard<Option<Appender>>), StoreError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        Ok((turn, Arc::clone(&self.appender).lock_owned().await))
    }

    /// Reads. The statement is made again when a connection turns out to be lost.
    pub(crate) async fn read(
        &self,
        action: &'static str,
        statement: impl Fn() -> Statement + Send + Sync,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.read_as(action, statement, convert::identity).await
    }

    /// Reads as [`Database::read`] does, and takes the rows one by one as they come.
    pub(crate) async fn read_as<T: Send>(
        &self,
        action: &'static str,
        statement: impl Fn() -> Statement + Send + Sync,
        take: impl Fn(PgRow) -> T + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        loop {
            match self.calls.run(None, statement(), &take).await? {
                Ok((rows, _)) => return Ok(rows),
                // Each time there is one lost connection less.
                Err(failure) if failure.was_lost() => {}
                Err(failure) => return Err(failed(action, &self.place, failure.error)),
            }
        }
    }

    /// Writes what follows from the log. Returns the rows, and how many were changed.
    pub(crate) async fn write(
        &self,
        action: &'static str,
        statement: Statement,
    ) -> Result<(Vec<PgRow>, u64), StoreError> {
        let done = self.calls.run(None, statement, convert::identity).await?;
        done.map_err(|failure| failure.not_written(action, &self.place))
    }

    /// Writes as [`Database::write`] does, after another statement that waits for a lock: it sees what was committed until
    /// the lock was there.
    pub(crate) async fn write_under(
        &self,
        action: &'static str,
        lock: Statement,
        statement: Statement,
    ) -> Result<(Vec<PgRow>, u64), StoreError> {
        let done = self.calls.run(Some(lock), statement, convert::identity).await?;
        done.map_err(|failure| failure.not_written(action, &self.place))
    }

    /// Waits for what is under way, and closes all connections; not for ever, since somebody may hold an append that he does
    /// not poll.
    pub(crate) async fn close(&self) {
        let turn = tokio::time::timeout(self.options.answer_timeout, self.turns.acquire()).await;
        self.turns.close();
        if let Ok(Ok(_turn)) = turn
            && let Some(appender) = self.appender.lock().await.take()
        {
            appender.close().await;
        }
        self.tables.close(self.options.busy_timeout).await;
        let _ = tokio::time::timeout(self.options.busy_timeout, self.shadows.write()).await;
        self.calls.close(self.options.busy_timeout).await;
    }
}

/// Where a schema of read models is, in the words of all nodes.
async fn identity(profile: &Profile, schema: &str) -> Result<String, sqlx::Error> {
    let mut session = profile.open().await?;
    let (rows, _) = session.run(sqlx::query(IDENTITY)).await?;
    session.close().await;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (cluster, database): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(format!("schema {schema} of database {database} in cluster {cluster}"))
}

fn server(url: &str) -> Result<PgConnectOptions, BoxError> {
    // The driver takes any scheme.
    match url.split_once("://") {
        Some(("postgres" | "postgresql", _)) => Ok(url.parse()?),
        _ => Err("it does not begin with postgres://".into()),
    }
}

/// Where a schema is, in words.
fn place(server: &PgConnectOptions, schema: &str) -> String {
    let database = server.get_database().unwrap_or_else(|| server.get_username());
    format!("schema {schema} of database {database} on {}:{}", server.get_host(), server.get_port())
}

/// Connections of one kind, opened as they are needed. One that was lost, or whose caller was dropped, is closed.
#[derive(Debug)]
struct Calls {
    profile: Profile,
    permits: Semaphore,
    count: u32,
    idle: SyncMutex<Vec<Session>>,
}

/// A call that failed.
struct Failure {
    error: sqlx::Error,
    /// Whether its connection was used before.
    reused: bool,
    /// Whether the server was asked for anything: there may be no connection.
    asked: bool,
}

impl Failure {
    /// Whether the connection may have been lost before the call.
    fn was_lost(&self) -> bool {
        self.reused && fate(&self.error) == Fate::Unknown
    }

    /// What the caller is told who wanted something to be written.
    fn not_written(self, action: &'static str, place: &str) -> StoreError {
        match self.asked {
            true => not_written(action, place, self.error),
            false => failed(action, place, self.error),
        }
    }
}

impl Calls {
    fn new(profile: Profile, count: u32) -> Self {
        Self { profile, permits: Semaphore::new(count as usize), count, idle: SyncMutex::default() }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a statement, under a lock that another one takes if there is one.
    async fn run<T: Send>(
        &self,
        lock: Option<Statement>,
        statement: Statement,
        take: impl Fn(PgRow) -> T + Send + Sync,
    ) -> Result<Result<(Vec<T>, u64), Failure>, StoreError> {
        let _permit = self.permits.acquire().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle().pop();
        let reused = idle.is_some();
        let mut session = match idle {
            Some(session) => session,
            None => match self.profile.open().await {
                Ok(session) => session,
                Err(error) => return Ok(Err(Failure { error, reused, asked: false })),
            },
        };
        let done = match lock {
            None => session.run_as(statement, take).await,
            Some(lock) => session.run_under(lock, statement, take).await,
        };
        match &done {
            Err(error) if fate(error) == Fate::Unknown => {
                // Those that rest are most likely lost as well, and each would be found out only after its own wait.
                self.idle().clear();
            }
            _ => self.idle().push(session),
        }
        Ok(done.map_err(|error| Failure { error, reused, asked: true }))
    }

    /// Waits for those who call, but not for ever: somebody may hold a call that he does not poll.
    async fn close(&self, patience: Duration) {
        let all = tokio::time::timeout(patience, self.permits.acquire_many(self.count)).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for session in idle {
            session.close().await;
        }
    }
}
