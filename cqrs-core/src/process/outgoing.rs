//! What a process manager says.

use std::fmt::Display;
use std::time::Duration;

use crate::{BoxCommand, Command, InstanceId, InvalidInstanceId, OutboxTask};

/// Which instances an event concerns.
///
/// An event that starts an instance which is there already is handled like any other; one that concerns an
/// instance which has not started, or which has finished, is passed over. So a start that is seen again,
/// early or late, never begins anew.
///
/// ```
/// use cqrs_core::Interest;
///
/// // A transfer that begins, and whose sender is watched as well.
/// let interest = Interest::start("transfer 7").and_also(Interest::continue_("sender me"));
/// assert_ne!(interest, Interest::none());
/// ```
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

/// What a process manager asks for: a command, or to be woken, or not to be.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// fn ask(account: &str) -> Vec<Outgoing> {
///     let hour = Duration::from_secs(3_600);
///     vec![
///         Outgoing::command(deposit(account, 1)),             // at once
///         Outgoing::command(deposit(account, 1)).after(hour), // later, also after a restart
///         Outgoing::deadline("too late", 24 * hour),          // calls `deadline("too late")`
///     ]
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Outgoing {
    pub(crate) wish: Result<Wish, serde_json::Error>,
    pub(crate) after: Duration,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Wish {
    Task(OutboxTask),
    /// That there be no deadline of this name.
    NoDeadline(String),
}

impl Outgoing {
    /// Dispatch a command.
    pub fn command<C: Command>(command: C) -> Self {
        let wish = BoxCommand::of(&command).map(|command| Wish::Task(OutboxTask::Command(command)));
        Self { wish, after: Duration::ZERO }
    }

    /// Call [`ProcessManager::deadline`](super::ProcessManager::deadline) with this name, some time after the event was
    /// recorded; where a deadline or a refusal is answered, some time after that.
    ///
    /// An instance has one deadline of a name at a time: this one takes the place of one that it asked for before and
    /// that was not answered yet, whether that is due later or sooner. The instance's deadlines of other names, and those of
    /// other instances, stay as they are.
    pub fn deadline(name: impl Into<String>, after: Duration) -> Self {
        Self { wish: Ok(Wish::Task(OutboxTask::Deadline(name.into()))), after }
    }

    /// Do not call [`ProcessManager::deadline`](super::ProcessManager::deadline) with this name any more, unless it is
    /// asked for again. Nothing happens where the instance has no deadline of this name.
    pub fn cancel_deadline(name: impl Into<String>) -> Self {
        Self { wish: Ok(Wish::NoDeadline(name.into())), after: Duration::ZERO }
    }

    /// Not at once, but some time after the event was recorded. It survives restarts. What is cancelled is so at once.
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
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[derive(Default, Serialize, Deserialize)] struct Payment {}
/// # impl ProcessManager for Payment {
/// #     const NAME: &'static str = "payment";
/// #     type Event = AccountEvent;
/// #     fn interested(_: &AccountEvent) -> Interest { Interest::none() }
/// #     fn handle(&self, _: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> { Vec::new() }
/// fn failed(&self, failure: &Failure) -> Recovery {
///     match &*failure.command.name {
///         // Perhaps there is money tomorrow.
///         Withdraw::NAME if failure.attempts < 3 => Recovery::Retry { after: Duration::from_secs(86_400) },
///         Withdraw::NAME => Recovery::Compensate(vec![Outgoing::command(deposit("debts", 1))]),
///         _ => Recovery::Park,
///     }
/// }
/// # }
/// # fn main() {}
/// ```
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
