//! Why a command was not done, in the words and numbers of a command line.

use std::error::Error;
use std::io;

use clap::error::ErrorKind;
use coins::http::ServeError;
use coins::{InvalidAccountId, InvalidAmount, MineCoinError, MiningError, OpenError, SendCoinsError};
use cqrs_core::{CodecError, DispatchError, RebuildError, StoreError, describe};

/// Why a command was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A rule refused it.
    Refused { code: &'static str, message: String },
    /// It was not understood.
    Usage(clap::Error),
    /// No command was given; the help is told instead.
    NoCommand(clap::Error),
    /// It was understood, and makes no sense as things are.
    Misplaced(String),
    /// The database failed.
    Store(String),
    /// The address cannot be listened to.
    Listen(String),
    /// The service that was to be loaded does not answer.
    Service(String),
    /// It was stopped by the user before it was done; what was done is told already.
    Interrupted,
    /// What reads the output has gone.
    ClosedPipe,
    /// The output cannot be written.
    Output(String),
}

impl Failure {
    /// The stable name, for programs; none when there is nothing to tell.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Usage(_) | Self::NoCommand(_) | Self::Misplaced(_) => Some("usage"),
            Self::Store(_) => Some("store"),
            Self::Listen(_) => Some("listen"),
            Self::Service(_) => Some("service"),
            Self::Output(_) => Some("output"),
            Self::Interrupted | Self::ClosedPipe => None,
        }
    }

    /// What to tell a human.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::Refused { message, .. }
            | Self::Misplaced(message)
            | Self::Store(message)
            | Self::Service(message)
            | Self::Listen(message)
            | Self::Output(message) => message.clone(),
            Self::Usage(error) => {
                let text = error.render().to_string();
                text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
            }
            Self::NoCommand(_) => "a command is wanted, found none; `coins --help` lists them".to_owned(),
            Self::Interrupted | Self::ClosedPipe => String::new(),
        }
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            // A reader that has seen enough, as in `coins events | head -1`, is no failure.
            Self::ClosedPipe => 0,
            Self::Refused { .. } => 1,
            Self::Usage(_) | Self::NoCommand(_) | Self::Misplaced(_) => 2,
            Self::Store(_) | Self::Listen(_) | Self::Output(_) | Self::Service(_) => 3,
            // What shells say of a command that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// What clap says of arguments that it could not read.
    pub(crate) fn unread(error: clap::Error) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Self::NoCommand(error),
            _ => Self::Usage(error),
        }
    }

    fn store(error: &(dyn Error + 'static)) -> Self {
        Self::Store(describe(error))
    }

    fn dispatch<E: Error + 'static>(error: DispatchError<E>, code: impl Fn(&E) -> &'static str) -> Self {
        match error {
            DispatchError::Rejected(rejection) => {
                Self::Refused { code: code(&rejection), message: rejection.to_string() }
            }
            error => Self::store(&error),
        }
    }
}

impl From<InvalidAccountId> for Failure {
    fn from(error: InvalidAccountId) -> Self {
        Self::Refused { code: error.code(), message: error.to_string() }
    }
}

impl From<InvalidAmount> for Failure {
    fn from(error: InvalidAmount) -> Self {
        Self::Refused { code: error.code(), message: error.to_string() }
    }
}

impl From<DispatchError<MineCoinError>> for Failure {
    fn from(error: DispatchError<MineCoinError>) -> Self {
        Self::dispatch(error, MineCoinError::code)
    }
}

impl From<DispatchError<SendCoinsError>> for Failure {
    fn from(error: DispatchError<SendCoinsError>) -> Self {
        Self::dispatch(error, SendCoinsError::code)
    }
}

impl From<MiningError> for Failure {
    fn from(error: MiningError) -> Self {
        match error {
            MiningError::EndOfNonces { .. } => {
                Self::Refused { code: "end_of_nonces", message: error.to_string() }
            }
            error => Self::store(&error),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match &error {
            OpenError::Missing(_) => {
                Self::Store(format!("{error}; `coins mine` makes one, and --db names another"))
            }
            error => Self::store(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::store(&error)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Host(_) => Self::Misplaced(error.to_string()),
            error => Self::Listen(describe(&error)),
        }
    }
}

/// An event that cannot be written as JSON.
impl From<RebuildError> for Failure {
    fn from(error: RebuildError) -> Self {
        match error {
            RebuildError::Unknown(_) => Self::Misplaced(error.to_string()),
            error => Self::store(&error),
        }
    }
}

impl From<CodecError> for Failure {
    fn from(error: CodecError) -> Self {
        Self::Output(describe(&error))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(describe(&error))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Output(format!("cannot write the answer: {error}")),
        }
    }
}
