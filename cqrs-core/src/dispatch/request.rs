//! A dispatch in the making: what the caller asks for, awaited.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::job::Rejected;
use super::{DispatchError, Dispatched, Dispatcher, Envelope};
use crate::app::{App, Wait};
use crate::{
    BoxCommand, CausationId, Command, CommandId, CorrelationId, Metadata, Rejection, Router, Version,
};

/// What can be dispatched: any [`Command`], and a [`BoxCommand`] by its name. Not to be implemented elsewhere.
pub trait Dispatchable: private::Sealed + Send + Sized {
    /// Why it may be refused.
    type Rejection: Send;

    #[doc(hidden)]
    fn send(
        self,
        way: private::Way<'_>,
    ) -> impl Future<Output = Result<Dispatched, DispatchError<Self::Rejection>>> + Send;
}

pub(crate) mod private {
    use super::{Dispatcher, Envelope, Router};

    pub trait Sealed {}

    /// How a command gets where it is decided.
    #[allow(missing_debug_implementations, reason = "cannot be named outside this crate")]
    pub struct Way<'a> {
        pub(crate) dispatcher: &'a Dispatcher,
        pub(crate) router: &'a Router,
        pub(crate) envelope: Envelope,
        pub(crate) wait: bool,
    }
}

impl<C: Command> private::Sealed for C {}
impl private::Sealed for BoxCommand {}

impl<C: Command> Dispatchable for C {
    type Rejection = Rejected<C>;

    async fn send(self, way: private::Way<'_>) -> Result<Dispatched, DispatchError<Rejected<C>>> {
        way.dispatcher.dispatch(self, way.envelope, None, way.wait).await
    }
}

impl Dispatchable for BoxCommand {
    type Rejection = Rejection;

    async fn send(self, way: private::Way<'_>) -> Result<Dispatched, DispatchError<Rejection>> {
        way.router.dispatch(way.dispatcher, &self, way.envelope, way.wait).await
    }
}

/// A command about to be dispatched: say what is wanted, then await it.
///
/// Once it was first polled the command is on its way: dropping the future stops the waiting, not the
/// command.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// let id = CommandId::new("019a2b6e-52d8-7f3a-9c55-0c1f6a7d8e90".parse()?);
/// let done = app
///     .dispatch(deposit("me", 5))
///     .command_id(id) // may be sent again
///     .metadata("user", "zoë") // is stored with the events
///     .timeout(Duration::from_secs(60))
///     .strong() // returns when the projections have it
///     .await?;
/// assert_eq!((done.version, done.duplicate), (Version::new(1), false));
/// assert_eq!(done.consistency, Consistency::Reached);
///
/// let again = app.dispatch(deposit("me", 5)).command_id(id).await?;
/// assert!(again.duplicate);
///
/// let (_, events) = app.dispatch(deposit("me", 1)).events().await?;
/// assert_eq!(events[0].data, AccountEvent::Deposited { account: "me".to_owned(), amount: 1 });
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is dispatched until this is awaited"]
#[derive(Debug)]
pub struct Dispatch<'a, T> {
    app: &'a App,
    command: T,
    command_id: Option<CommandId>,
    expected: Option<Version>,
    metadata: Metadata,
    timeout: Option<Duration>,
    queue: bool,
    wait: Wait,
}

impl<'a, T: Dispatchable> Dispatch<'a, T> {
    pub(crate) fn new(app: &'a App, command: T, queue: bool) -> Self {
        Self {
            app,
            command,
            command_id: None,
            expected: None,
            metadata: Metadata::default(),
            timeout: None,
            queue,
            wait: Wait::Nothing,
        }
    }

    /// Gives the command an id of the caller's own, which makes a retry safe: the store keeps a receipt in
    /// the command's commit, and the same id again answers with the first outcome, for ever.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.command_id = Some(id);
        self
    }

    /// Lets the command be decided only on this version of its stream; otherwise it fails with
    /// [`DispatchError::Conflict`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let app = App::builder(MemoryStore::new()).start().await?;
    /// let seen = app.dispatch(deposit("me", 5)).await?.version;
    /// // Meanwhile somebody else takes something out, and what was seen is not so any more.
    /// app.dispatch(withdraw("me", 1)).await?;
    /// let late = app.dispatch(withdraw("me", 5)).expected_version(seen).await;
    /// assert!(matches!(late, Err(DispatchError::Conflict { actual, .. }) if actual == Version::new(2)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn expected_version(mut self, version: Version) -> Self {
        self.expected = Some(version);
        self
    }

    /// Puts the command into a causal chain. Without it the command begins a chain named after itself.
    pub fn correlation_id(mut self, id: CorrelationId) -> Self {
        self.metadata.correlation_id = Some(id);
        self
    }

    /// Names what caused the command.
    pub fn causation_id(mut self, id: CausationId) -> Self {
        self.metadata.causation_id = Some(id);
        self
    }

    /// Adds a value that is stored with each of the command's events.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.extra.insert(key.into(), value.into());
        self
    }

    /// Bounds the wait. Before the commit is known it ends with [`DispatchError::TimedOut`], after it with
    /// [`Consistency::TimedOut`](super::Consistency::TimedOut). The command itself goes on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits until all projections have the command's events in their read models.
    pub fn strong(mut self) -> Self {
        self.wait = Wait::Projections;
        self
    }

    /// Waits until the named subscribers have worked on the command's events.
    pub fn wait_for<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.wait = Wait::Named(names.into_iter().map(Into::into).collect());
        self
    }

    /// Waits until the whole causal chain has come to rest: process managers have seen the command's
    /// events, what they asked for is done, and so on; and all projections have what came of it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # #[derive(Default, Serialize, Deserialize)] struct Gift {}
    /// # impl ProcessManager for Gift {
    /// #     const NAME: &'static str = "gift";
    /// #     type Event = AccountEvent;
    /// #     fn interested(event: &AccountEvent) -> Interest {
    /// #         match event {
    /// #             AccountEvent::Withdrawn { account, .. } => Interest::start(account),
    /// #             AccountEvent::Deposited { .. } => Interest::none(),
    /// #         }
    /// #     }
    /// #     fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> {
    /// #         match &event.data {
    /// #             AccountEvent::Withdrawn { amount, .. } => vec![Outgoing::command(deposit("you", *amount))],
    /// #             AccountEvent::Deposited { .. } => Vec::new(),
    /// #         }
    /// #     }
    /// # }
    /// # let balances = InMemory::default();
    /// # let app = App::builder(MemoryStore::new())
    /// #     .router(Router::new().route::<Deposit>())
    /// #     .projection(Balances, balances.clone())
    /// #     .process_manager::<Gift>()
    /// #     .start()
    /// #     .await?;
    /// # app.dispatch(deposit("me", 5)).await?;
    /// // `Gift` answers a withdrawal with a deposit to somebody else, and that is there, too.
    /// app.dispatch(withdraw("me", 3)).settled().await?;
    /// assert_eq!(balances.read(|balances| balances["you"]).await, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn settled(mut self) -> Self {
        self.wait = Wait::Settled;
        self
    }

    async fn run(self) -> Result<Dispatched, DispatchError<T::Rejection>> {
        self.run_by(T::send).await
    }

    pub(super) fn app(&self) -> &'a App {
        self.app
    }

    pub(super) fn command(&self) -> &T {
        &self.command
    }

    /// Has the command sent by a way of the caller's, and waits for what was asked for.
    pub(super) async fn run_by<'w, S, F>(self, send: S) -> Result<Dispatched, DispatchError<T::Rejection>>
    where
        'a: 'w,
        S: FnOnce(T, private::Way<'w>) -> F,
        F: Future<Output = Result<Dispatched, DispatchError<T::Rejection>>>,
    {
        // A moment that no clock comes to is none.
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let core = self.app.dispatcher().core();
        let command_id = self.command_id.unwrap_or_else(|| CommandId::new(core.ids.next_id()));
        let own_chain = CorrelationId::from(command_id);
        let correlation = self.metadata.correlation_id.unwrap_or(own_chain);
        let envelope = Envelope {
            command_id,
            receipt: self.command_id.is_some(),
            expected: self.expected,
            metadata: self.metadata,
        };
        let way = private::Way {
            dispatcher: self.app.dispatcher(),
            router: self.app.router(),
            envelope,
            wait: self.queue,
        };
        let sent = send(self.command, way);
        let mut dispatched = match deadline {
            None => sent.await?,
            Some(deadline) => {
                timeout_at(deadline, sent).await.map_err(|_| DispatchError::TimedOut { command_id })??
            }
        };
        let waited = self.app.wait(&self.wait, correlation, dispatched.position);
        dispatched.consistency = match deadline {
            None => waited.await,
            Some(deadline) => timeout_at(deadline, waited).await.unwrap_or(super::Consistency::TimedOut),
        };
        Ok(dispatched)
    }
}

impl<'a, T: Dispatchable + 'a> IntoFuture for Dispatch<'a, T> {
    type Output = Result<Dispatched, DispatchError<T::Rejection>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
