//! What a storage backend implements, and the words it answers with.
//!
//! The whole contract stands on the traits' methods. All of them are object-safe, so that an application
//! does not carry its store's type.

mod append;
mod error;
mod events;
mod handlers;
mod leases;
mod process;
mod snapshots;

pub use append::{
    Append, AppendError, Appended, InvalidAppend, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES,
    MAX_EVENTS_PER_APPEND, MAX_METADATA_DEPTH, StreamWrite,
};
pub use error::StoreError;
pub use events::{Direction, EventFilter, EventStore, LogPage, StreamRead};
pub use handlers::{
    EventPart, HandlerCheckpoint, HandlerStep, HandlerStore, ParkedEvent, ParkedMark, ParkedQuery,
    ParkedSet, ParkedState,
};
pub use leases::{Lease, LeaseStore};
pub use process::{
    Chain, InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState, InvalidInstanceId,
    MAX_INSTANCE_ID_BYTES, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, ProcessStep, ProcessStore,
    SHARDS, Share, StepCause, StepError, Stuck, TaskDecision, TaskPage, TaskQuery,
};

pub use snapshots::{Snapshot, SnapshotStore};

/// A store that can carry a whole application: events, and beside them snapshots, what process managers and event
/// handlers know, and leases.
pub trait Store: EventStore + ProcessStore + HandlerStore + SnapshotStore + LeaseStore {}

impl<S: EventStore + ProcessStore + HandlerStore + SnapshotStore + LeaseStore> Store for S {}
