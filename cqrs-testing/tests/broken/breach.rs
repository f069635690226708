//! A store that is sound but for one breach.

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
pub(crate) use cqrs_core::*;
pub(crate) use cqrs_memory::MemoryStore;
use cqrs_testing::StoreFactory;
use uuid::Uuid;

use crate::ledger::Ledger;

/// The answer to a batch.
pub(crate) type Answers = Result<Vec<Result<Appended, AppendError>>, StoreError>;

/// How many operations a rule may ask of a store. More means that it was led round in a circle; it then waits
/// for ever, and its time runs out.
const MANY: u64 = 100_000;

/// What a store does wrong. Everything that is not overridden is done by the sound store.
#[async_trait]
pub(crate) trait Breach: Send + Sync + 'static {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        store.append(batch).await
    }

    async fn receipts(
        &self,
        store: &MemoryStore,
        commands: &[CommandId],
    ) -> Result<Vec<Option<Appended>>, StoreError> {
        store.receipts(commands).await
    }

    async fn read_stream(
        &self,
        store: &MemoryStore,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        store.read_stream(stream, read).await
    }

    async fn read_log(
        &self,
        store: &MemoryStore,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        store.read_log(after, filter, limit).await
    }

    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        store.head().await
    }

    async fn wait_beyond(&self, store: &MemoryStore, after: Position) -> Result<Position, StoreError> {
        store.wait_beyond(after).await
    }

    async fn close(&self, store: &MemoryStore) {
        store.close().await;
    }

    async fn checkpoint(&self, store: &MemoryStore, process: &str) -> Result<Position, StoreError> {
        store.checkpoint(process).await
    }

    async fn instances(
        &self,
        store: &MemoryStore,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        store.instances(process, ids).await
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        store.commit_step(step).await
    }

    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        store.due_tasks(now, share, limit).await
    }

    async fn next_due(
        &self,
        store: &MemoryStore,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        store.next_due(after).await
    }

    async fn settle_tasks(
        &self,
        store: &MemoryStore,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        store.settle_tasks(outcomes, at).await
    }

    async fn chain(&self, store: &MemoryStore, correlation: CorrelationId) -> Result<Chain, StoreError> {
        store.chain(correlation).await
    }

    async fn prune_tasks(&self, store: &MemoryStore, done_before: Timestamp) -> Result<u64, StoreError> {
        store.prune_tasks(done_before).await
    }

    async fn list_instances(
        &self,
        store: &MemoryStore,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        store.list_instances(process, query).await
    }

    async fn list_tasks(&self, store: &MemoryStore, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        store.list_tasks(query).await
    }

    async fn task(&self, store: &MemoryStore, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        store.task(id).await
    }

    async fn decide_task(
        &self,
        store: &MemoryStore,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        store.decide_task(id, decision, at).await
    }

    async fn snapshot(
        &self,
        store: &MemoryStore,
        stream: &StreamId,
    ) -> Result<Option<Snapshot>, StoreError> {
        store.snapshot(stream).await
    }

    async fn save_snapshot(&self, store: &MemoryStore, snapshot: Snapshot) -> Result<bool, StoreError> {
        store.save_snapshot(snapshot).await
    }

    async fn acquire_lease(
        &self,
        store: &MemoryStore,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        store.acquire_lease(lease, holder, now, until).await
    }

    async fn lease_holders(
        &self,
        store: &MemoryStore,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        store.lease_holders(leases, now).await
    }

    async fn release_lease(
        &self,
        store: &MemoryStore,
        lease: &str,
        holder: Uuid,
    ) -> Result<(), StoreError> {
        store.release_lease(lease, holder).await
    }

    async fn handler_checkpoint(
        &self,
        store: &MemoryStore,
        handler: &str,
    ) -> Result<HandlerCheckpoint, StoreError> {
        store.handler_checkpoint(handler).await
    }

    async fn commit_handler(&self, store: &MemoryStore, step: HandlerStep) -> Result<(), StepError> {
        store.commit_handler(step).await
    }

    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        store.parked_events(handler, query, after, limit).await
    }

    async fn mark_parked(
        &self,
        store: &MemoryStore,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        store.mark_parked(handler, set, mark).await
    }

    /// Where the breach wants every step that was taken, and every outcome, written down.
    fn ledger(&self) -> Option<&Ledger> {
        None
    }

    /// The breach of another handle on the same data; none means that the handles share this one.
    fn again(&self) -> Option<Arc<dyn Breach>> {
        None
    }

    /// An event was spoiled.
    fn spoiled(&self, _: Position) {}

    /// What is read where some events are spoiled.
    fn spoil(
        &self,
        events: Vec<RecordedEvent>,
        spoiled: &HashSet<Position>,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        match events.iter().find(|event| spoiled.contains(&event.position)) {
            Some(event) => {
                Err(StoreError::Corrupt { what: format!("event at position {}", event.position) })
            }
            None => Ok(events),
        }
    }

    /// The data after a restart.
    async fn reopen(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }
}

/// No breach at all.
pub(crate) struct Whole;

impl Breach for Whole {}

/// A store with a breach.
pub(crate) struct Broken {
    store: MemoryStore,
    breach: Arc<dyn Breach>,
    asked: AtomicU64,
    spoiled: Mutex<HashSet<Position>>,
}

impl Broken {
    pub(crate) fn new(store: MemoryStore, breach: Arc<dyn Breach>) -> Self {
        Self { store, breach, asked: AtomicU64::default(), spoiled: Mutex::default() }
    }

    /// Passes events on, as far as they can be read.
    fn spoil(&self, events: Vec<RecordedEvent>) -> Result<Vec<RecordedEvent>, StoreError> {
        let spoiled = self.spoiled.lock().unwrap();
        if spoiled.is_empty() { Ok(events) } else { self.breach.spoil(events, &spoiled) }
    }

    async fn store(&self) -> &MemoryStore {
        if self.asked.fetch_add(1, Ordering::Relaxed) > MANY {
            pending::<()>().await;
        }
        &self.store
    }
}

/// Makes stores with a breach.
pub(crate) struct Factory(pub(crate) fn() -> Arc<dyn Breach>);

#[async_trait]
impl StoreFactory for Factory {
    type Store = Broken;

    async fn make(&self) -> Broken {
        Broken::new(MemoryStore::new(), (self.0)())
    }

    async fn again(&self, store: &Broken) -> Broken {
        let breach = store.breach.again().unwrap_or_else(|| Arc::clone(&store.breach));
        Broken::new(store.store.clone(), breach)
    }

    async fn reopen(&self, store: Broken) -> Broken {
        let reopened = store.breach.reopen(&store.store).await;
        store.close().await;
        Broken::new(reopened, Arc::clone(&store.breach))
    }

    async fn damage(&self, store: &Broken, position: Position) {
        store.spoiled.lock().unwrap().insert(position);
        store.breach.spoiled(position);
    }
}

#[async_trait]
impl EventStore for Broken {
    async fn append(&self, batch: Vec<Append>) -> Answers {
        self.breach.append(self.store().await, batch).await
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        self.breach.receipts(self.store().await, commands).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.spoil(self.breach.read_stream(self.store().await, stream, read).await?)
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let page = self.breach.read_log(self.store().await, after, filter, limit).await?;
        Ok(LogPage { events: self.spoil(page.events)?, ..page })
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.breach.head(self.store().await).await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        self.breach.wait_beyond(self.store().await, after).await
    }

    async fn close(&self) {
        self.breach.close(&self.store).await;
    }
}

#[async_trait]
impl SnapshotStore for Broken {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        self.breach.snapshot(self.store().await, stream).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.breach.save_snapshot(self.store().await, snapshot).await
    }
}

#[async_trait]
impl ProcessStore for Broken {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        self.breach.checkpoint(self.store().await, process).await
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        self.breach.instances(self.store().await, process, ids).await
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        self.breach.commit_step(self.store().await, step.clone()).await?;
        if let Some(ledger) = self.breach.ledger() {
            ledger.step(step);
        }
        Ok(())
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.breach.due_tasks(self.store().await, now, share, limit).await
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.breach.next_due(self.store().await, after).await
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(ledger) = self.breach.ledger() {
            ledger.settle(&outcomes);
        }
        self.breach.settle_tasks(self.store().await, outcomes, at).await
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        self.breach.chain(self.store().await, correlation).await
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        self.breach.prune_tasks(self.store().await, done_before).await
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        self.breach.list_instances(self.store().await, process, query).await
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        self.breach.list_tasks(self.store().await, query).await
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        self.breach.task(self.store().await, id).await
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.breach.decide_task(self.store().await, id, decision, at).await
    }
}

#[async_trait]
impl LeaseStore for Broken {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        self.breach.acquire_lease(self.store().await, lease, holder, now, until).await
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        self.breach.lease_holders(self.store().await, leases, now).await
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        self.breach.release_lease(self.store().await, lease, holder).await
    }
}

#[async_trait]
impl HandlerStore for Broken {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        self.breach.handler_checkpoint(self.store().await, handler).await
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        self.breach.commit_handler(self.store().await, step).await
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.breach.parked_events(self.store().await, handler, query, after, limit).await
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        self.breach.mark_parked(self.store().await, handler, set, mark).await
    }
}
