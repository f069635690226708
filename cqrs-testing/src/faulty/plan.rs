//! What is to go wrong, and how often.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The call fails with [`StoreError::Backend`](cqrs_core::StoreError::Backend), and nothing was changed.
    Fail,
    /// The call takes effect and its answer is lost: a write fails with
    /// [`StoreError::OutcomeUnknown`](cqrs_core::StoreError::OutcomeUnknown), a read with `Backend`.
    LoseAnswer,
    /// The call panics, and nothing was changed.
    Panic,
    /// The process dies before the call takes effect.
    CrashBefore,
    /// The process dies after the call took effect.
    CrashAfter,
}

macro_rules! operations {
    ($($(#[$meta:meta])* $variant:ident: $kind:ident $name:literal $action:literal,)*) => {
        /// A call that can go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$meta])* $variant,)*
        }

        impl Operation {
            /// The words for it in an error.
            pub(super) fn action(self) -> &'static str {
                match self {
                    $(Self::$variant => $action,)*
                }
            }

            /// Whether it changes anything.
            pub(super) fn writes(self) -> bool {
                match self {
                    $(Self::$variant => operations!(@$kind),)*
                }
            }
        }

        /// The method's name.
        impl fmt::Display for Operation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $name,)*
                })
            }
        }
    };
    (@writes) => { true };
    (@reads) => { false };
}

operations! {
    /// [`EventStore::append`](cqrs_core::EventStore::append).
    Append: writes "append" "append",
    /// [`EventStore::receipts`](cqrs_core::EventStore::receipts).
    Receipts: reads "receipts" "read receipts",
    /// [`EventStore::read_stream`](cqrs_core::EventStore::read_stream).
    ReadStream: reads "read_stream" "read a stream",
    /// [`EventStore::read_log`](cqrs_core::EventStore::read_log).
    ReadLog: reads "read_log" "read the log",
    /// [`EventStore::head`](cqrs_core::EventStore::head).
    Head: reads "head" "read the head",
    /// [`EventStore::wait_beyond`](cqrs_core::EventStore::wait_beyond).
    WaitBeyond: reads "wait_beyond" "wait for events",
    /// [`SnapshotStore::snapshot`](cqrs_core::SnapshotStore::snapshot).
    Snapshot: reads "snapshot" "read a snapshot",
    /// [`SnapshotStore::save_snapshot`](cqrs_core::SnapshotStore::save_snapshot).
    SaveSnapshot: writes "save_snapshot" "save a snapshot",
    /// [`ProcessStore::checkpoint`](cqrs_core::ProcessStore::checkpoint).
    Checkpoint: reads "checkpoint" "read a checkpoint",
    /// [`ProcessStore::instances`](cqrs_core::ProcessStore::instances).
    Instances: reads "instances" "read instances",
    /// [`ProcessStore::commit_step`](cqrs_core::ProcessStore::commit_step).
    CommitStep: writes "commit_step" "commit a step",
    /// [`ProcessStore::due_tasks`](cqrs_core::ProcessStore::due_tasks).
    DueTasks: reads "due_tasks" "read due tasks",
    /// [`ProcessStore::next_due`](cqrs_core::ProcessStore::next_due).
    NextDue: reads "next_due" "read the next due time",
    /// [`ProcessStore::settle_tasks`](cqrs_core::ProcessStore::settle_tasks).
    SettleTasks: writes "settle_tasks" "settle tasks",
    /// [`ProcessStore::chain`](cqrs_core::ProcessStore::chain).
    Chain: reads "chain" "read a causal chain",
    /// [`ProcessStore::prune_tasks`](cqrs_core::ProcessStore::prune_tasks).
    PruneTasks: writes "prune_tasks" "prune tasks",
    /// [`HandlerStore::handler_checkpoint`](cqrs_core::HandlerStore::handler_checkpoint).
    HandlerCheckpoint: reads "handler_checkpoint" "read a handler's checkpoint",
    /// [`HandlerStore::commit_handler`](cqrs_core::HandlerStore::commit_handler).
    CommitHandler: writes "commit_handler" "commit a handler's step",
    /// [`HandlerStore::parked_events`](cqrs_core::HandlerStore::parked_events).
    ParkedEvents: reads "parked_events" "read parked events",
    /// [`HandlerStore::mark_parked`](cqrs_core::HandlerStore::mark_parked).
    MarkParked: writes "mark_parked" "mark parked events",
    /// [`ProcessStore::list_instances`](cqrs_core::ProcessStore::list_instances).
    ListInstances: reads "list_instances" "list instances",
    /// [`ProcessStore::list_tasks`](cqrs_core::ProcessStore::list_tasks).
    ListTasks: reads "list_tasks" "list tasks",
    /// [`ProcessStore::task`](cqrs_core::ProcessStore::task).
    Task: reads "task" "read a task",
    /// [`ProcessStore::decide_task`](cqrs_core::ProcessStore::decide_task).
    DecideTask: writes "decide_task" "decide a task",
    /// [`ReadModel::begin`](cqrs_core::ReadModel::begin).
    ReadModelBegin: reads "read_model.begin" "begin a transaction of a read model",
    /// [`ReadModel::checkpoint`](cqrs_core::ReadModel::checkpoint).
    ReadModelCheckpoint: reads "read_model.checkpoint" "read a checkpoint of a read model",
    /// [`ReadModel::commit`](cqrs_core::ReadModel::commit).
    ReadModelCommit: writes "read_model.commit" "commit to a read model",
    /// [`ReadModel::shadow`](cqrs_core::ReadModel::shadow).
    ReadModelShadow: reads "read_model.shadow" "make a shadow of a read model",
    /// [`ReadModel::replace`](cqrs_core::ReadModel::replace).
    ReadModelReplace: writes "read_model.replace" "replace a read model",
    /// [`LeaseStore::lease_holders`](cqrs_core::LeaseStore::lease_holders).
    LeaseHolders: reads "lease_holders" "read who holds leases",
    /// [`LeaseStore::acquire_lease`](cqrs_core::LeaseStore::acquire_lease).
    AcquireLease: writes "acquire_lease" "acquire a lease",
    /// [`LeaseStore::release_lease`](cqrs_core::LeaseStore::release_lease).
    ReleaseLease: writes "release_lease" "release a lease",
}

/// How often calls go wrong: each rate is a probability from 0 to 1. Start from [`FaultRates::default`], which is
/// never, and change what must be changed.
///
/// Of `fail`, `lose_answer`, `panic` and `crash` a call has one at most, so their sum should not exceed 1.
///
/// ```
/// use std::time::Duration;
///
/// use cqrs_testing::{FaultRates, Faults};
///
/// let mut rates = FaultRates::default();
/// rates.delay = 0.5;
/// rates.longest_delay = Duration::from_millis(200);
/// let slow = Faults::seeded(1).rates(rates);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FaultRates {
    /// How often a call has the fault [`Fault::Fail`].
    pub fail: f64,
    /// How often a call has the fault [`Fault::LoseAnswer`].
    pub lose_answer: f64,
    /// How often a call has the fault [`Fault::Panic`].
    pub panic: f64,
    /// How often a call has the fault [`Fault::CrashBefore`] or [`Fault::CrashAfter`], evenly.
    pub crash: f64,
    /// How often a call is held up by `tokio::time::sleep`, evenly before and after it takes effect.
    pub delay: f64,
    /// The longest delay.
    pub longest_delay: Duration,
    /// How often a call lets others pass by yielding to the runtime up to eight times, evenly before and after it
    /// takes effect.
    pub reorder: f64,
}

/// A plan of what is to go wrong. The default is that nothing does.
///
/// Whether a call goes wrong follows from the seed, the operation, and how many calls of that operation there
/// were before: the same calls in the same order have the same faults, and calls of other operations in between
/// make no difference.
///
/// ```
/// use cqrs_testing::{Fault, FaultRates, Faults, Operation};
///
/// let mut rates = FaultRates::default();
/// rates.fail = 0.1;
/// let faults = Faults::seeded(7)
///     .rates_of(Operation::Append, rates)
///     .script(Operation::Append, 3, Fault::LoseAnswer);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    seed: u64,
    rates: FaultRates,
    rates_of: BTreeMap<Operation, FaultRates>,
    script: BTreeMap<(Operation, u64), Fault>,
}

impl Faults {
    /// Nothing goes wrong, until rates or a script say so.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Everything goes wrong now and then, save that nothing panics: a call in twenty fails, another one in twenty
    /// loses its answer, one in two hundred is a crash, and many are late or out of order.
    pub fn storm(seed: u64) -> Self {
        let rates = FaultRates {
            fail: 0.05,
            lose_answer: 0.05,
            panic: 0.0,
            crash: 0.005,
            delay: 0.2,
            longest_delay: Duration::from_millis(50),
            reorder: 0.3,
        };
        Self::seeded(seed).rates(rates)
    }

    /// How often calls go wrong, of all operations that have no rates of their own.
    #[must_use]
    pub fn rates(mut self, rates: FaultRates) -> Self {
        self.rates = rates;
        self
    }

    /// How often calls of one operation go wrong.
    #[must_use]
    pub fn rates_of(mut self, operation: Operation, rates: FaultRates) -> Self {
        self.rates_of.insert(operation, rates);
        self
    }

    /// What goes wrong with a certain call of an operation, counted from 1, whatever the rates say.
    #[must_use]
    pub fn script(mut self, operation: Operation, nth: u64, fault: Fault) -> Self {
        self.script.insert((operation, nth), fault);
        self
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn scripted(&self, operation: Operation, nth: u64) -> Option<Fault> {
        self.script.get(&(operation, nth)).copied()
    }

    pub(super) fn rates_for(&self, operation: Operation) -> FaultRates {
        self.rates_of.get(&operation).copied().unwrap_or(self.rates)
    }
}
