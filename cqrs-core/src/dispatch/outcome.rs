//! What a committed command came to.

use crate::{CommandId, Position, Version};

/// A command that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatched {
    /// The command.
    pub command_id: CommandId,
    /// The version of its stream afterwards.
    pub version: Version,
    /// The position of its last event. A command without events has a position at or above every event
    /// that it was decided on.
    pub position: Position,
    /// How many events it emitted.
    pub events: u64,
    /// Whether the command had taken effect before: this is its first outcome, and nothing was changed
    /// this time.
    pub duplicate: bool,
    /// What came of the wait that the caller asked for.
    pub consistency: Consistency,
}

/// What came of waiting for subscribers. It is no error when they are not there yet: the command did commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// The caller did not ask.
    NotAwaited,
    /// What was waited for is there.
    Reached,
    /// The caller's time ran out first.
    TimedOut,
    /// A subscriber that was waited for is not running.
    Stopped,
    /// A command or a deadline of the causal chain is parked: the chain does not go on until an operator decides. See
    /// [`ProcessHandle`](crate::ProcessHandle).
    Parked,
    /// An instance of a process manager is stuck at an event of the causal chain, and does not go on until it is
    /// retried. See [`ProcessHandle::retry_instance`](crate::ProcessHandle::retry_instance).
    Stuck,
}
