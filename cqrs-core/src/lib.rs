//! A framework for event-sourced applications: save events, not the final state.
//!
//! [Commands](Command) are requests and may fail. [Aggregates](Aggregate) decide them and emit
//! [events](Event), which are facts. Events are stored in streams, one for each aggregate, and in one log of
//! all. [Projections](Projection) follow the log and answer queries. [Process managers](ProcessManager)
//! follow it too, and answer events with further commands, so that several aggregates can take part in one
//! business transaction. [Event handlers](EventHandler) follow it to do something in the world.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use async_trait::async_trait;
//! use cqrs_core::*;
//! use cqrs_memory::{InMemory, MemoryStore};
//! use serde::{Deserialize, Serialize};
//!
//! // What can happen …
//! #[derive(Debug, Serialize, Deserialize)]
//! enum AccountEvent {
//!     Deposited { account: String, amount: u64 },
//!     Withdrawn { account: String, amount: u64 },
//! }
//!
//! impl Event for AccountEvent {
//!     const CATEGORY: &'static str = "account";
//! }
//!
//! // … to whom …
//! #[derive(Default)]
//! struct Account {
//!     balance: u64,
//! }
//!
//! impl Aggregate for Account {
//!     type Id = String;
//!     type Event = AccountEvent;
//!
//!     fn apply(&mut self, event: &AccountEvent) {
//!         match event {
//!             AccountEvent::Deposited { amount, .. } => self.balance += amount,
//!             AccountEvent::Withdrawn { amount, .. } => self.balance -= amount,
//!         }
//!     }
//! }
//!
//! // … when it is asked for, and the rules allow it.
//! #[derive(Serialize, Deserialize)]
//! struct Deposit {
//!     account: String,
//!     amount: u64,
//! }
//!
//! impl Command for Deposit {
//!     const NAME: &'static str = "Deposit";
//!     type Aggregate = Account;
//!
//!     fn aggregate_id(&self) -> &String {
//!         &self.account
//!     }
//! }
//!
//! impl Handle<Deposit> for Account {
//!     type Error = std::convert::Infallible;
//!
//!     fn handle(&self, command: &Deposit) -> Result<Vec<AccountEvent>, Self::Error> {
//!         let Deposit { account, amount } = command;
//!         Ok(vec![AccountEvent::Deposited { account: account.clone(), amount: *amount }])
//!     }
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Withdraw {
//!     account: String,
//!     amount: u64,
//! }
//!
//! impl Command for Withdraw {
//!     const NAME: &'static str = "Withdraw";
//!     type Aggregate = Account;
//!
//!     fn aggregate_id(&self) -> &String {
//!         &self.account
//!     }
//! }
//!
//! #[derive(Debug, PartialEq, thiserror::Error)]
//! #[error("the account has {balance}")]
//! struct NotEnough {
//!     balance: u64,
//! }
//!
//! impl Handle<Withdraw> for Account {
//!     type Error = NotEnough;
//!
//!     fn handle(&self, command: &Withdraw) -> Result<Vec<AccountEvent>, NotEnough> {
//!         let Withdraw { account, amount } = command;
//!         if *amount > self.balance {
//!             return Err(NotEnough { balance: self.balance });
//!         }
//!         Ok(vec![AccountEvent::Withdrawn { account: account.clone(), amount: *amount }])
//!     }
//! }
//!
//! // What the queries are answered from.
//! struct Balances;
//!
//! #[async_trait]
//! impl Projection for Balances {
//!     const NAME: &'static str = "balances";
//!     type Event = AccountEvent;
//!     type Target = BTreeMap<String, u64>;
//!
//!     async fn project(
//!         &self,
//!         event: &RecordedEvent<AccountEvent>,
//!         balances: &mut BTreeMap<String, u64>,
//!     ) -> Result<(), BoxError> {
//!         match &event.data {
//!             AccountEvent::Deposited { account, amount } => {
//!                 *balances.entry(account.clone()).or_default() += amount;
//!             }
//!             AccountEvent::Withdrawn { account, amount } => {
//!                 *balances.entry(account.clone()).or_default() -= amount;
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let balances = InMemory::default();
//! let app = App::builder(MemoryStore::new())
//!     .projection(Balances, balances.clone())
//!     .start()
//!     .await?;
//!
//! let account = || "me".to_owned();
//! app.dispatch(Deposit { account: account(), amount: 5 }).await?;
//! let refused = app.dispatch(Withdraw { account: account(), amount: 7 }).await.unwrap_err();
//! assert_eq!(refused.rejection(), Some(&NotEnough { balance: 5 }));
//! app.dispatch(Withdraw { account: account(), amount: 3 }).strong().await?;
//! assert_eq!(balances.read(|balances| balances["me"]).await, 2);
//! app.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! - *A domain* implements [`Event`], [`Aggregate`], [`Command`] and [`Handle`], and what follows the log: [`Projection`],
//!   [`ProcessManager`], [`EventHandler`].
//! - *An application* is put together by [`App::builder`]. [`App::dispatch`] sends commands; [`Dispatch`] is what a caller can
//!   ask for, [`Dispatched`] and [`DispatchError`] are the answers. A [`Router`] knows commands by name, and
//!   [`Middleware`] stands around all of them.
//! - *An operator* looks at [`SubscriberStatus`] and [`ProcessHandle`], and has read models made anew by [`App::rebuild`].
//! - *A store* implements [`Store`], which is [`EventStore`], [`SnapshotStore`], [`ProcessStore`], [`HandlerStore`] and
//!   [`LeaseStore`]; [`ReadModel`] is for the tables of projections. Most of the other items are what these traits take and give.

mod aggregate;
mod app;
mod clock;
mod codec;
mod command;
mod dispatch;
mod error;
mod event;
mod handler;
mod id;
mod json;
mod process;
mod router;
mod snapshot;
mod store;
mod stream;
mod subscribe;
mod upcast;

pub use aggregate::{Aggregate, Handle, Lifespan};
pub use app::{App, AppBuilder, ProcessError, ProcessHandle, Rebuild, RebuildError, StartError};
pub use clock::{Clock, SystemClock, Timestamp};
pub use codec::{CodecError, decode, encode};
pub use command::{BoxCommand, Command};
pub use dispatch::{
    CommandFailure, CommandView, Consistency, Dispatch, DispatchError, DispatchOptions, Dispatchable,
    Dispatched, FailureKind, LogCommands, MeasureCommands, Middleware, Rejection, ReturningEvents,
    ReturningState,
};
pub use error::{BoxError, describe};
pub use event::{Event, EventSet, Metadata, NewEvent, RecordedEvent, Undecodable, decode_stored};
pub use handler::{EventHandler, HandlerFailure, HandlerOptions, Policy};
pub use id::{CausationId, CommandId, CorrelationId, EventId, IdSource, RandomIds};
pub use json::Json;
#[doc(hidden)]
pub use process::planning;
pub use process::{
    Failure, InstanceHistory, Interest, Mended, Outgoing, ProcessManager, ProcessOptions, Recovery,
};
pub use router::Router;
pub use snapshot::Snapshots;
pub use store::{
    Append, AppendError, Appended, Chain, Direction, EventFilter, EventPart, EventStore, HandlerCheckpoint,
    HandlerStep, HandlerStore, InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState,
    InvalidAppend, InvalidInstanceId, Lease, LeaseStore, LogPage, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES,
    MAX_EVENTS_PER_APPEND, MAX_INSTANCE_ID_BYTES, MAX_METADATA_DEPTH, OutboxEntry, OutboxOutcome,
    OutboxState, OutboxTask, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet, ParkedState, ProcessStep,
    ProcessStore, SHARDS, Share, Snapshot, SnapshotStore, StepCause, StepError, Store, StoreError,
    StreamRead, StreamWrite, Stuck, TaskDecision, TaskPage, TaskQuery,
};
pub use stream::{ExpectedVersion, InvalidStreamId, MAX_STREAM_ID_BYTES, Position, StreamId, Version};
pub use subscribe::{
    Checkpoint, Projection, ReadModel, RebuildProgress, StartFrom, SubscribeOptions, SubscriberKind,
    SubscriberState, SubscriberStatus,
};
pub use upcast::Upcasts;
