//! The snapshots, behind no lock of their own.

use std::collections::HashMap;

use cqrs_core::{Snapshot, StreamId, Version};

/// The newest snapshot of each stream that has one.
#[derive(Default)]
pub(crate) struct Snapshots(HashMap<StreamId, Snapshot>);

impl Snapshots {
    pub(crate) fn of(&self, stream: &StreamId) -> Option<Snapshot> {
        self.0.get(stream).cloned()
    }

    /// Keeps a snapshot unless it is newer than its stream, which is at `version`, or not newer than the one that
    /// is there.
    pub(crate) fn save(&mut self, snapshot: Snapshot, version: Version) -> bool {
        let age = |snapshot: &Snapshot| (snapshot.version, snapshot.schema_version);
        let possible = snapshot.version > Version::ZERO && snapshot.version <= version;
        let newer = self.0.get(&snapshot.stream).is_none_or(|known| age(&snapshot) > age(known));
        if possible && newer {
            self.0.insert(snapshot.stream.clone(), snapshot);
        }
        possible && newer
    }
}
