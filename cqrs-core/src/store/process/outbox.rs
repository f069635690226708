//! The outbox: what process managers ask for, and what becomes of it.

use super::InstanceId;
use crate::{BoxCommand, CommandId, Metadata, Position, Timestamp};

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
    /// Given up for good, by an operator; kept until it is pruned.
    Dropped,
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
    /// When it is to be done; for what was not put off the beginning of 1970, which every clock is past.
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

/// What became of an attempt at a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxOutcome {
    /// Its command took effect.
    Done {
        /// The [`Appended::position`](crate::Appended::position) of its append.
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
    /// Its tasks that were given up, until an operator decides.
    pub parked: u64,
    /// The instances that are stuck at one of its events.
    pub stuck: u64,
    /// The highest position of its commands that are done and not yet pruned; zero without any.
    pub last: Position,
}

/// What an operator decides about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskDecision {
    /// It is tried again now, and has as many attempts as a new one.
    Retry,
    /// It is given up for good. What was asked for after it goes on.
    Drop,
}

/// Which tasks of the outbox are wanted, a page at a time, in the order in which they were asked for.
///
/// ```
/// use cqrs_core::{OutboxState, TaskQuery};
///
/// let parked = TaskQuery::all(100).of("send-coins").standing(OutboxState::Parked);
/// # assert_eq!(parked.limit, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuery {
    /// The process manager that asked, if it matters.
    pub process: Option<String>,
    /// The instance that asked, if it matters.
    pub instance: Option<InstanceId>,
    /// Where they stand, if it matters.
    pub state: Option<OutboxState>,
    /// The [`TaskPage::next`] of the page before.
    pub after: Option<u64>,
    /// The most of them.
    pub limit: usize,
}

/// A page of the outbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// The tasks, in the order in which they were asked for.
    pub tasks: Vec<OutboxEntry>,
    /// Where the next page begins, unless this is the last one. The number means something to the store alone, and
    /// holds also when tasks are pruned meanwhile.
    pub next: Option<u64>,
}

impl TaskQuery {
    /// A page of all tasks.
    pub fn all(limit: usize) -> Self {
        Self { process: None, instance: None, state: None, after: None, limit }
    }

    /// Only what this process manager asked for.
    #[must_use]
    pub fn of(mut self, process: impl Into<String>) -> Self {
        self.process = Some(process.into());
        self
    }

    /// Only what instances of this id asked for.
    #[must_use]
    pub fn of_instance(mut self, instance: InstanceId) -> Self {
        self.instance = Some(instance);
        self
    }

    /// Only those that stand so.
    #[must_use]
    pub fn standing(mut self, state: OutboxState) -> Self {
        self.state = Some(state);
        self
    }

    /// Only those after the page that said so.
    #[must_use]
    pub fn after(mut self, next: u64) -> Self {
        self.after = Some(next);
        self
    }

    /// Whether a task is wanted, wherever it stands in the order.
    pub fn matches(&self, entry: &OutboxEntry) -> bool {
        self.process.as_ref().is_none_or(|process| *process == entry.process)
            && self.instance.as_ref().is_none_or(|instance| *instance == entry.instance)
            && self.state.is_none_or(|state| state == entry.state)
    }
}
