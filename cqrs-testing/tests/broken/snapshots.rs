//! Stores that break snapshots.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;

type Found = Result<Option<Snapshot>, StoreError>;

/// Has an empty snapshot where there is none.
#[derive(Default)]
struct MakesAnEmptySnapshot;

#[async_trait]
impl Breach for MakesAnEmptySnapshot {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        let empty = || {
            let (version, state) = (Version::ZERO, Json::of(&()).ok()?);
            Some(Snapshot { stream: stream.clone(), version, schema_version: 0, state })
        };
        Ok(store.snapshot(stream).await?.or_else(empty))
    }
}

/// Keeps the state as a tree of JSON values, and writes it anew.
#[derive(Default)]
struct RewritesTheState;

#[async_trait]
impl Breach for RewritesTheState {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        let found = store.snapshot(stream).await?;
        Ok(found.map(|snapshot| {
            let tree: serde_json::Value = snapshot.state.decode().unwrap();
            Snapshot { state: Json::of(&tree).unwrap(), ..snapshot }
        }))
    }
}

/// Keeps the schema version in a byte.
#[derive(Default)]
struct NarrowsTheSchema;

#[async_trait]
impl Breach for NarrowsTheSchema {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        let found = store.snapshot(stream).await?;
        Ok(found.map(|snapshot| Snapshot { schema_version: snapshot.schema_version & 0xFF, ..snapshot }))
    }
}

/// Cuts a long state off.
#[derive(Default)]
struct LosesLongStates;

#[async_trait]
impl Breach for LosesLongStates {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        Ok(store.snapshot(stream).await?.filter(|snapshot| snapshot.state.as_str().len() < 65_536))
    }
}

/// Keeps snapshots beside the sound store, by a rule of its own.
struct Kept {
    snapshots: Mutex<HashMap<StreamId, Snapshot>>,
    replaces: fn(&Snapshot, &Snapshot) -> bool,
}

impl Kept {
    fn by(replaces: fn(&Snapshot, &Snapshot) -> bool) -> Self {
        Self { snapshots: Mutex::default(), replaces }
    }

    fn save(&self, snapshot: Snapshot) -> bool {
        let mut snapshots = self.snapshots.lock().unwrap();
        let kept = snapshots.get(&snapshot.stream).is_none_or(|old| (self.replaces)(&snapshot, old));
        if kept {
            snapshots.insert(snapshot.stream.clone(), snapshot);
        }
        kept
    }

    fn find(&self, stream: &StreamId) -> Option<Snapshot> {
        self.snapshots.lock().unwrap().get(stream).cloned()
    }
}

/// Makes a breach whose snapshots are kept by a rule of its own, as far as their stream has come.
macro_rules! kept_by {
    ($($(#[$meta:meta])* $name:ident: $replaces:expr;)*) => {$(
        $(#[$meta])*
        struct $name(Kept);

        impl Default for $name {
            fn default() -> Self {
                Self(Kept::by($replaces))
            }
        }

        #[async_trait]
        impl Breach for $name {
            async fn snapshot(&self, _: &MemoryStore, stream: &StreamId) -> Found {
                Ok(self.0.find(stream))
            }

            async fn save_snapshot(
                &self,
                store: &MemoryStore,
                snapshot: Snapshot,
            ) -> Result<bool, StoreError> {
                let last = store.read_stream(&snapshot.stream, StreamRead::backward(Version::new(u64::MAX), 1));
                let version = last.await?.first().map_or(Version::ZERO, |event| event.version);
                let possible = snapshot.version > Version::ZERO && snapshot.version <= version;
                Ok(possible && self.0.save(snapshot))
            }
        }
    )*};
}

kept_by! {
    /// Keeps the first snapshot for ever.
    KeepsTheFirst: |_, _| false;

    /// Keeps whatever came last.
    KeepsTheLast: |_, _| true;

    /// Keeps the first of those with the same version.
    KeepsTheOldSchema: |new, old| new.version > old.version;

    /// Keeps the last of those with the same version.
    ForgetsTheNewSchema: |new, old| new.version >= old.version;

    /// Never lets a snapshot of an older schema follow one of a newer.
    PutsTheSchemaFirst: |new, old| (new.schema_version, new.version) > (old.schema_version, old.version);
}

/// Keeps a snapshot of any version.
struct BelievesAnyVersion(Kept);

impl Default for BelievesAnyVersion {
    fn default() -> Self {
        Self(Kept::by(|new, old| (new.version, new.schema_version) > (old.version, old.schema_version)))
    }
}

#[async_trait]
impl Breach for BelievesAnyVersion {
    async fn snapshot(&self, _: &MemoryStore, stream: &StreamId) -> Found {
        Ok(self.0.find(stream))
    }

    async fn save_snapshot(&self, _: &MemoryStore, snapshot: Snapshot) -> Result<bool, StoreError> {
        Ok(self.0.save(snapshot))
    }
}

/// Says that every snapshot was kept.
#[derive(Default)]
struct SaysThatItKeptAll;

#[async_trait]
impl Breach for SaysThatItKeptAll {
    async fn save_snapshot(&self, store: &MemoryStore, snapshot: Snapshot) -> Result<bool, StoreError> {
        store.save_snapshot(snapshot).await.map(|_| true)
    }
}

/// Takes streams for one whose names differ in case alone.
#[derive(Default)]
struct FoldsCase;

fn folded(stream: &StreamId) -> StreamId {
    StreamId::new(stream.category(), stream.key().to_lowercase()).unwrap()
}

#[async_trait]
impl Breach for FoldsCase {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        store.snapshot(&folded(stream)).await
    }

    async fn save_snapshot(&self, store: &MemoryStore, snapshot: Snapshot) -> Result<bool, StoreError> {
        store.save_snapshot(Snapshot { stream: folded(&snapshot.stream), ..snapshot }).await
    }
}

/// Looks before it saves, and lets others in between.
#[derive(Default)]
struct ChecksAndThenSaves(Mutex<HashMap<StreamId, Snapshot>>);

#[async_trait]
impl Breach for ChecksAndThenSaves {
    async fn snapshot(&self, _: &MemoryStore, stream: &StreamId) -> Found {
        Ok(self.0.lock().unwrap().get(stream).cloned())
    }

    async fn save_snapshot(&self, store: &MemoryStore, snapshot: Snapshot) -> Result<bool, StoreError> {
        let age = |snapshot: &Snapshot| (snapshot.version, snapshot.schema_version);
        let known = self.0.lock().unwrap().get(&snapshot.stream).map(age);
        let last = store.read_stream(&snapshot.stream, StreamRead::backward(Version::new(u64::MAX), 1));
        let version = last.await?.first().map_or(Version::ZERO, |event| event.version);
        let possible = snapshot.version > Version::ZERO && snapshot.version <= version;
        tokio::task::yield_now().await;
        let kept = possible && known.is_none_or(|known| age(&snapshot) > known);
        if kept {
            self.0.lock().unwrap().insert(snapshot.stream.clone(), snapshot);
        }
        Ok(kept)
    }
}

/// Keeps snapshots in the process alone.
#[derive(Default)]
struct ForgetsSnapshots(Mutex<bool>);

#[async_trait]
impl Breach for ForgetsSnapshots {
    async fn snapshot(&self, store: &MemoryStore, stream: &StreamId) -> Found {
        let forgotten = *self.0.lock().unwrap();
        if forgotten { Ok(None) } else { store.snapshot(stream).await }
    }

    async fn reopen(&self, store: &MemoryStore) -> MemoryStore {
        *self.0.lock().unwrap() = true;
        store.clone()
    }
}

proofs! {
    MakesAnEmptySnapshot:
        snapshots::a_snapshot_is_never_newer_than_its_stream,
        snapshots::a_stream_has_no_snapshot_at_first;
    RewritesTheState: snapshots::a_snapshot_is_read_back_as_written;
    NarrowsTheSchema: snapshots::a_snapshot_is_read_back_as_written;
    LosesLongStates: snapshots::a_snapshot_is_read_back_as_written;
    KeepsTheFirst:
        snapshots::a_newer_schema_replaces_the_same_version,
        snapshots::a_newer_snapshot_replaces_the_older,
        snapshots::of_racing_snapshots_the_newest_stays;
    KeepsTheLast:
        restart::snapshots_survive_a_restart,
        snapshots::a_snapshot_never_regresses,
        snapshots::of_racing_snapshots_the_newest_stays;
    KeepsTheOldSchema: snapshots::a_newer_schema_replaces_the_same_version;
    ForgetsTheNewSchema: snapshots::a_snapshot_never_regresses;
    PutsTheSchemaFirst:
        snapshots::a_newer_snapshot_replaces_the_older,
        snapshots::a_snapshot_never_regresses;
    BelievesAnyVersion: snapshots::a_snapshot_is_never_newer_than_its_stream;
    SaysThatItKeptAll:
        restart::snapshots_survive_a_restart,
        snapshots::a_snapshot_is_never_newer_than_its_stream,
        snapshots::a_snapshot_never_regresses;
    FoldsCase: snapshots::snapshots_of_streams_do_not_mix;
    ChecksAndThenSaves: snapshots::of_racing_snapshots_the_newest_stays;
    ForgetsSnapshots: restart::snapshots_survive_a_restart;
}
