//! What stands around every dispatch.

mod logged;
mod measured;

pub use logged::LogCommands;
pub use measured::MeasureCommands;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::{DispatchError, Dispatched, Envelope, FailureKind, panic_message};
use crate::{BoxError, Command, CommandId, Json, Metadata, StreamId, Version};

/// What stands around every dispatch: of commands from callers, by type or by name, and from process managers.
///
/// [`before`](Middleware::before) runs on the caller's task, in the order in which middleware was added to the
/// application. Exactly one of [`after`](Middleware::after) and [`failed`](Middleware::failed) follows, in the
/// opposite order, once the outcome is known; also when the caller has gone away. A command whose aggregate's id is
/// no stream key, or which has no route or cannot be read, is seen by no middleware.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// Nothing happens on Sundays.
/// struct Opened(fn() -> bool);
///
/// #[async_trait]
/// impl Middleware for Opened {
///     async fn before(
///         &self,
///         command: &CommandView<'_>,
///         _metadata: &mut BTreeMap<String, serde_json::Value>,
///     ) -> Result<(), BoxError> {
///         if self.0() { Ok(()) } else { Err(format!("{} has to wait", command.name()).into()) }
///     }
/// }
///
/// let app = App::builder(MemoryStore::new()).middleware(LogCommands).middleware(Opened(|| false)).start().await?;
/// let denied = app.dispatch(deposit("me", 5)).await.unwrap_err();
/// assert!(matches!(denied, DispatchError::Denied(why) if why.to_string() == "Deposit has to wait"));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Looks at a command before it is queued. What it adds to `metadata` is stored with each of the command's
    /// events, and is passed on to the commands that process managers answer them with.
    ///
    /// # Errors
    ///
    /// Any error keeps the command from being decided: the caller is answered [`DispatchError::Denied`]. Of the
    /// other middleware, only what came before this one is told that the command failed.
    async fn before(
        &self,
        _command: &CommandView<'_>,
        _metadata: &mut BTreeMap<String, Value>,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    /// Looks at a command that took effect, before its caller is answered. It runs between commits: what takes long
    /// holds them up.
    fn after(&self, _command: &CommandView<'_>, _outcome: &Dispatched) {}

    /// Looks at a command that was refused, or that failed, before its caller is answered; otherwise like
    /// [`after`](Middleware::after).
    fn failed(&self, _command: &CommandView<'_>, _failure: &CommandFailure<'_>) {}
}

/// A command as middleware sees it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// use std::sync::{Arc, Mutex};
///
/// /// Who did what.
/// #[derive(Clone, Default)]
/// struct Audit(Arc<Mutex<Vec<String>>>);
///
/// #[async_trait]
/// impl Middleware for Audit {
///     async fn before(
///         &self,
///         command: &CommandView<'_>,
///         _metadata: &mut BTreeMap<String, serde_json::Value>,
///     ) -> Result<(), BoxError> {
///         let user = &command.metadata().extra["user"];
///         let line = format!("{user} {} {} {}", command.name(), command.stream(), command.json()?.as_str());
///         self.0.lock().map_err(|_| "a writer has panicked")?.push(line);
///         Ok(())
///     }
/// }
///
/// let audit = Audit::default();
/// let app = App::builder(MemoryStore::new()).middleware(audit.clone()).start().await?;
/// app.dispatch(deposit("me", 5)).metadata("user", "zoë").await?;
/// let lines = audit.0.lock().map_err(|_| "a writer has panicked")?;
/// assert_eq!(*lines, [r#""zoë" Deposit account-me {"account":"me","amount":5}"#]);
/// # Ok(())
/// # }
/// ```
pub struct CommandView<'a> {
    name: &'static str,
    stream: &'a StreamId,
    command_id: CommandId,
    expected: Option<Version>,
    metadata: &'a Metadata,
    elapsed: Duration,
    json: &'a dyn ToJson,
}

trait ToJson: Sync {
    fn json(&self) -> Result<Json, serde_json::Error>;
}

impl<C: Command> ToJson for C {
    fn json(&self) -> Result<Json, serde_json::Error> {
        Json::of(self)
    }
}

impl<'a> CommandView<'a> {
    fn new<C: Command>(
        command: &'a C,
        envelope: &'a Envelope,
        stream: &'a StreamId,
        elapsed: Duration,
    ) -> Self {
        Self {
            name: C::NAME,
            stream,
            command_id: envelope.command_id,
            expected: envelope.expected,
            metadata: &envelope.metadata,
            elapsed,
            json: command,
        }
    }

    /// Its [`Command::NAME`].
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The stream of its aggregate.
    pub fn stream(&self) -> &StreamId {
        self.stream
    }

    /// Its id.
    pub fn command_id(&self) -> CommandId {
        self.command_id
    }

    /// The version that the caller wants its stream to have.
    pub fn expected_version(&self) -> Option<Version> {
        self.expected
    }

    /// Its cause, its chain, and what was added by the caller and by middleware that came before.
    pub fn metadata(&self) -> &Metadata {
        self.metadata
    }

    /// How long ago it was dispatched.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Its fields. They are serialised when this is called.
    ///
    /// # Errors
    ///
    /// When the command cannot be written as JSON.
    pub fn json(&self) -> Result<Json, serde_json::Error> {
        self.json.json()
    }
}

impl fmt::Debug for CommandView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandView")
            .field("name", &self.name)
            .field("stream", &self.stream)
            .field("command_id", &self.command_id)
            .finish_non_exhaustive()
    }
}

/// Why a command did not take effect, or why nobody knows, as middleware sees it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// Tells of what is technical, and not of refusals.
/// struct Alarm;
///
/// impl Middleware for Alarm {
///     fn failed(&self, command: &CommandView<'_>, failure: &CommandFailure<'_>) {
///         if failure.kind != FailureKind::Rejected {
///             eprintln!("{} of {}: {}", command.name(), command.stream(), describe(failure.error));
///         }
///     }
/// }
///
/// let app = App::builder(MemoryStore::new()).middleware(Alarm).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct CommandFailure<'a> {
    /// Which kind of [`DispatchError`] it is.
    pub kind: FailureKind,
    /// The [`DispatchError`], with the rejection as its source if it is one.
    pub error: &'a (dyn Error + 'static),
}

/// The middleware of an application, in the order in which it was added.
pub(crate) type Stack = Arc<[Arc<dyn Middleware>]>;

/// A command that middleware has let pass, and that it wants to know the outcome of.
pub(super) struct Watch {
    stack: Stack,
    /// How many of the stack have seen it.
    passed: usize,
    stream: StreamId,
    begun: Instant,
}

impl Watch {
    /// Shows a command to all middleware, and takes what it adds into the envelope. None without middleware.
    pub(super) async fn begin<C: Command>(
        stack: &Stack,
        command: &C,
        envelope: &mut Envelope,
        stream: &StreamId,
    ) -> Result<Option<Self>, DispatchError<super::job::Rejected<C>>> {
        if stack.is_empty() {
            return Ok(None);
        }
        let mut watch =
            Self { stack: Arc::clone(stack), passed: 0, stream: stream.clone(), begun: Instant::now() };
        for middleware in stack.iter() {
            let mut additions = BTreeMap::new();
            let view = CommandView::new(command, envelope, stream, watch.begun.elapsed());
            if let Err(source) = middleware.before(&view, &mut additions).await {
                let denied = DispatchError::Denied(source);
                watch.failed(command, envelope, &denied);
                return Err(denied);
            }
            envelope.metadata.extra.append(&mut additions);
            watch.passed += 1;
        }
        Ok(Some(watch))
    }

    pub(super) fn after<C: Command>(&self, command: &C, envelope: &Envelope, outcome: &Dispatched) {
        let view = CommandView::new(command, envelope, &self.stream, self.begun.elapsed());
        self.each(|middleware| middleware.after(&view, outcome));
    }

    pub(super) fn failed<C: Command, E: Error + 'static>(
        &self,
        command: &C,
        envelope: &Envelope,
        error: &DispatchError<E>,
    ) {
        let view = CommandView::new(command, envelope, &self.stream, self.begun.elapsed());
        let failure = CommandFailure { kind: error.kind(), error };
        self.each(|middleware| middleware.failed(&view, &failure));
    }

    /// Those that have seen the command, the last one first. What panics there is told and harms nobody.
    fn each(&self, tell: impl Fn(&dyn Middleware)) {
        for middleware in self.stack[..self.passed].iter().rev() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&**middleware))) {
                tracing::error!(stream = %self.stream, message = %panic_message(&*panic), "middleware panicked");
            }
        }
    }
}
