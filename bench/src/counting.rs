//! A store that counts what is asked of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, Chain, CommandId, CorrelationId, EventFilter, EventPart, EventStore,
    HandlerCheckpoint, HandlerStep, HandlerStore, InstanceId, InstanceQuery, InstanceRecord, Lease,
    LeaseStore, LogPage, OutboxEntry, OutboxOutcome, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    Position, ProcessStep, ProcessStore, RecordedEvent, Share, Snapshot, SnapshotStore, StepError, Store,
    StoreError, StreamId, StreamRead, TaskDecision, TaskPage, TaskQuery, Timestamp,
};

use uuid::Uuid;

use crate::sample::Appends;

/// A store, and beside it what its appends came to. A retry shows nowhere else: the caller of a command that was
/// decided twice does not learn of it.
pub(crate) struct Counting<S> {
    store: S,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    conflicts: AtomicU64,
}

impl<S: Store> Counting<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, counters: Arc::default() }
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

impl Counters {
    /// Since the last time.
    pub(crate) fn take(&self) -> Appends {
        Appends {
            commits: self.commits.swap(0, Ordering::Relaxed),
            conflicts: self.conflicts.swap(0, Ordering::Relaxed),
        }
    }

    fn count(&self, answers: &[Result<Appended, AppendError>]) {
        let conflicts = answers.iter().filter(|answer| {
            matches!(answer, Err(AppendError::WrongExpectedVersion { .. } | AppendError::Unfounded))
        });
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.conflicts.fetch_add(conflicts.count() as u64, Ordering::Relaxed);
    }
}

#[async_trait]
impl<S: Store> EventStore for Counting<S> {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        let answers = self.store.append(batch).await?;
        self.counters.count(&answers);
        Ok(answers)
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        self.store.receipts(commands).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_stream(stream, read).await
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.store.read_log(after, filter, limit).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.store.head().await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        self.store.wait_beyond(after).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl<S: Store> SnapshotStore for Counting<S> {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        self.store.snapshot(stream).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.store.save_snapshot(snapshot).await
    }
}

#[async_trait]
impl<S: Store> ProcessStore for Counting<S> {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        self.store.checkpoint(process).await
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        self.store.instances(process, ids).await
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        self.store.commit_step(step).await
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.store.due_tasks(now, share, limit).await
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_due(after).await
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.settle_tasks(outcomes, at).await
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        self.store.chain(correlation).await
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        self.store.prune_tasks(done_before).await
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        self.store.list_instances(process, query).await
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        self.store.list_tasks(query).await
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        self.store.task(id).await
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.store.decide_task(id, decision, at).await
    }
}

#[async_trait]
impl<S: Store> LeaseStore for Counting<S> {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        self.store.acquire_lease(lease, holder, now, until).await
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        self.store.lease_holders(leases, now).await
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        self.store.release_lease(lease, holder).await
    }
}

#[async_trait]
impl<S: Store> HandlerStore for Counting<S> {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        self.store.handler_checkpoint(handler).await
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        self.store.commit_handler(step).await
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.store.parked_events(handler, query, after, limit).await
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        self.store.mark_parked(handler, set, mark).await
    }
}

#[cfg(test)]
mod tests {
    use cqrs_core::{EventId, ExpectedVersion, Json, Metadata, NewEvent, StreamWrite, Version};
    use cqrs_memory::MemoryStore;

    use super::*;

    fn append(expected: u64, rests_on_previous: bool) -> Append {
        let event = NewEvent {
            id: EventId::new(Uuid::nil()),
            event_type: "Read".into(),
            data: Json::parse("{}").unwrap(),
            metadata: Metadata::default(),
        };
        let expected = match expected {
            0 => ExpectedVersion::NoStream,
            version => ExpectedVersion::Exact(Version::new(version)),
        };
        let stream = "meter-1".parse().unwrap();
        Append {
            writes: vec![StreamWrite { stream, expected, events: vec![event] }],
            receipt: None,
            recorded_at: Timestamp::from_micros(0),
            rests_on_previous,
        }
    }

    #[test]
    fn commits_and_conflicts_are_counted() {
        let store = Counting::new(MemoryStore::new());
        let counters = store.counters();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            store.append(vec![append(0, false)]).await.unwrap();
            // The second was overtaken, and the third rests on it.
            store.append(vec![append(1, false), append(1, false), append(2, true)]).await.unwrap();
        });
        let Appends { commits, conflicts } = counters.take();
        assert_eq!((commits, conflicts), (2, 2));
        assert_eq!(counters.take().commits, 0);
    }
}
