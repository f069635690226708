//! Locks that the system gives back when their process dies.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A file that this process has locked. It is removed when this is dropped; one that is left by a process that was
/// killed is locked by nobody.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
    path: PathBuf,
}

impl FileLock {
    /// Locks the file of this name, and makes it. `None` when somebody else has locked it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Between the two, whoever had it locked may have removed it: then another file may have its name now.
            let mark = Uuid::new_v4();
            file.set_len(0)?;
            file.write_all(mark.as_bytes())?;
            match fs::read(path) {
                Ok(found) if found != mark.as_bytes() => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                _ => return Ok(Some(Self { _file: file, path: path.to_owned() })),
            }
        }
    }

    /// Whether somebody has locked the file of this name. One that nobody has is removed.
    pub(crate) fn is_held(path: &Path) -> io::Result<bool> {
        let file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {
                remove(path);
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a lock's file was not removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_it_and_nothing_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert!(!FileLock::is_held(&path).unwrap());
        let held = FileLock::take(&path).unwrap().unwrap();
        assert!(FileLock::take(&path).unwrap().is_none());
        assert!(FileLock::is_held(&path).unwrap());
        drop(held);
        assert!(!path.exists());
        fs::write(&path, "left by one who was killed").unwrap();
        let held = FileLock::take(&path).unwrap().unwrap();
        assert!(FileLock::is_held(&path).unwrap());
        drop(held);
        fs::write(&path, "left by one who was killed").unwrap();
        assert!(!FileLock::is_held(&path).unwrap());
        assert!(!path.exists());
    }
}
