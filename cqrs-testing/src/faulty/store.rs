//! The calls of a store, each through the injector.

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, Chain, CommandId, CorrelationId, EventFilter, EventPart, EventStore,
    HandlerCheckpoint, HandlerStep, HandlerStore, InstanceId, InstanceQuery, InstanceRecord, Lease,
    LeaseStore, LogPage, OutboxEntry, OutboxOutcome, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    Position, ProcessStep, ProcessStore, RecordedEvent, Share, Snapshot, SnapshotStore, StepError,
    StoreError, StreamId, StreamRead, TaskDecision, TaskPage, TaskQuery, Timestamp,
};

use uuid::Uuid;

use super::FaultyStore;
use super::plan::Operation;

#[async_trait]
impl<S: EventStore> EventStore for FaultyStore<S> {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        self.injector.call(Operation::Append, self.inner.append(batch)).await
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        self.injector.call(Operation::Receipts, self.inner.receipts(commands)).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.injector.call(Operation::ReadStream, self.inner.read_stream(stream, read)).await
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        self.injector.call(Operation::ReadLog, self.inner.read_log(after, filter, limit)).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.injector.call(Operation::Head, self.inner.head()).await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        tokio::select! {
            biased;
            () = self.injector.closed() => Err(StoreError::Closed),
            head = self.injector.call(Operation::WaitBeyond, self.inner.wait_beyond(after)) => head,
        }
    }

    /// Closes this handle. The store inside stays open, for the next process.
    async fn close(&self) {
        self.injector.close().await;
    }
}

#[async_trait]
impl<S: SnapshotStore> SnapshotStore for FaultyStore<S> {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        self.injector.call(Operation::Snapshot, self.inner.snapshot(stream)).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.injector.call(Operation::SaveSnapshot, self.inner.save_snapshot(snapshot)).await
    }
}

#[async_trait]
impl<S: ProcessStore> ProcessStore for FaultyStore<S> {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        self.injector.call(Operation::Checkpoint, self.inner.checkpoint(process)).await
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        self.injector.call(Operation::Instances, self.inner.instances(process, ids)).await
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        self.injector.call(Operation::CommitStep, self.inner.commit_step(step)).await
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.injector.call(Operation::DueTasks, self.inner.due_tasks(now, share, limit)).await
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.injector.call(Operation::NextDue, self.inner.next_due(after)).await
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.injector.call(Operation::SettleTasks, self.inner.settle_tasks(outcomes, at)).await
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        self.injector.call(Operation::Chain, self.inner.chain(correlation)).await
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        self.injector.call(Operation::PruneTasks, self.inner.prune_tasks(done_before)).await
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        self.injector.call(Operation::ListInstances, self.inner.list_instances(process, query)).await
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        self.injector.call(Operation::ListTasks, self.inner.list_tasks(query)).await
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        self.injector.call(Operation::Task, self.inner.task(id)).await
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.injector.call(Operation::DecideTask, self.inner.decide_task(id, decision, at)).await
    }
}

#[async_trait]
impl<S: LeaseStore> LeaseStore for FaultyStore<S> {
    /// A lease of a process that has died is free, as with a store that learns of deaths.
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let acquire = async {
            self.injector.holds(holder);
            let answer = self.inner.acquire_lease(lease, holder, now, until).await?;
            match answer {
                Lease::HeldBy { holder: dead, .. } if self.injector.has_died(dead) => {
                    self.inner.release_lease(lease, dead).await?;
                    self.inner.acquire_lease(lease, holder, now, until).await
                }
                answer => Ok(answer),
            }
        };
        self.injector.call(Operation::AcquireLease, acquire).await
    }

    /// As with [`FaultyStore::acquire_lease`], the dead have none.
    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        let holders = async {
            let found = self.inner.lease_holders(leases, now).await?;
            Ok(found.into_iter().map(|it| it.filter(|holder| !self.injector.has_died(*holder))).collect())
        };
        self.injector.call(Operation::LeaseHolders, holders).await
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        self.injector.call(Operation::ReleaseLease, self.inner.release_lease(lease, holder)).await
    }
}

#[async_trait]
impl<S: HandlerStore> HandlerStore for FaultyStore<S> {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        self.injector.call(Operation::HandlerCheckpoint, self.inner.handler_checkpoint(handler)).await
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        self.injector.call(Operation::CommitHandler, self.inner.commit_handler(step)).await
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let parked = self.inner.parked_events(handler, query, after, limit);
        self.injector.call(Operation::ParkedEvents, parked).await
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        self.injector.call(Operation::MarkParked, self.inner.mark_parked(handler, set, mark)).await
    }
}
