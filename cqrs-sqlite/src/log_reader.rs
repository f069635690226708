//! The connections that read events: a page is one hop to a thread, where it is read and unpacked, and one back.
//!
//! `sqlx` copies each row, value by value, to the task that awaits it; for events that cost more than all else. So they are
//! read as they are written, with the plain driver.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_core::StoreError;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::failed;
use crate::event_row::EventReader;
use crate::options::SqliteOptions;

/// Connections that read events, opened as they are needed. One that failed is closed.
#[derive(Debug)]
pub(crate) struct LogReaders {
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    options: SqliteOptions,
    idle: Mutex<Vec<LogReader>>,
}

/// A connection, and the names that it has seen.
pub(crate) struct LogReader {
    pub(crate) connection: Connection,
    pub(crate) events: EventReader,
}

impl LogReaders {
    pub(crate) fn new(path: &Path, options: &SqliteOptions) -> Self {
        let permits = Arc::new(Semaphore::new(options.read_connections as usize));
        let shared = Shared { path: path.to_owned(), options: options.clone(), idle: Mutex::default() };
        Self { shared: Arc::new(shared), permits }
    }

    /// Reads with one of the connections. A read that has begun is finished, also when nobody waits for it any more.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&mut LogReader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let shared = Arc::clone(&self.shared);
        let job = move || {
            let result = shared.run(read, permit);
            result.map_err(|error| match error {
                ReadError::Store(error) => error,
                ReadError::Sqlite(error) => failed(action, &shared.path, error),
            })
        };
        match tokio::task::spawn_blocking(job).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => Err(StoreError::backend(action, error)),
            // The runtime ends.
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Waits for those who read, and closes all connections.
    pub(crate) async fn close(&self) {
        let waited = self.permits.acquire_many(self.shared.options.read_connections).await;
        self.permits.close();
        drop(waited);
        let idle = std::mem::take(&mut *self.shared.idle());
        // Closing may copy the WAL.
        let _ = tokio::task::spawn_blocking(move || drop(idle)).await;
    }
}

/// Why a read failed.
#[derive(Debug)]
pub(crate) enum ReadError {
    Store(StoreError),
    Sqlite(rusqlite::Error),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<LogReader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T>(
        &self,
        read: impl FnOnce(&mut LogReader) -> Result<T, ReadError>,
        _permit: OwnedSemaphorePermit,
    ) -> Result<T, ReadError> {
        let idle = self.idle().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => LogReader::open(&self.path, &self.options)?,
        };
        let result = read(&mut reader);
        if !matches!(result, Err(ReadError::Sqlite(_))) {
            self.idle().push(reader);
        }
        result
    }
}

impl LogReader {
    fn open(path: &Path, options: &SqliteOptions) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        for (pragma, value) in options.reader_pragmas() {
            connection.pragma_update(None, pragma, value)?;
        }
        Ok(Self { connection, events: EventReader::default() })
    }
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").finish_non_exhaustive()
    }
}
