//! One connection, and what is set on it.

use std::convert::identity;
use std::fmt::Write;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Executor, PgConnection, Postgres};

use crate::error::{Fate, fate, no_answer};
use crate::options::{PostgresOptions, Synchronous};

/// A statement with its parameters.
pub(crate) type Statement = Query<'static, Postgres, PgArguments>;

/// Makes a durable commit of one that is not, and leaves any other level as the server has it.
const SYNCHRONOUS: &str = include_str!("sql/synchronous.sql");
const SYNCHRONOUS_LOCAL: &str = include_str!("sql/synchronous_local.sql");

/// How connections of one kind are made.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    server: PgConnectOptions,
    answer_timeout: Duration,
    /// Whether commits must be durable although the server's default may be otherwise.
    durable: bool,
    /// What begins each transaction, where nothing is kept on a connection.
    begin: Option<String>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: PgConnection,
    profile: Profile,
    /// Whether a transaction is open that is not one call's own.
    in_transaction: bool,
}

impl Profile {
    /// For what is as durable as `synchronous` says.
    pub(crate) fn new(
        server: &PgConnectOptions,
        options: &PostgresOptions,
        synchronous: Synchronous,
    ) -> Self {
        let busy = options.busy_timeout.as_millis().max(1).to_string();
        let mut settings = vec![
            ("search_path", options.schema.clone()),
            ("lock_timeout", busy.clone()),
            // Who holds the log's head and has died must not hold it for long.
            ("idle_in_transaction_session_timeout", busy),
            // What comes after the lock of the log's head must see what was committed before.
            ("default_transaction_isolation", "read committed".to_owned()),
            // Statements are small; compiling them costs more than it gives.
            ("jit", "off".to_owned()),
            // A plan is made once. For columns as parameters the server would make one anew each time, since it guesses how
            // long they are where it does not look; that took as long as the statement.
            ("plan_cache_mode", "force_generic_plan".to_owned()),
            // It is kept, and must still be right when a table that was empty has grown.
            ("enable_seqscan", "off".to_owned()),
            ("enable_hashjoin", "off".to_owned()),
            ("enable_mergejoin", "off".to_owned()),
        ];
        if synchronous == Synchronous::Normal {
            settings.push(("synchronous_commit", "off".to_owned()));
        }
        let server = server.clone().extra_float_digits(None).disable_statement_logging();
        let durable = synchronous == Synchronous::Full;
        let (server, begin) = match options.transaction_pooling {
            false => (server.options(settings), None),
            true => (server.statement_cache_capacity(0), Some(begin(&settings, durable))),
        };
        Self { server, answer_timeout: options.answer_timeout, durable, begin }
    }

    /// Opens a connection.
    pub(crate) async fn open(&self) -> Result<Session, sqlx::Error> {
        let mut connection = in_time(self.answer_timeout, self.server.connect()).await?;
        if self.durable && self.begin.is_none() {
            in_time(self.answer_timeout, connection.execute(SYNCHRONOUS)).await?;
        }
        Ok(Session { connection, profile: self.clone(), in_transaction: false })
    }

    /// How a pool of sqlx makes such connections.
    pub(crate) fn server(&self) -> &PgConnectOptions {
        &self.server
    }
}

/// The beginning of a transaction that brings its settings along.
fn begin(settings: &[(&'static str, String)], durable: bool) -> String {
    let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED;".to_owned();
    for (name, value) in settings {
        // Values are ours: numbers, words, and a schema's name, which has been checked.
        let _ = write!(begin, "SET LOCAL {name} = '{value}';");
    }
    if durable {
        begin.push_str(SYNCHRONOUS_LOCAL);
    }
    begin
}

async fn in_time<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| Err(no_answer()))
}

impl Session {
    /// Runs a statement to its very end: when this returns, it is committed, unless a transaction was begun before.
    /// Returns the rows, and how many were changed.
    ///
    /// After an error the connection is not used again, save when the error is one of the server that ends nothing but
    /// the statement.
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<(Vec<PgRow>, u64), sqlx::Error> {
        self.run_as(statement, identity).await
    }

    /// Runs a statement as [`Session::run`] does, and takes its rows one by one as they come, while the server still looks for
    /// the next ones.
    pub(crate) async fn run_as<T: Send>(
        &mut self,
        statement: Statement,
        take: impl Fn(PgRow) -> T + Send + Sync,
    ) -> Result<(Vec<T>, u64), sqlx::Error> {
        let patience = self.profile.answer_timeout;
        let Some(begin) = self.profile.begin.clone().filter(|_| !self.in_transaction) else {
            let persistent = self.profile.begin.is_none();
            return in_time(patience, run(&mut self.connection, statement.persistent(persistent), take))
                .await;
        };
        let whole = async {
            self.connection.execute(AssertSqlSafe(begin)).await?;
            let done = run(&mut self.connection, statement.persistent(false), take).await;
            let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
            let ended = self.connection.execute(end).await;
            let done = done?;
            ended.map(|_| done)
        };
        in_time(patience, whole).await
    }

    /// Runs a statement as [`Session::run_as`] does, after another one that waits for a lock: it sees what was committed
    /// until the lock was there.
    pub(crate) async fn run_under<T: Send>(
        &mut self,
        lock: Statement,
        statement: Statement,
        take: impl Fn(PgRow) -> T + Send + Sync,
    ) -> Result<(Vec<T>, u64), sqlx::Error> {
        self.begin().await?;
        let done = match self.run(lock).await {
            Ok(_) => self.run_as(statement, take).await,
            Err(error) => Err(error),
        };
        match &done {
            Ok(_) => self.commit().await?,
            Err(error) if fate(error) == Fate::Failed => self.roll_back().await?,
            // The connection is not used again.
            Err(_) => {}
        }
        done
    }

    /// Whether a pooler may be behind it.
    pub(crate) fn is_shared(&self) -> bool {
        self.profile.begin.is_some()
    }

    /// Whether a transaction of several statements is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Begins a transaction of several statements.
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.in_transaction = true;
        let begin = self.profile.begin.clone().unwrap_or_else(|| "BEGIN".to_owned());
        self.text(begin).await
    }

    /// Commits it. It is over then in any case.
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.in_transaction = false;
        self.text("COMMIT".to_owned()).await
    }

    /// Undoes what a transaction has done, if one is open.
    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        if !self.in_transaction {
            return Ok(());
        }
        self.text("ROLLBACK".to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Waits for answers without an end from now on: for what may take its time, as long as the server lives.
    pub(crate) fn take_time(&mut self) {
        self.profile.answer_timeout = Duration::MAX;
    }

    /// Runs a text of statements without parameters.
    pub(crate) async fn text(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let done = self.connection.execute(AssertSqlSafe(sql));
        in_time(self.profile.answer_timeout, done).await.map(drop)
    }

    /// Takes leave of the server.
    pub(crate) async fn close(self) {
        // A server that does not hear it finds the connection closed.
        let _ = in_time(self.profile.answer_timeout, self.connection.close()).await;
    }
}

async fn run<T: Send>(
    connection: &mut PgConnection,
    statement: Statement,
    take: impl Fn(PgRow) -> T + Send + Sync,
) -> Result<(Vec<T>, u64), sqlx::Error> {
    let (mut rows, mut changed) = (Vec::new(), 0);
    let mut results = connection.fetch_many(statement);
    // Up to where the server is ready for the next one: only then has it committed.
    while let Some(result) = results.try_next().await? {
        match result {
            Either::Left(done) => changed += done.rows_affected(),
            Either::Right(row) => rows.push(take(row)),
        }
    }
    Ok((rows, changed))
}
