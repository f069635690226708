//! Whose file it is, and how it comes to have our schema.
//!
//! Before SQLite touches a file that exists, its first bytes are read with plain I/O. So a file of another
//! program stays as it is, and nothing appears beside it.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection};

use crate::OpenError;
use crate::error::{SQLITE_BUSY, SQLITE_READONLY, primary_code};
use crate::options::SqliteOptions;

/// What a file is for.
#[derive(Debug)]
pub(crate) struct Kind {
    /// In words.
    name: &'static str,
    /// The number in the file's header that tells it from files of other programs.
    application_id: u32,
    /// The schema, in the steps in which it grew. The file's user version counts the steps it has taken.
    migrations: &'static [&'static str],
}

/// A file with events.
pub(crate) const EVENT_STORE: Kind = Kind {
    name: "event store of cqrs-sqlite",
    application_id: u32::from_be_bytes(*b"CQRS"),
    migrations: &[
        include_str!("../migrations/store/0001_events.sql"),
        include_str!("../migrations/store/0002_snapshots.sql"),
        include_str!("../migrations/store/0003_handlers.sql"),
        include_str!("../migrations/store/0004_processes.sql"),
        include_str!("../migrations/store/0005_leases.sql"),
        include_str!("../migrations/store/0006_shares.sql"),
    ],
};

/// A file with read models alone.
pub(crate) const READ_MODEL: Kind = Kind {
    name: "read model of cqrs-sqlite",
    application_id: u32::from_be_bytes(*b"CQRM"),
    migrations: &[
        include_str!("../migrations/read_model/0001_projections.sql"),
        include_str!("../migrations/read_model/0002_versions.sql"),
    ],
};

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long SQLite's header is.
const HEADER_BYTES: usize = 100;
/// Where the header has the user version.
const USER_VERSION_AT: usize = 60;
/// Where the header has the application id.
const APPLICATION_ID_AT: usize = 68;

impl Kind {
    /// Whether there are events in such a file.
    pub(crate) fn has_log(&self) -> bool {
        self.application_id == EVENT_STORE.application_id
    }

    /// The names of all that our schema makes in such a file.
    pub(crate) fn own_names(&self) -> Result<HashSet<String>, rusqlite::Error> {
        let database = rusqlite::Connection::open_in_memory()?;
        for migration in self.migrations {
            database.execute_batch(migration)?;
        }
        let mut names = database.prepare("SELECT name FROM sqlite_schema")?;
        names.query_map([], |row| row.get(0))?.collect()
    }

    fn version(&self) -> u32 {
        self.migrations.len() as u32
    }

    /// Whether a file with these two numbers is one of ours that we can read.
    fn accept(&self, path: &Path, application_id: u32, version: u32) -> Result<(), OpenError> {
        let path = path.to_owned();
        if application_id != self.application_id {
            let (wanted, expected) = (self.name, self.application_id);
            return Err(OpenError::Foreign { path, wanted, found: application_id, expected });
        }
        if version > self.version() {
            return Err(OpenError::Newer { path, found: version, known: self.version() });
        }
        Ok(())
    }

    /// Judges a file by its first bytes. An empty file is a new one.
    fn judge(&self, path: &Path, header: &[u8]) -> Result<(), OpenError> {
        let number = |at: usize| header.get(at..at + 4).map_or(0, |bytes| bytes.iter().fold(0, big_endian));
        if header.is_empty() || is_torn(path, header) {
            return Ok(());
        }
        if header.len() < HEADER_BYTES || !header.starts_with(MAGIC) {
            return Err(OpenError::NotSqlite { path: path.to_owned() });
        }
        self.accept(path, number(APPLICATION_ID_AT), number(USER_VERSION_AT))
    }
}

fn big_endian(number: u32, byte: &u8) -> u32 {
    number << 8 | u32::from(*byte)
}

/// Whether a power loss in the middle of creation left zeros, which the journal beside turns back into an
/// empty file.
fn is_torn(path: &Path, header: &[u8]) -> bool {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    header.iter().all(|byte| *byte == 0) && Path::new(&journal).exists()
}

/// Makes a file ready: ours, with the newest schema, in WAL mode. Returns its canonical path.
pub(crate) async fn prepare(
    path: &Path,
    kind: &Kind,
    options: &SqliteOptions,
) -> Result<PathBuf, OpenError> {
    let path = look(path, kind)?;
    let failed = |source| sqlite_error(&path, source);
    let connecting = options.plain(&path).create_if_missing(true);
    let mut connection = connecting.connect().await.map_err(failed)?;
    let ready = migrate(&mut connection, &path, kind, options.busy_timeout).await;
    connection.close().await.map_err(failed)?;
    ready?;
    path.canonicalize().map_err(|source| OpenError::Io { path, source })
}

/// Looks at the path and at the file's first bytes. Returns the absolute path, which SQLite cannot take for
/// an URI or for a database in memory.
fn look(path: &Path, kind: &Kind) -> Result<PathBuf, OpenError> {
    if path.as_os_str() == ":memory:" || path.to_str().is_none_or(|path| path.contains('\0')) {
        return Err(OpenError::Path { path: path.to_owned() });
    }
    let path = std::path::absolute(path).map_err(|_| OpenError::Path { path: path.to_owned() })?;
    let io = |source| OpenError::Io { path: path.clone(), source };
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => return Err(OpenError::NotAFile { path, found: "a directory" }),
        Ok(found) if !found.is_file() => return Err(OpenError::NotAFile { path, found: "a device" }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match path.parent() {
                Some(parent) if !parent.is_dir() => {
                    Err(OpenError::MissingDirectory { directory: parent.to_owned(), path })
                }
                _ => Ok(path),
            };
        }
        Err(error) => return Err(io(error)),
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    let file = File::open(&path).map_err(io)?;
    file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(io)?;
    kind.judge(&path, &header)?;
    match OpenOptions::new().append(true).open(&path) {
        Ok(_) => Ok(path),
        Err(source) if is_read_only(&source) => Err(OpenError::ReadOnly { path, source }),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// What SQLite's failure to open or migrate a file means.
fn sqlite_error(path: &Path, source: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match primary_code(&source) {
        Some(SQLITE_READONLY) => {
            OpenError::ReadOnly { path, source: io::Error::new(io::ErrorKind::PermissionDenied, source) }
        }
        _ => OpenError::Sqlite { path, source: source.into() },
    }
}

/// Brings the schema up to date, then turns WAL on.
///
/// A new file gets its schema and its two numbers in one transaction of the old kind of journal: so the main
/// file itself tells whose it is, before the first WAL exists. A process that is killed in between leaves a
/// file that the next one completes.
async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
    kind: &Kind,
    patience: Duration,
) -> Result<(), OpenError> {
    let failed = |source| sqlite_error(path, source);
    if numbers(connection).await.map_err(failed)? != (kind.application_id, kind.version()) {
        // Somebody else may be doing the same: look again under the lock.
        connection.execute("BEGIN IMMEDIATE").await.map_err(failed)?;
        let (application_id, version) = numbers(connection).await.map_err(failed)?;
        if (application_id, version) == (0, 0) {
            let tables: i64 =
                one(connection, "SELECT count(*) FROM sqlite_schema").await.map_err(failed)?;
            if tables > 0 {
                kind.accept(path, application_id, version)?;
            }
        } else {
            kind.accept(path, application_id, version)?;
        }
        for migration in kind.migrations.iter().skip(version as usize) {
            connection.execute(*migration).await.map_err(failed)?;
        }
        let numbers = format!(
            "PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
            kind.application_id,
            kind.version()
        );
        connection.execute(sqlx::AssertSqlSafe(numbers)).await.map_err(failed)?;
    }
    turn_wal_on(connection, patience).await.map_err(failed)?;
    // The main file may be writable and the WAL beside it not; better to know now than at the first append.
    match connection.execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK").await {
        Err(error) if primary_code(&error) != Some(SQLITE_BUSY) => Err(failed(error)),
        // Whoever is writing shows that one can.
        _ => Ok(()),
    }
}

/// Turns WAL on. It needs the file for itself for a moment, and SQLite does not wait for that.
async fn turn_wal_on(connection: &mut SqliteConnection, patience: Duration) -> Result<(), sqlx::Error> {
    let began = Instant::now();
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Ok(_) => return Ok(()),
            Err(error) if primary_code(&error) == Some(SQLITE_BUSY) && began.elapsed() < patience => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// The application id and the user version.
async fn numbers(connection: &mut SqliteConnection) -> Result<(u32, u32), sqlx::Error> {
    let application_id = one(connection, "PRAGMA application_id").await?;
    let version = one(connection, "PRAGMA user_version").await?;
    // Both are 32 bits, which SQLite shows with a sign.
    Ok((application_id as u32, version as u32))
}

async fn one(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64, sqlx::Error> {
    connection.fetch_one(sql).await?.try_get(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(application_id: u32, version: u32) -> Vec<u8> {
        let mut header = vec![0; HEADER_BYTES];
        header[..16].copy_from_slice(MAGIC);
        header[USER_VERSION_AT..USER_VERSION_AT + 4].copy_from_slice(&version.to_be_bytes());
        header[APPLICATION_ID_AT..APPLICATION_ID_AT + 4].copy_from_slice(&application_id.to_be_bytes());
        header
    }

    #[test]
    fn a_file_is_judged_by_its_first_bytes() {
        let path = Path::new("/nowhere/some.db");
        let judge = |header: &[u8]| EVENT_STORE.judge(path, header);
        let (ours, known) = (EVENT_STORE.application_id, EVENT_STORE.version());
        assert!(judge(&[]).is_ok(), "an empty file is new");
        assert!(judge(&header(ours, 1)).is_ok(), "an older schema is migrated");
        assert!(judge(&header(ours, known)).is_ok());
        assert!(matches!(judge(&header(ours, 1)[..99]), Err(OpenError::NotSqlite { .. })));
        assert!(matches!(judge(b"hello"), Err(OpenError::NotSqlite { .. })));
        assert!(matches!(judge(&[0; 100]), Err(OpenError::NotSqlite { .. })), "zeros without a journal");
        assert!(matches!(judge(&header(0, 0)), Err(OpenError::Foreign { found: 0, .. })));
        assert!(matches!(judge(&header(ours, known + 1)), Err(OpenError::Newer { .. })));
        assert!(matches!(judge(&header(READ_MODEL.application_id, 1)), Err(OpenError::Foreign { .. })));
    }

    #[test]
    fn a_refusal_to_write_is_told_apart_from_other_failures() {
        assert!(is_read_only(&io::ErrorKind::PermissionDenied.into()));
        assert!(is_read_only(&io::ErrorKind::ReadOnlyFilesystem.into()));
        assert!(!is_read_only(&io::ErrorKind::Interrupted.into()));
    }
}
