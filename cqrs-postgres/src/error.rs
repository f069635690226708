//! Why a store cannot be connected, and what the server's failures mean.

use std::io;

use cqrs_core::{BoxError, StoreError};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// Why a store cannot be connected. Nothing was changed.
///
/// ```
/// use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let error = PostgresStore::connect("mysql://localhost/shop").await.unwrap_err();
/// assert!(matches!(error, ConnectError::Url { .. }));
/// let schema = PostgresOptions::new().schema("my shop");
/// let error = PostgresStore::connect_with("postgres://localhost/shop", schema).await.unwrap_err();
/// assert!(matches!(error, ConnectError::Schema { schema } if schema == "my shop"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is none of PostgreSQL's.
    #[error("the URL is not of the form postgres://user@host:port/database")]
    Url {
        /// What is wrong with it.
        source: BoxError,
    },
    /// The schema's name cannot be one.
    #[error(
        "schema {schema:?} is not 1 to 63 lower-case ASCII letters, digits and `_` with a letter at the front"
    )]
    Schema {
        /// The name.
        schema: String,
    },
    /// The schema has something of another program, or of another use of this one.
    #[error("{place} has {found}, and is no {wanted}")]
    Foreign {
        /// Database and schema.
        place: String,
        /// What was wanted.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// A newer version of this program has changed the schema.
    #[error("{place} was changed by a newer version (schema version {found}; this program knows {known})")]
    Newer {
        /// Database and schema.
        place: String,
        /// The version of the schema.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The schema is missing or old, and the options forbid to change that.
    #[error("{place} is at schema version {found}, this program needs {needed}, and may not migrate it")]
    NotMigrated {
        /// Database and schema.
        place: String,
        /// The version of the schema; zero when there is none.
        found: u32,
        /// The version that is needed.
        needed: u32,
    },
    /// The database cannot hold all characters.
    #[error("{place} is encoded as {encoding}, not as UTF8")]
    Encoding {
        /// Database and schema.
        place: String,
        /// The database's encoding.
        encoding: String,
    },
    /// The server cannot be reached, or refuses.
    #[error("PostgreSQL cannot open {place}")]
    Postgres {
        /// Database and schema.
        place: String,
        /// What the driver or the server says.
        source: BoxError,
    },
}

/// What a failed call has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: the server has said so.
    Failed,
    /// Nobody knows: the connection was lost, perhaps after the commit.
    Unknown,
}

/// What a failed call has changed. An error of the server undoes the transaction; but where it ends the connection, it
/// may also come between a commit and its acknowledgement.
pub(crate) fn fate(error: &sqlx::Error) -> Fate {
    let Some(error) = server_error(error) else {
        return match error {
            sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Fate::Failed
            }
            _ => Fate::Unknown,
        };
    };
    match error.code() {
        STATEMENT_COMPLETION_UNKNOWN => Fate::Unknown,
        // The server does not say so and live; whoever stands before it may.
        code if code.starts_with(CONNECTION_EXCEPTION) => Fate::Unknown,
        _ if error.severity() == PgSeverity::Error => Fate::Failed,
        _ => Fate::Unknown,
    }
}

fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

const STATEMENT_COMPLETION_UNKNOWN: &str = "40003";
/// The class of its codes.
const CONNECTION_EXCEPTION: &str = "08";
const UNIQUE_VIOLATION: &str = "23505";
const LOCK_NOT_AVAILABLE: &str = "55P03";
const DEADLOCK_DETECTED: &str = "40P01";
const DEPENDENT_OBJECTS_STILL_EXIST: &str = "2BP01";

/// Whether somebody else has locked what was wanted for longer than one waits.
pub(crate) fn has_waited(error: &sqlx::Error) -> bool {
    server_error(error).is_some_and(|error| error.code() == LOCK_NOT_AVAILABLE)
}

/// Whether somebody else has locked what was wanted.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    let code = server_error(error).map(PgDatabaseError::code);
    matches!(code, Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED))
}

/// What rests on what was to be dropped, in the server's words, when something does.
pub(crate) fn dependents(error: &sqlx::Error) -> Option<String> {
    let error = server_error(error).filter(|error| error.code() == DEPENDENT_OBJECTS_STILL_EXIST)?;
    Some(error.detail().unwrap_or(error.message()).replace('\n', "; "))
}

/// Whether somebody else has written what a unique index allows once.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    server_error(error).is_some_and(|error| error.code() == UNIQUE_VIOLATION)
}

/// Whether that is so by the unique index of this name.
pub(crate) fn is_taken_at(error: &sqlx::Error, index: &str) -> bool {
    server_error(error).is_some_and(|error| error.constraint() == Some(index))
}

/// The server has not answered in time.
pub(crate) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the server has not answered in time"))
}

/// What the server says of a database.
#[derive(Debug, thiserror::Error)]
#[error("{place}")]
struct InDatabase {
    place: String,
    source: BoxError,
}

/// A failure that names the database.
pub(crate) fn failed(action: &'static str, place: &str, source: impl Into<BoxError>) -> StoreError {
    StoreError::backend(action, InDatabase { place: place.to_owned(), source: source.into() })
}

/// A failed call that was to change something.
pub(crate) fn not_written(action: &'static str, place: &str, error: sqlx::Error) -> StoreError {
    match fate(&error) {
        Fate::Failed => failed(action, place, error),
        Fate::Unknown => {
            let source = InDatabase { place: place.to_owned(), source: error.into() };
            StoreError::OutcomeUnknown { source: source.into() }
        }
    }
}

/// A row of a table that is not what its writer writes.
pub(crate) fn corrupt(what: impl Into<String>) -> StoreError {
    StoreError::Corrupt { what: what.into() }
}
