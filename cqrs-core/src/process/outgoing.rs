//! What a process manager says.

use std::fmt::Display;
use std::time::Duration;

use crate::{BoxCommand, Command, InstanceId, InvalidInstanceId, OutboxTask};

/// Which instances an event concerns.
///
/// An event that starts an instance which is there already is handled like any other; one that concerns an
/// instance which has not started, or which has finished, is passed over. So a start that is seen again,
/// early or late, never begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest(pub(crate) Vec<(Concern, Result<InstanceId, InvalidInstanceId>)>);

/// How an event concerns an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    Start,
    StartStrict,
    Continue,
    ContinueStrict,
    Stop,
}

impl Interest {
    /// It concerns no instance.
    pub fn none() -> Self {
        Self::default()
    }

    /// It begins an instance.
    pub fn start(id: impl Display) -> Self {
        Self::none().and(Concern::Start, id)
    }

    /// It begins an instance that no other event has begun: one that is there already, also one that has finished,
    /// gets stuck with an error for an operator to see. The same event seen again is no other event.
    pub fn start_strict(id: impl Display) -> Self {
        Self::none().and(Concern::StartStrict, id)
    }

    /// It concerns an instance that has begun.
    pub fn continue_(id: impl Display) -> Self {
        Self::none().and(Concern::Continue, id)
    }

    /// It concerns an instance that must have begun: one that has not is stuck from there on, with an error for an
    /// operator to see. One that has finished passes it over.
    pub fn continue_strict(id: impl Display) -> Self {
        Self::none().and(Concern::ContinueStrict, id)
    }

    /// It is the last that an instance handles.
    pub fn stop(id: impl Display) -> Self {
        Self::none().and(Concern::Stop, id)
    }

    /// Both this and another interest, for an event that concerns several instances.
    #[must_use]
    pub fn and_also(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn and(mut self, concern: Concern, id: impl Display) -> Self {
        self.0.push((concern, InstanceId::new(id)));
        self
    }
}

/// What a process manager asks for: a command, or to be woken.
#[derive(Debug)]
pub struct Outgoing {
    pub(crate) task: Result<OutboxTask, serde_json::Error>,
    pub(crate) after: Duration,
}

impl Outgoing {
    /// Dispatch a command.
    pub fn command<C: Command>(command: C) -> Self {
        Self { task: BoxCommand::of(&command).map(OutboxTask::Command), after: Duration::ZERO }
    }

    /// Call [`ProcessManager::deadline`](super::ProcessManager::deadline) with this name, some time after
    /// the event was recorded.
    pub fn deadline(name: impl Into<String>, after: Duration) -> Self {
        Self { task: Ok(OutboxTask::Deadline(name.into())), after }
    }

    /// Not at once, but some time after the event was recorded. It survives restarts.
    #[must_use]
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

/// A command that was refused by a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The command.
    pub command: BoxCommand,
    /// What the rejection says.
    pub rejection: String,
    /// How often it was tried before.
    pub attempts: u32,
}

/// What to do about a refused command.
#[derive(Debug)]
pub enum Recovery {
    /// Try it again after a pause.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// Let it be, and ask for these instead: they undo what was done, or go another way.
    Compensate(Vec<Outgoing>),
    /// Let it be.
    Skip,
    /// Put it aside until an operator decides. Later commands of the instance wait.
    Park,
}
