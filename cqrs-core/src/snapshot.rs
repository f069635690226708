//! When an aggregate's state is kept beside its events.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Json;

/// When, and in which shape, an aggregate's state is kept as a snapshot. See
/// [`Aggregate::snapshots`](crate::Aggregate::snapshots).
///
/// A snapshot is written in the background, after the commands were answered. Only the next commands of the same
/// aggregate wait while its state is serialised. One that cannot be written is tried again after a later command.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter {
///     count: u64,
/// }
///
/// impl Aggregate for Counter {
///     type Id = String;
///     type Event = AccountEvent;
///
///     fn apply(&mut self, _: &AccountEvent) {
///         self.count += 1;
///     }
///
///     fn snapshots() -> Option<Snapshots<Self>> {
///         // Raise the version whenever the state, or what `apply` does, changes.
///         Some(Snapshots::every(500).schema_version(2))
///     }
/// }
/// # fn main() {}
/// ```
pub struct Snapshots<A> {
    every: u64,
    schema_version: u32,
    write: fn(&A) -> Result<Json, serde_json::Error>,
    read: fn(&Json) -> Result<A, serde_json::Error>,
}

impl<A: Serialize + DeserializeOwned> Snapshots<A> {
    /// A snapshot whenever so many events have come since the last one; zero counts as one.
    pub fn every(events: u64) -> Self {
        Self { every: events.max(1), schema_version: 1, write: |state| Json::of(state), read: Json::decode }
    }
}

impl<A> Snapshots<A> {
    /// Says which shape the state has; 1 by default. Raise it with every change of the state's type, or of what
    /// `apply` does: a snapshot of another schema version is not even read, and the state is made of all events.
    #[must_use]
    pub fn schema_version(mut self, version: u32) -> Self {
        self.schema_version = version;
        self
    }

    pub(crate) fn is_due(&self, events: u64) -> bool {
        events >= self.every
    }

    pub(crate) fn version(&self) -> u32 {
        self.schema_version
    }

    pub(crate) fn write(&self, state: &A) -> Result<Json, serde_json::Error> {
        (self.write)(state)
    }

    pub(crate) fn read(&self, state: &Json) -> Result<A, serde_json::Error> {
        (self.read)(state)
    }
}

impl<A> fmt::Debug for Snapshots<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots")
            .field("every", &self.every)
            .field("schema_version", &self.schema_version)
            .finish_non_exhaustive()
    }
}
