//! The file: a heading, and then one line for each change.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use cqrs_core::StoreError;

use crate::fact::Change;

/// The first line: which program reads the file, and in which version.
const HEADING: &[u8] = b"own-store 1\n";

pub(crate) struct Journal {
    file: File,
    /// Where the last line ends that was read or written.
    end: u64,
    /// Makes what was written durable; tests make it fail.
    pub(crate) sync: fn(&File) -> io::Result<()>,
}

impl Journal {
    /// Opens a file, or makes it. A file of something else is refused, and stays as it is.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::backend("open its file", error);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut journal =
            Self { file: file.map_err(failed)?, end: HEADING.len() as u64, sync: File::sync_data };
        journal.lock()?;
        let ours = journal.begin(path).map_err(failed);
        journal.unlock()?;
        match ours? {
            true => Ok(journal),
            false => {
                Err(StoreError::Corrupt { what: format!("{} is a file of something else", path.display()) })
            }
        }
    }

    /// Whether the file is ours, or has become so: it was empty, or its maker died at the heading.
    fn begin(&mut self, path: &Path) -> io::Result<bool> {
        let mut found = Vec::new();
        (&self.file).take(HEADING.len() as u64).read_to_end(&mut found)?;
        if !HEADING.starts_with(&found) {
            return Ok(false);
        }
        if found != HEADING {
            self.file.rewind()?;
            self.file.write_all(HEADING)?;
            self.file.sync_all()?;
        }
        sync_directory(path)?;
        Ok(true)
    }

    /// Waits until no other handle, of whatever process, works on the file.
    pub(crate) fn lock(&self) -> Result<(), StoreError> {
        self.file.lock().map_err(|error| StoreError::backend("lock its file", error))
    }

    pub(crate) fn unlock(&self) -> Result<(), StoreError> {
        self.file.unlock().map_err(unknown)
    }

    /// What became true since this handle looked last. What a writer left that died in the midst of a line is cut off.
    pub(crate) fn read_on(&mut self) -> Result<Change, StoreError> {
        let bytes = self.rest().map_err(|error| StoreError::backend("read its file", error))?;
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let (mut news, mut end) = (Change::new(), self.end);
        for line in lines.by_ref() {
            let Some(json) = whole(line) else { break };
            let change: Change = serde_json::from_slice(json).map_err(|error| corrupt(end, error))?;
            news.extend(change);
            end += line.len() as u64;
        }
        if lines.any(|line| whole(line).is_some()) {
            return Err(corrupt(end, "a damaged line that others follow"));
        }
        if end < self.end + bytes.len() as u64 {
            self.file.set_len(end).map_err(|error| StoreError::backend("cut its file", error))?;
        }
        // Its writer may have died before it could do so.
        (self.sync)(&self.file).map_err(unknown)?;
        self.end = end;
        Ok(news)
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Makes a change durable, and answers with the change as it will be read.
    pub(crate) fn append(&mut self, change: &Change) -> Result<Change, StoreError> {
        let failed = |error| StoreError::backend("write a line", error);
        let json = serde_json::to_vec(change).map_err(failed)?;
        let read_back = serde_json::from_slice(&json).map_err(failed)?;
        let line = [checksum(&json).as_bytes(), &json, b"\n"].concat();
        match self.write(&line) {
            Ok(()) => {
                self.end += line.len() as u64;
                Ok(read_back)
            }
            // Nothing of it may stay, or a later line could stand behind half of this one.
            Err(error) => match self.file.set_len(self.end).and_then(|()| (self.sync)(&self.file)) {
                Ok(()) => Err(StoreError::backend("append to its file", error)),
                Err(_) => Err(unknown(error)),
            },
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(line)?;
        (self.sync)(&self.file)
    }
}

/// The JSON of a line that is as it was written.
fn whole(line: &[u8]) -> Option<&[u8]> {
    let (sum, json) = line.strip_suffix(b"\n")?.split_at_checked(17)?;
    (sum == checksum(json).as_bytes()).then_some(json)
}

/// FNV-1a, by Fowler, Noll and Vo, in sixteen digits and a space.
fn checksum(json: &[u8]) -> String {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x} ", json.iter().fold(0xcbf2_9ce4_8422_2325, hash))
}

fn unknown(error: io::Error) -> StoreError {
    StoreError::OutcomeUnknown { source: error.into() }
}

fn corrupt(at: u64, what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: format!("at byte {at} of its file: {what}") }
}

/// Makes the file's name durable. Only Unix opens a directory to sync it.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if cfg!(unix) { File::open(parent.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
}
