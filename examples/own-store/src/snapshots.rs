//! The snapshots: one for each stream, the newest.

use std::collections::HashMap;

use cqrs_core::{Snapshot, StreamId, Version};

use crate::fact::{Change, Fact};

#[derive(Default)]
pub(crate) struct Snapshots(HashMap<StreamId, Snapshot>);

impl Snapshots {
    pub(crate) fn of(&self, stream: &StreamId) -> Option<Snapshot> {
        self.0.get(stream).cloned()
    }

    /// Judges a snapshot of a stream that is at `version`, and says whether it is kept.
    pub(crate) fn save(&self, snapshot: Snapshot, version: Version) -> (Change, bool) {
        let age = |snapshot: &Snapshot| (snapshot.version, snapshot.schema_version);
        let possible = snapshot.version > Version::ZERO && snapshot.version <= version;
        let newer = self.0.get(&snapshot.stream).is_none_or(|known| age(&snapshot) > age(known));
        match possible && newer {
            true => (vec![Fact::Snapshot(snapshot)], true),
            false => (Vec::new(), false),
        }
    }

    pub(crate) fn put(&mut self, snapshot: Snapshot) {
        self.0.insert(snapshot.stream.clone(), snapshot);
    }
}
