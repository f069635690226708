//! The store: everything under one lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, Chain, CommandId, CorrelationId, EventFilter, EventPart, EventStore,
    HandlerCheckpoint, HandlerStep, HandlerStore, InstanceId, InstanceQuery, InstanceRecord, Lease,
    LeaseStore, LogPage, OutboxEntry, OutboxOutcome, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    Position, ProcessStep, ProcessStore, RecordedEvent, Share, Snapshot, SnapshotStore, StepError,
    StoreError, StreamId, StreamRead, TaskDecision, TaskPage, TaskQuery, Timestamp,
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::handlers::Handlers;
use crate::leases::Leases;
use crate::log::Log;
use crate::process::Processes;
use crate::snapshots::Snapshots;

/// An event store in memory. Cheap to clone; every clone is the same store, and it ends with the last one.
///
/// It keeps the whole contract but durability: an acknowledged append survives a shutdown of the
/// application, but not the end of the process. [`EventStore::close`] ends the waits of this clone and of
/// those made from it; a clone made before goes on, like another connection to a database.
///
/// ```
/// use cqrs_core::{App, EventStore, Position};
/// use cqrs_memory::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cqrs_core::BoxError> {
/// let store = MemoryStore::new();
/// let app = App::builder(store.clone()).start().await?;
/// assert_eq!(store.head().await?, Position::ZERO);
/// # app.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub struct MemoryStore {
    shared: Arc<Shared>,
    closed: watch::Sender<bool>,
}

struct Shared {
    state: Mutex<State>,
    /// Tells that the head has moved, to all who wait, in the order in which they came.
    moved: Notify,
}

#[derive(Default)]
struct State {
    log: Log,
    processes: Processes,
    handlers: Handlers,
    snapshots: Snapshots,
    leases: Leases,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), moved: Notify::new() });
        Self { shared, closed: watch::Sender::new(false) }
    }

    /// Nothing that runs under the lock can panic half-way, so a poisoned lock guards sound data.
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if *self.closed.borrow() {
            return Err(StoreError::Closed);
        }
        Ok(self.shared.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), closed: watch::Sender::new(false) }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.state().map(|state| state.log.head());
        f.debug_struct("MemoryStore").field("head", &head).finish_non_exhaustive()
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        let mut state = self.state()?;
        let answers = state.log.append_batch(batch);
        drop(state);
        if answers.iter().flatten().any(|appended| appended.events > 0 && !appended.duplicate) {
            self.shared.moved.notify_waiters();
        }
        Ok(answers)
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        let state = self.state()?;
        Ok(commands.iter().map(|command| state.log.receipt(*command)).collect())
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        Ok(self.state()?.log.read_stream(stream, read))
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        Ok(self.state()?.log.read_log(after, filter, limit))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(self.state()?.log.head())
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        let mut closed = self.closed.subscribe();
        loop {
            // Waits from here on, so that nothing slips in between the look and the wait.
            let moved = self.shared.moved.notified();
            let head = self.state()?.log.head();
            if head > after {
                return Ok(head);
            }
            tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => return Err(StoreError::Closed),
                () = moved => {}
            }
        }
    }

    async fn close(&self) {
        self.closed.send_replace(true);
    }
}

#[async_trait]
impl SnapshotStore for MemoryStore {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.state()?.snapshots.of(stream))
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        let mut state = self.state()?;
        let version = state.log.version(&snapshot.stream);
        Ok(state.snapshots.save(snapshot, version))
    }
}

#[async_trait]
impl ProcessStore for MemoryStore {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        Ok(self.state()?.processes.checkpoint(process))
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        let state = self.state()?;
        Ok(ids.iter().map(|id| state.processes.instance(process, id)).collect())
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        self.state()?.processes.commit_step(step)
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        Ok(self.state()?.processes.due_tasks(now, share, limit))
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state()?.processes.next_due(after))
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state()?;
        for (id, outcome) in outcomes {
            state.processes.settle(id, outcome, at);
        }
        Ok(())
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        Ok(self.state()?.processes.chain(correlation))
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        Ok(self.state()?.processes.prune(done_before))
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        Ok(self.state()?.processes.list_instances(process, query))
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        Ok(self.state()?.processes.list_tasks(query))
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        Ok(self.state()?.processes.task(id))
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        Ok(self.state()?.processes.decide(id, decision, at))
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        Ok(self.state()?.leases.acquire(lease, holder, now, until))
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        Ok(self.state()?.leases.holders(leases, now))
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        self.state()?.leases.release(lease, holder);
        Ok(())
    }
}

#[async_trait]
impl HandlerStore for MemoryStore {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        Ok(self.state()?.handlers.checkpoint(handler))
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        self.state()?.handlers.commit(step)
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        Ok(self.state()?.handlers.parked(handler, query, after, limit))
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        Ok(self.state()?.handlers.mark(handler, set, mark))
    }
}
