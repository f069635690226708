//! The shadow of a projection: a file beside, in which its tables are made anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use cqrs_core::StoreError;

use crate::connection::Database;
use crate::error::failed;
use crate::file::READ_MODEL;
use crate::lock::FileLock;

const ACTION: &str = "make a shadow of a read model";

/// What SQLite puts beside a file.
const COMPANIONS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// A shadow's files. They are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct ShadowFile {
    path: PathBuf,
    /// Removed last: whoever has it may remove the others.
    _lock: FileLock,
}

/// Another process, or another application of this one, has the lock.
#[derive(Debug, thiserror::Error)]
#[error("somebody else is rebuilding it")]
struct Rebuilding;

/// Makes a shadow. What one who was killed has left is thrown away.
pub(crate) async fn make(
    database: &Database,
    projection: &str,
) -> Result<(Arc<Database>, ShadowFile), StoreError> {
    let path = database.beside(&format!("-rebuild-{}", file_name(projection)));
    let lock_path = database.beside(&format!("-rebuild-{}-lock", file_name(projection)));
    let lock = FileLock::take(&lock_path).map_err(|error| failed(ACTION, &lock_path, error))?;
    let lock = lock.ok_or_else(|| failed(ACTION, &lock_path, Rebuilding))?;
    let file = ShadowFile { path, _lock: lock };
    file.remove().map_err(|error| failed(ACTION, &file.path, error))?;
    let opened = Database::open(&file.path, &READ_MODEL, database.options()).await;
    let opened = opened.map_err(|error| failed(ACTION, &file.path, error))?;
    Ok((Arc::new(opened), file))
}

impl ShadowFile {
    fn remove(&self) -> io::Result<()> {
        for companion in COMPANIONS {
            let mut path = self.path.clone().into_os_string();
            path.push(companion);
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for ShadowFile {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(path = %self.path.display(), %error, "a shadow was not removed; the next rebuild does it");
        }
    }
}

/// A projection's name as part of a file's: what could mean something in a path is told by its number.
fn file_name(projection: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut name = String::with_capacity(projection.len());
    for byte in projection.bytes() {
        match plain(&byte) {
            true => name.push(byte.into()),
            false => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_lead_elsewhere_and_two_names_do_not_meet() {
        assert_eq!(file_name("account-balances_2"), "account-balances_2");
        assert_eq!(file_name("../a b"), "%2e%2e%2fa%20b");
        assert_eq!(file_name("%2e"), "%252e");
    }
}
