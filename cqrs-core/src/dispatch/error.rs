//! Why a dispatch did not end with a committed command.

use std::sync::Arc;

use super::Dispatched;
use crate::{BoxError, CommandId, ExpectedVersion, StoreError, StreamId, Version};

/// Why a command did not take effect, or why nobody knows. `E` is the rejection of its [`Handle`](crate::Handle).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).start().await?;
/// match app.dispatch(withdraw("me", 3)).await {
///     Ok(_) => unreachable!("there is nothing"),
///     // A rule has spoken; the type is the command's own.
///     Err(DispatchError::Rejected(NotEnough { balance })) => assert_eq!(balance, 0),
///     // Nobody knows: send it again, with the same id.
///     Err(DispatchError::TimedOut { .. } | DispatchError::OutcomeUnknown { .. }) => {}
///     Err(other) => return Err(other.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError<E> {
    /// A rule of the domain refused the command. Nothing was changed.
    #[error(transparent)]
    Rejected(E),
    /// The stream was not at the version that the caller expected, or other processes kept on writing it
    /// for as many attempts as the options allow. Nothing was changed.
    #[error("conflict: stream {stream} was expected at {expected}, found at version {actual}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What was expected.
        expected: ExpectedVersion,
        /// What was found.
        actual: Version,
    },
    /// As many commands as the options allow are under way. Nothing was changed.
    #[error("overloaded: {limit} commands are under way already")]
    Overloaded {
        /// How many.
        limit: u32,
    },
    /// The caller's time ran out. The command may take effect yet; dispatching it again with the same id
    /// is safe and tells, if that id was the caller's own.
    #[error("timed out; command {command_id} may take effect yet")]
    TimedOut {
        /// The command.
        command_id: CommandId,
    },
    /// The store failed while it committed. Dispatching the command again with the same id is safe and
    /// tells, if that id was the caller's own.
    #[error("the outcome of command {command_id} is unknown")]
    OutcomeUnknown {
        /// The command.
        command_id: CommandId,
        /// What the store says.
        source: Arc<StoreError>,
    },
    /// The store failed. Nothing was changed.
    #[error("the store failed")]
    Store(#[source] Arc<StoreError>),
    /// The command's handler, or the aggregate's `apply`, panicked. Nothing was changed.
    #[error("deciding the command panicked: {message}")]
    Panicked {
        /// What the panic says.
        message: String,
    },
    /// The command cannot be dispatched, whatever the state: its aggregate's id is no stream key, or what
    /// it emits breaks a limit or cannot be written as JSON. Nothing was changed.
    #[error("the command is not valid")]
    Invalid(#[source] BoxError),
    /// Middleware does not let the command pass. Nothing was changed.
    #[error("denied")]
    Denied(#[source] BoxError),
    /// The command took effect, and what the caller wants returned cannot be read.
    #[error("the command took effect, and what it was to return cannot be read")]
    NotReturned {
        /// What the command came to.
        dispatched: Dispatched,
        /// What the store says.
        source: Arc<StoreError>,
    },
    /// No aggregate is routed for a command of this name.
    #[error("no route for a command named {name:?}; routed are: {routed}")]
    UnknownCommand {
        /// The name.
        name: String,
        /// The names that the router has.
        routed: String,
    },
    /// A command's JSON is not what its type says.
    #[error("the data of command {name:?} cannot be read")]
    Malformed {
        /// The command's name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The application no longer accepts commands. Nothing was changed.
    #[error("the application is shutting down")]
    ShuttingDown,
}

/// The kinds of [`DispatchError`], for those who count them. Displayed in snake case.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # let app = App::builder(MemoryStore::new()).start().await?;
/// let refused = app.dispatch(withdraw("me", 3)).await.unwrap_err();
/// assert_eq!(refused.kind(), FailureKind::Rejected);
/// assert_eq!(refused.kind().to_string(), "rejected");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// [`DispatchError::Rejected`].
    Rejected,
    /// [`DispatchError::Conflict`].
    Conflict,
    /// [`DispatchError::Overloaded`].
    Overloaded,
    /// [`DispatchError::TimedOut`].
    TimedOut,
    /// [`DispatchError::OutcomeUnknown`].
    OutcomeUnknown,
    /// [`DispatchError::Store`].
    Store,
    /// [`DispatchError::Panicked`].
    Panicked,
    /// [`DispatchError::Invalid`].
    Invalid,
    /// [`DispatchError::Denied`].
    Denied,
    /// [`DispatchError::NotReturned`].
    NotReturned,
    /// [`DispatchError::UnknownCommand`].
    UnknownCommand,
    /// [`DispatchError::Malformed`].
    Malformed,
    /// [`DispatchError::ShuttingDown`].
    ShuttingDown,
}

impl FailureKind {
    /// Its name in snake case, such as `outcome_unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Overloaded => "overloaded",
            Self::TimedOut => "timed_out",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Store => "store",
            Self::Panicked => "panicked",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::NotReturned => "not_returned",
            Self::UnknownCommand => "unknown_command",
            Self::Malformed => "malformed",
            Self::ShuttingDown => "shutting_down",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rejection whose type is not known, from a command that was dispatched by name.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).router(Router::new().route::<Withdraw>()).start().await?;
/// let by_name = BoxCommand::of(&withdraw("me", 3))?;
/// let refused = app.dispatch(by_name).await.unwrap_err();
/// let Some(Rejection(why)) = refused.rejection() else { return Err(refused.into()) };
/// assert_eq!(why.to_string(), "the account has 0");
/// assert_eq!(why.downcast_ref(), Some(&NotEnough { balance: 0 }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Rejection(pub BoxError);

impl<E> DispatchError<E> {
    /// Changes the type of the rejection.
    pub fn map_rejection<F>(self, map: impl FnOnce(E) -> F) -> DispatchError<F> {
        match self {
            Self::Rejected(rejection) => DispatchError::Rejected(map(rejection)),
            Self::Conflict { stream, expected, actual } => {
                DispatchError::Conflict { stream, expected, actual }
            }
            Self::Overloaded { limit } => DispatchError::Overloaded { limit },
            Self::TimedOut { command_id } => DispatchError::TimedOut { command_id },
            Self::OutcomeUnknown { command_id, source } => {
                DispatchError::OutcomeUnknown { command_id, source }
            }
            Self::Store(source) => DispatchError::Store(source),
            Self::Panicked { message } => DispatchError::Panicked { message },
            Self::Invalid(source) => DispatchError::Invalid(source),
            Self::Denied(source) => DispatchError::Denied(source),
            Self::NotReturned { dispatched, source } => DispatchError::NotReturned { dispatched, source },
            Self::UnknownCommand { name, routed } => DispatchError::UnknownCommand { name, routed },
            Self::Malformed { name, source } => DispatchError::Malformed { name, source },
            Self::ShuttingDown => DispatchError::ShuttingDown,
        }
    }

    /// Which kind of error it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Rejected(_) => FailureKind::Rejected,
            Self::Conflict { .. } => FailureKind::Conflict,
            Self::Overloaded { .. } => FailureKind::Overloaded,
            Self::TimedOut { .. } => FailureKind::TimedOut,
            Self::OutcomeUnknown { .. } => FailureKind::OutcomeUnknown,
            Self::Store(_) => FailureKind::Store,
            Self::Panicked { .. } => FailureKind::Panicked,
            Self::Invalid(_) => FailureKind::Invalid,
            Self::Denied(_) => FailureKind::Denied,
            Self::NotReturned { .. } => FailureKind::NotReturned,
            Self::UnknownCommand { .. } => FailureKind::UnknownCommand,
            Self::Malformed { .. } => FailureKind::Malformed,
            Self::ShuttingDown => FailureKind::ShuttingDown,
        }
    }

    /// The domain's rejection, when that is what it is.
    pub fn rejection(&self) -> Option<&E> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }
}
