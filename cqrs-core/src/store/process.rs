//! What process managers keep: instances, a checkpoint, and the outbox.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::{BoxCommand, CommandId, CorrelationId, Json, Metadata, Position, Timestamp};

/// The longest instance id, in bytes of UTF-8.
pub const MAX_INSTANCE_ID_BYTES: usize = 512;

/// Names one instance of a process manager, such as a transfer's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId(String);

/// A text that cannot name an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instance id {0:?} is not 1 to {MAX_INSTANCE_ID_BYTES} bytes without control characters")]
pub struct InvalidInstanceId(String);

impl InstanceId {
    /// Names an instance by anything that can be displayed.
    ///
    /// # Errors
    ///
    /// When the text is empty, longer than [`MAX_INSTANCE_ID_BYTES`], or has a control character.
    pub fn new(id: impl fmt::Display) -> Result<Self, InvalidInstanceId> {
        id.to_string().try_into()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for InstanceId {
    type Error = InvalidInstanceId;

    fn try_from(id: String) -> Result<Self, InvalidInstanceId> {
        if id.is_empty() || id.len() > MAX_INSTANCE_ID_BYTES || id.chars().any(char::is_control) {
            return Err(InvalidInstanceId(id));
        }
        Ok(Self(id))
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An instance as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceRecord {
    /// Its state.
    pub state: Json,
    /// Whether it has come to its end. It stays as a tombstone, so that its start, delivered again, does
    /// not begin it anew.
    pub finished: bool,
}

/// An instance's state after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceChange {
    /// Which instance.
    pub id: InstanceId,
    /// What to store in place of what was there.
    pub record: InstanceRecord,
}

/// What a process manager asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxTask {
    /// Dispatch a command.
    Command(BoxCommand),
    /// Wake the instance with the deadline of this name.
    Deadline(String),
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// To be done, at its due time or at its next attempt.
    Pending,
    /// Done; kept until it is pruned.
    Done,
    /// Given up until an operator decides.
    Parked,
}

/// A task in the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxEntry {
    /// Its id, and the id of the command when it is one. It follows from the process manager, the instance
    /// and the cause, so a repeated step asks for the same task.
    pub id: CommandId,
    /// The process manager's name.
    pub process: String,
    /// The instance that asked.
    pub instance: InstanceId,
    /// What to do.
    pub task: OutboxTask,
    /// Cause and causal chain of the command.
    pub metadata: Metadata,
    /// When it is to be done.
    pub due_at: Timestamp,
    /// When it is to be tried next; `due_at` until an attempt fails.
    pub retry_at: Timestamp,
    /// How often it was tried without success.
    pub attempts: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Where it stands.
    pub state: OutboxState,
}

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
    /// The tasks asked for, in order, all pending.
    pub tasks: Vec<OutboxEntry>,
    /// When the step was made.
    pub at: Timestamp,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The checkpoint was not where the step expected it, or the task not pending: another runner was
    /// faster. Nothing was changed.
    #[error("another runner was faster")]
    Fenced,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of an attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxOutcome {
    /// Its command took effect.
    Done {
        /// The [`Appended::position`](super::Appended::position) of its append.
        position: Position,
    },
    /// Try again later.
    Retry {
        /// When.
        at: Timestamp,
        /// What went wrong.
        error: String,
    },
    /// Give up until an operator decides.
    Parked {
        /// What went wrong.
        error: String,
    },
}

/// How far a causal chain has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Its commands in the outbox that are still to be done.
    pub pending: u64,
    /// Its tasks that were given up.
    pub parked: u64,
    /// The highest position of its commands that are done and not yet pruned; zero without any.
    pub last: Position,
}

/// Where process managers keep what they know. It is the same store that has the events, or one that
/// commits on its own: correctness rests on the compare-and-set of the checkpoint, on ids that repeat when
/// a step does, and on the receipts of the event store.
///
/// A step, an outcome and a pruning may be less durable than an append, as long as a crash of the machine
/// takes the newest ones and never one from the middle: they follow from the events, and are made again.
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

    /// Takes a step in one transaction: the cause by compare-and-set, the instances, the tasks.
    ///
    /// A task whose id the outbox already has is left as it is.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the cause is not as expected; then nothing was changed.
    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError>;

    /// Tasks to be done at `now`, in the order in which they were asked for, at most `limit`.
    ///
    /// Commands of one instance keep their order: none is given out while an earlier one of the same
    /// instance, due by now, waits for its next attempt or is parked. Deadlines wait for nobody.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn due_tasks(&self, now: Timestamp, limit: usize) -> Result<Vec<OutboxEntry>, StoreError>;

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
    /// they wait.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError>;

    /// Forgets tasks that were done before a moment, and returns how many.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError>;
}
