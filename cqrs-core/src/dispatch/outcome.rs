//! What a committed command came to.

use crate::{CommandId, Position, Version};

/// A command that took effect.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// app.dispatch(deposit("you", 1)).await?;
/// let done = app.dispatch(deposit("me", 5)).strong().await?;
/// // The first event of its stream, the second one of the log.
/// assert_eq!((done.version, done.position, done.events), (Version::new(1), Position::new(2), 1));
/// assert_eq!((done.duplicate, done.consistency), (false, Consistency::Reached));
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// let done = app.dispatch(deposit("me", 5)).strong().timeout(Duration::from_secs(5)).await?;
/// match done.consistency {
///     Consistency::Reached => {} // the answer of a query has it
///     Consistency::TimedOut | Consistency::Stopped => {} // it took effect, and queries are behind
///     other => unreachable!("{other:?} was not asked for"),
/// }
/// # Ok(())
/// # }
/// ```
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
