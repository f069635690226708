//! What can be chosen when a file is opened.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// SQLite's page size in a new file, in bytes.
const PAGE_BYTES: u64 = 4096;

/// Pages in the WAL after which SQLite copies them into the main file: ten times its default, because each
/// such checkpoint costs two waits for the disk.
const AUTOCHECKPOINT_PAGES: &str = "10000";

/// The rows that a connection may be ahead of the task that reads them.
const ROW_BUFFER: usize = 1024;

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// A power loss: each commit waits for the disk.
    #[default]
    Full,
    /// A crash of the process, and not of the machine: a power loss may take the newest commits.
    Normal,
}

/// How a file is opened and used. The defaults are right for most programs.
///
/// ```
/// use std::time::Duration;
///
/// use cqrs_sqlite::{SqliteOptions, SqliteStore, Synchronous};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("events.db");
/// let options = SqliteOptions::new()
///     .synchronous(Synchronous::Normal) // a power loss may take the newest commits
///     .busy_timeout(Duration::from_secs(2));
/// let store = SqliteStore::open_with(path, options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) read_connections: u32,
    pub(crate) cache_bytes: u64,
    pub(crate) poll_interval: Duration,
    pub(crate) journal_size_limit: u64,
    pub(crate) max_bytes: Option<u64>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            read_connections: 4,
            cache_bytes: 64 << 20,
            poll_interval: Duration::from_millis(25),
            journal_size_limit: 64 << 20,
            max_bytes: None,
        }
    }
}

impl SqliteOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What an acknowledged append survives; a power loss by default.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long a writer waits for its turn, in this process and then among processes, before it fails with
    /// nothing written; 10 seconds by default, at most 24 days.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        // SQLite counts milliseconds in 31 bits.
        self.busy_timeout = timeout.min(Duration::from_millis(i32::MAX as u64));
        self
    }

    /// How many connections read events at once, and how many more there are for
    /// [`reader`](crate::SqliteReadModel::reader); 4 by default, at least 1.
    #[must_use]
    pub fn read_connections(mut self, connections: u32) -> Self {
        self.read_connections = connections.max(1);
        self
    }

    /// The most memory that one connection uses for pages of the file, in bytes; 64 MiB by default.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How soon events of other processes are noticed; 25 milliseconds by default, at least one.
    /// Events of this process are noticed at once.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// To how many bytes the WAL is cut back once it has been copied into the main file; 64 MiB by default.
    #[must_use]
    pub fn journal_size_limit(mut self, bytes: u64) -> Self {
        self.journal_size_limit = bytes;
        self
    }

    /// The most bytes that the main file may grow to; by default as many as the disk has. An append beyond
    /// fails with nothing written, and reading goes on.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// A connection as the file's creation and migration need it.
    pub(crate) fn plain(&self, path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(self.busy_timeout)
            .row_buffer_size(ROW_BUFFER)
            .disable_statement_logging()
    }

    /// A connection that writes.
    pub(crate) fn writer(&self, path: &Path, synchronous: Synchronous) -> SqliteConnectOptions {
        let pragmas = self.writer_pragmas(synchronous);
        pragmas.into_iter().fold(self.plain(path), |options, (pragma, value)| options.pragma(pragma, value))
    }

    /// What makes a connection one that writes, whatever the driver.
    pub(crate) fn writer_pragmas(&self, synchronous: Synchronous) -> Vec<(&'static str, String)> {
        let synchronous = match synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        let mut pragmas = vec![
            ("synchronous", synchronous.to_owned()),
            ("cache_size", self.cache_size()),
            ("wal_autocheckpoint", AUTOCHECKPOINT_PAGES.to_owned()),
            ("journal_size_limit", self.journal_size_limit.min(i64::MAX as u64).to_string()),
        ];
        let pages = self.max_bytes.map(|bytes| (bytes / PAGE_BYTES).max(1).to_string());
        pragmas.extend(pages.map(|pages| ("max_page_count", pages)));
        pragmas
    }

    /// A connection that only reads.
    pub(crate) fn reader(&self, path: &Path) -> SqliteConnectOptions {
        let pragmas = self.reader_pragmas();
        pragmas.into_iter().fold(self.plain(path), |options, (pragma, value)| options.pragma(pragma, value))
    }

    /// What makes a connection one that only reads, whatever the driver.
    pub(crate) fn reader_pragmas(&self) -> [(&'static str, String); 2] {
        [("cache_size", self.cache_size()), ("query_only", "ON".to_owned())]
    }

    /// In SQLite's words: a negative number counts KiB.
    fn cache_size(&self) -> String {
        format!("-{}", (self.cache_bytes / 1024).clamp(1, i32::MAX as u64))
    }
}
