//! Why a file cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use cqrs_core::{BoxError, StoreError};

/// Why a file cannot be opened. Each message names the file; save for the last one, nothing was changed.
///
/// ```
/// use cqrs_sqlite::{OpenError, SqliteStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("notes.txt");
/// std::fs::write(&path, "no database")?;
/// // It is not touched.
/// assert!(matches!(SqliteStore::open(&path).await, Err(OpenError::NotSqlite { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The path names no file: it is empty, no UTF-8, or SQLite's name for a database in memory.
    #[error("{path:?} is no path to a file; for a store in memory use cqrs-memory")]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The directory that the file would be in does not exist.
    #[error("cannot create {path}: there is no directory {directory}", path = path.display(), directory = directory.display())]
    MissingDirectory {
        /// The file.
        path: PathBuf,
        /// Its parent.
        directory: PathBuf,
    },
    /// There is something else than a file: a directory, a device.
    #[error("{path} is {found}, not a file", path = path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The file is not SQLite's.
    #[error("{path} is not an SQLite database", path = path.display())]
    NotSqlite {
        /// The file.
        path: PathBuf,
    },
    /// The file is an SQLite database of another program, or of another use of this one.
    #[error(
        "{path} is an SQLite database, but no {wanted} (its application id is {found:#010x}, not {expected:#010x})",
        path = path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was wanted.
        wanted: &'static str,
        /// Its application id.
        found: u32,
        /// The application id that was wanted.
        expected: u32,
    },
    /// A newer version of this program wrote the file.
    #[error("{path} was written by a newer version (schema {found}; this version knows {known})", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// The file exists, and this process may not write it, or the WAL beside it.
    #[error("{path} is read-only for this process", path = path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be read or created.
    #[error("cannot open {path}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite cannot work with the file.
    #[error("SQLite cannot open {path}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: BoxError,
    },
}

/// SQLite's primary result code of an error, such as 5 for `SQLITE_BUSY`.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    extended_code(error).map(|code| code & 0xff)
}

/// SQLite's extended result code of an error.
pub(crate) fn extended_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// `SQLITE_ERROR`: among others, a rollback without a transaction.
pub(crate) const SQLITE_ERROR: i32 = 1;
/// `SQLITE_BUSY`: another connection has the lock.
pub(crate) const SQLITE_BUSY: i32 = 5;
/// `SQLITE_READONLY`: the file, or the WAL beside it, may not be written.
pub(crate) const SQLITE_READONLY: i32 = 8;
/// `SQLITE_IOERR`: the system failed to read, write or sync.
pub(crate) const SQLITE_IOERR: i32 = 10;
/// `SQLITE_CONSTRAINT_TRIGGER`: a trigger raised an error, as `fence_stops` does.
const SQLITE_CONSTRAINT_TRIGGER: i32 = 1811;

/// Whether the fence of the schema stopped a statement.
pub(crate) fn is_fenced(error: &sqlx::Error) -> bool {
    extended_code(error) == Some(SQLITE_CONSTRAINT_TRIGGER)
        && error.as_database_error().is_some_and(|error| error.message() == "fenced")
}

/// What SQLite says of a file.
#[derive(Debug, thiserror::Error)]
#[error("{path}", path = path.display())]
struct InFile {
    path: PathBuf,
    source: BoxError,
}

/// A failure that names the file.
pub(crate) fn failed(action: &'static str, path: &Path, source: impl Into<BoxError>) -> StoreError {
    StoreError::backend(action, InFile { path: path.to_owned(), source: source.into() })
}

/// A commit of which nobody knows, in a file that it names.
pub(crate) fn outcome_unknown(path: &Path, source: impl Into<BoxError>) -> StoreError {
    let source = InFile { path: path.to_owned(), source: source.into() };
    StoreError::OutcomeUnknown { source: source.into() }
}

/// A row of a table that is not what its writer writes.
pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}
