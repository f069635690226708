//! A framework for event-sourced applications.

mod aggregate;
mod app;
mod clock;
mod codec;
mod command;
mod dispatch;
mod event;
mod id;
mod json;
mod process;
mod router;
mod store;
mod stream;
mod subscribe;

pub use aggregate::{Aggregate, Handle};
pub use app::{App, AppBuilder, StartError};
pub use clock::{Clock, SystemClock, Timestamp};
pub use codec::{CodecError, decode, encode};
pub use command::{BoxCommand, Command};
pub use dispatch::{
    Consistency, Dispatch, DispatchError, DispatchOptions, Dispatchable, Dispatched, Rejection,
};
pub use event::{Event, EventSet, Metadata, NewEvent, RecordedEvent, Undecodable};
pub use id::{CausationId, CommandId, CorrelationId, EventId, IdSource, RandomIds};
pub use json::Json;
pub use process::{Failure, Interest, Outgoing, ProcessManager, ProcessOptions, Recovery};
pub use router::Router;
pub use store::{
    Append, AppendError, Appended, Chain, Direction, EventFilter, EventStore, InstanceChange, InstanceId,
    InstanceRecord, InvalidAppend, InvalidInstanceId, LogPage, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES,
    MAX_EVENTS_PER_APPEND, MAX_INSTANCE_ID_BYTES, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask,
    ProcessStep, ProcessStore, StepCause, StepError, Store, StoreError, StreamRead, StreamWrite,
};
pub use stream::{ExpectedVersion, InvalidStreamId, MAX_STREAM_ID_BYTES, Position, StreamId, Version};
pub use subscribe::{
    Projection, ReadModel, SubscribeOptions, SubscriberKind, SubscriberState, SubscriberStatus,
};

/// An error of application code, or of a backend, whatever its type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
