//! What process managers keep: instances, a checkpoint, and the outbox.

mod instance;
mod outbox;
mod share;

use async_trait::async_trait;

pub use instance::{
    InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState, InvalidInstanceId,
    MAX_INSTANCE_ID_BYTES, Stuck,
};
pub use outbox::{
    Chain, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, TaskDecision, TaskPage, TaskQuery,
};
pub use share::{SHARDS, Share};

use super::StoreError;
use crate::{CommandId, CorrelationId, Position, Timestamp};

/// What sets a step off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepCause {
    /// Events of the log: the process manager's checkpoint moves.
    Events {
        /// Where the checkpoint must be.
        from: Position,
        /// Where it is put.
        to: Position,
    },
    /// A task that was due, or whose command was rejected: it must be pending, and becomes done.
    Task {
        /// The task.
        id: CommandId,
        /// What went wrong with it, if anything did.
        error: Option<String>,
    },
    /// Events that an instance has not taken yet, because it was stuck. Neither checkpoint nor outbox move.
    Stuck {
        /// The instance: it must be stuck.
        instance: InstanceId,
        /// The [`Stuck::at`] at which it must be.
        at: Position,
        /// Where the checkpoint must be, when the instance is to go on with what comes after it.
        checkpoint: Option<Position>,
    },
}

/// One transaction of a process manager.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessStep {
    /// The process manager's name.
    pub process: String,
    /// What set it off.
    pub cause: StepCause,
    /// The instances that changed.
    pub instances: Vec<InstanceChange>,
    /// Deadlines that are not wanted any more, by instance and name: those of the process manager that are pending or
    /// parked are dropped, before the tasks are asked for.
    pub cancels: Vec<(InstanceId, String)>,
    /// The tasks asked for, in order, all pending.
    pub tasks: Vec<OutboxEntry>,
    /// When the step was made.
    pub at: Timestamp,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The checkpoint was not where the step expected it, the task not pending, or the instance not stuck there:
    /// another runner was faster. Nothing was changed.
    #[error("another runner was faster")]
    Fenced,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where process managers keep what they know.
///
/// It is the same store that has the events, or one that commits on its own: correctness rests on the compare-and-set of
/// the checkpoint, on ids that repeat when a step does, and on the receipts of the event store.
///
/// A step, an outcome, a decision and a pruning may be less durable than an append, as long as a crash of the machine
/// takes the newest ones and never one from the middle: they follow from the events, and are made again, save a
/// decision, which an operator must repeat then.
#[async_trait]
pub trait ProcessStore: Send + Sync + 'static {
    /// Up to where a process manager has worked; zero when it has never run.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError>;

    /// Instances by id, in the order of the ids; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError>;

    /// Takes a step in one transaction: the cause by compare-and-set, the instances, the deadlines that are not wanted any
    /// more, the tasks.
    ///
    /// A task whose id the outbox already has is left as it is. So is the task that is the cause: it is done, and not
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the cause is not as expected; then nothing was changed.
    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError>;

    /// Tasks of a share to be done at `now`, in the order in which they were asked for, at most `limit`.
    ///
    /// Commands of one instance keep their order: none is given out while an earlier one of the same
    /// instance, whose due time has come, waits for its next attempt or is parked. Parked or not, what is due later
    /// holds up nobody until then. Deadlines wait for nobody, and nobody waits for them.
    ///
    /// A runner asks often, also while all that is due is under way already. What this costs should follow from the
    /// limit, and not from how many tasks there are; of those that other shares have, as little as may be.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError>;

    /// The next time after `after` at which a pending task is to be tried.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Records what became of attempts, in one transaction. A task that is no longer pending is left as it
    /// is. `Retry` and `Parked` count an attempt.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// How far a causal chain has come, as of one moment. Deadlines count when they are parked, not while
    /// they wait. What was dropped does not count.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError>;

    /// Forgets tasks that were done or dropped before a moment, and returns how many. It need not be one
    /// transaction: nobody else should wait until a million of them are gone.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError>;

    /// A page of a process manager's instances, in the order of their ids, byte by byte.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError>;

    /// A page of the outbox, in the order in which tasks were asked for, wherever they stand.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError>;

    /// A task by its id; `None` when it was never asked for, or is pruned.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError>;

    /// Records what an operator decides about a task, and returns whether it could be decided so.
    ///
    /// [`TaskDecision::Retry`] takes a task that is parked, or one that is pending and has failed: it becomes pending,
    /// to be tried at `at`, without attempts; its due time and its last error stay. [`TaskDecision::Drop`] takes a task
    /// that is parked or pending, which is then pruned like one that was done at `at`. All others are left as they are.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError>;
}
