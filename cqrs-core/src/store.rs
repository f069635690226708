//! What a storage backend implements, and the words it answers with.
//!
//! The whole contract stands on the traits' methods. All of them are object-safe, so that an application
//! does not carry its store's type.

mod append;
mod error;
mod events;
mod process;
mod snapshots;

pub use append::{
    Append, AppendError, Appended, InvalidAppend, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES,
    MAX_EVENTS_PER_APPEND, MAX_METADATA_DEPTH, StreamWrite,
};
pub use error::StoreError;
pub use events::{Direction, EventFilter, EventStore, LogPage, StreamRead};
pub use process::{
    Chain, InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState, InvalidInstanceId,
    MAX_INSTANCE_ID_BYTES, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, ProcessStep, ProcessStore,
    StepCause, StepError, Stuck, TaskDecision, TaskPage, TaskQuery,
};

pub use snapshots::{Snapshot, SnapshotStore};

/// A store that can carry a whole application: events, and beside them snapshots and the state of process
/// managers.
pub trait Store: EventStore + ProcessStore + SnapshotStore {}

impl<S: EventStore + ProcessStore + SnapshotStore> Store for S {}
