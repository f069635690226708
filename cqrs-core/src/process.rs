//! Process managers: events in, commands out, one business transaction over many aggregates.

mod answer;
mod asked;
mod history;
mod mend;
mod outbox;
mod outgoing;
mod plan;
pub mod planning;
mod play;
mod refusal;
mod state;
mod worker;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use history::InstanceHistory;
pub use mend::Mended;
pub(crate) use mend::mend_all;
pub(crate) use outbox::Outbox;
pub use outgoing::{Failure, Interest, Outgoing, Recovery};
pub(crate) use plan::{PlanError, chain_of};
pub(crate) use worker::{ErasedProcess, ProcessWorker, begin};

use crate::{BoxError, EventSet, RecordedEvent};

/// How process managers' tasks are done. Start from [`ProcessOptions::default`] and change what must be
/// changed.
///
/// ```
/// use std::time::Duration;
///
/// use cqrs_core::ProcessOptions;
///
/// let mut options = ProcessOptions::default();
/// options.max_attempts = 5; // then the task is parked
/// options.longest_retry = Duration::from_secs(5);
/// # assert_eq!(options.max_attempts, 5);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// How often a task is tried before it is parked, when it fails for a technical reason. 20 by default.
    pub max_attempts: u32,
    /// The first pause before another attempt; it doubles each time, with jitter. 50 ms by default.
    pub first_retry: Duration,
    /// The longest pause before another attempt. One minute by default.
    pub longest_retry: Duration,
    /// How long a task that is done or dropped stays in the outbox. A caller who waits for a causal chain to settle
    /// longer than this may be told too early. One hour by default.
    pub keep_done: Duration,
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self {
            max_attempts: 20,
            first_retry: Duration::from_millis(50),
            longest_retry: Duration::from_secs(60),
            keep_done: Duration::from_secs(3_600),
        }
    }
}

/// Follows a business transaction over several aggregates, one instance for each.
///
/// An instance is state that only events change, like an aggregate's, and it answers events with commands.
/// One step, from events to states, checkpoint and commands, is one transaction of the store; the commands
/// are dispatched from there with ids that follow from what caused them. Whatever crashes, whenever, each
/// command takes effect one time.
///
/// An instance that cannot take an event gets *stuck*, and nobody else: its state cannot be read or written, a method
/// of it panics, it asks for a command without a route, a strict [`Interest`] does not hold. What it has taken before
/// holds, its later events wait in the log, and it goes on from there when it is retried: at each start of the
/// application, since new code may have mended it, and when an operator says so. Only
/// [`interested`](ProcessManager::interested) concerns no instance: while it panics, or names an instance badly, or an
/// event cannot be decoded, the whole process manager tries again and its status says so.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// Gives a bonus for a large deposit, once for each account.
/// #[derive(Default, Serialize, Deserialize)]
/// struct Bonus {}
///
/// impl ProcessManager for Bonus {
///     const NAME: &'static str = "bonus";
///     type Event = AccountEvent;
///
///     fn interested(event: &AccountEvent) -> Interest {
///         match event {
///             AccountEvent::Deposited { account, amount: 100.. } => Interest::start(account),
///             _ => Interest::none(),
///         }
///     }
///
///     fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> {
///         let account = event.stream.key().to_owned();
///         vec![Outgoing::command(Deposit { account, amount: 1 })]
///     }
/// }
///
/// let balances = InMemory::default();
/// let app = App::builder(MemoryStore::new())
///     .router(Router::new().route::<Deposit>()) // what it asks for comes back by name
///     .process_manager::<Bonus>()
///     .projection(Balances, balances.clone())
///     .start()
///     .await?;
/// app.dispatch(deposit("me", 100)).settled().await?;
/// assert_eq!(balances.read(|balances| balances["me"]).await, 101);
/// # Ok(())
/// # }
/// ```
pub trait ProcessManager: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored name of its checkpoint, instances and tasks. It must never change.
    const NAME: &'static str;

    /// The version of what its state looks like as JSON, from 1. Raise it when states of before cannot be read any
    /// more, or would be misread, and tell [`ProcessManager::migrate`] what to do with them.
    const SCHEMA_VERSION: u32 = 1;

    /// The events that it wants to see.
    type Event: EventSet;

    /// Which instances an event concerns, and whether it begins or ends them.
    fn interested(event: &Self::Event) -> Interest;

    /// Answers an event with commands and deadlines. The state does not have the event yet.
    ///
    /// It is a function of the state and the event alone: it may run again when a step is repeated.
    fn handle(&self, event: &RecordedEvent<Self::Event>) -> Vec<Outgoing>;

    /// Takes an event into the state, after [`ProcessManager::handle`].
    fn apply(&mut self, _event: &Self::Event) {}

    /// Answers the rejection of a command that it asked for. Without an answer of its own, the command is
    /// parked: nothing is lost, and the instance's later commands wait.
    fn failed(&self, _failure: &Failure) -> Recovery {
        Recovery::Park
    }

    /// Answers a deadline that it asked for with [`Outgoing::deadline`], once. It is not asked after its end.
    fn deadline(&self, _name: &str) -> Vec<Outgoing> {
        Vec::new()
    }

    /// Makes a state of an older schema version one of today's [`ProcessManager::SCHEMA_VERSION`].
    ///
    /// The instance is stored again when it takes its next event; until then this is asked each time.
    ///
    /// # Errors
    ///
    /// Any error gets the instance stuck. Without an implementation of its own, every older state is one.
    fn migrate(version: u32, _state: Value) -> Result<Value, BoxError> {
        Err(format!("schema version {version} has no migration to {}", Self::SCHEMA_VERSION).into())
    }
}
