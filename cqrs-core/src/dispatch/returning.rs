//! Dispatches that return more than what they came to.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::job::{Observer, Rejected, Reply};
use super::turn::state_at;
use super::{Dispatch, DispatchError, Dispatched, Way};
use crate::{Aggregate, App, Command, RecordedEvent, StoreError, StreamRead, Version};

/// The event type of a command's aggregate.
type EventOf<C> = <<C as Command>::Aggregate as Aggregate>::Event;

/// A command about to be dispatched, whose events are returned. See [`Dispatch::events`].
#[must_use = "nothing is dispatched until this is awaited"]
#[derive(Debug)]
pub struct ReturningEvents<'a, C>(Dispatch<'a, C>);

/// A command about to be dispatched, which returns what is seen in the state. See [`Dispatch::state`].
#[must_use = "nothing is dispatched until this is awaited"]
pub struct ReturningState<'a, C: Command, R> {
    dispatch: Dispatch<'a, C>,
    look: Look<C::Aggregate, R>,
}

type Look<A, R> = Arc<dyn Fn(&A) -> R + Send + Sync>;

impl<'a, C: Command> Dispatch<'a, C> {
    /// Returns the command's events besides, as the store has them; those of its first outcome when it is a duplicate.
    /// They are read after the commit. To be asked for last.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let app = App::builder(MemoryStore::new()).start().await?;
    /// let (done, events) = app.dispatch(deposit("me", 5)).events().await?;
    /// assert_eq!(events[0].data, AccountEvent::Deposited { account: "me".to_owned(), amount: 5 });
    /// assert_eq!(events[0].version, done.version);
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(self) -> ReturningEvents<'a, C> {
        ReturningEvents(self)
    }

    /// Returns besides what a function sees in the aggregate's state, right after the command's events. To be asked
    /// for last.
    ///
    /// The function may be called several times, before the commit; what it returns is told only once the command
    /// took effect. For a duplicate the state is made again, as it was after the first outcome, of all events before.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let app = App::builder(MemoryStore::new()).start().await?;
    /// app.dispatch(deposit("me", 5)).await?;
    /// let (_, balance) = app.dispatch(withdraw("me", 3)).state(|account| account.balance).await?;
    /// assert_eq!(balance, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn state<R: Send + 'static>(
        self,
        look: impl Fn(&C::Aggregate) -> R + Send + Sync + 'static,
    ) -> ReturningState<'a, C, R> {
        ReturningState { dispatch: self, look: Arc::new(look) }
    }
}

impl<C: Command> ReturningEvents<'_, C> {
    async fn run(self) -> Result<(Dispatched, Vec<RecordedEvent<EventOf<C>>>), DispatchError<Rejected<C>>> {
        let (app, id) = (self.0.app(), self.0.command().aggregate_id().clone());
        let dispatched = self.0.await?;
        match events::<C::Aggregate>(app, &id, &dispatched).await {
            Ok(events) => Ok((dispatched, events)),
            Err(source) => Err(DispatchError::NotReturned { dispatched, source: Arc::new(source) }),
        }
    }
}

/// Reads the events that a command came to: the last so many up to its version.
async fn events<A: Aggregate>(
    app: &App,
    id: &A::Id,
    dispatched: &Dispatched,
) -> Result<Vec<RecordedEvent<A::Event>>, StoreError> {
    let stream = A::stream(id).map_err(|error| StoreError::backend("name a stream", error))?;
    let first = Version::new(dispatched.version.as_u64().saturating_sub(dispatched.events) + 1);
    let count = usize::try_from(dispatched.events).unwrap_or(usize::MAX);
    let events = app.store().read_stream(&stream, StreamRead::forward(first, count)).await?;
    Ok(RecordedEvent::decode_all(events)?)
}

impl<C: Command, R: Send + 'static> ReturningState<'_, C, R> {
    async fn run(self) -> Result<(Dispatched, R), DispatchError<Rejected<C>>> {
        let Self { dispatch, look } = self;
        let (app, id) = (dispatch.app(), dispatch.command().aggregate_id().clone());
        let seen = Arc::new(Mutex::new(None));
        let observer: Observer<C::Aggregate> = {
            let (look, seen) = (Arc::clone(&look), Arc::clone(&seen));
            Box::new(move |state| {
                let saw = look(state);
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(saw);
            })
        };
        let dispatched = dispatch.run_by(|command, way| send(command, way, observer)).await?;
        let saw = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(saw) = saw.filter(|_| !dispatched.duplicate) {
            return Ok((dispatched, saw));
        }
        match state_at::<C::Aggregate>(&**app.store(), &id, dispatched.version).await {
            Ok(state) => Ok((dispatched, look(&state))),
            Err(source) => Err(DispatchError::NotReturned { dispatched, source: Arc::new(source) }),
        }
    }
}

async fn send<C: Command>(command: C, way: Way<'_>, observer: Observer<C::Aggregate>) -> Reply<C> {
    way.dispatcher.dispatch(command, way.envelope, Some(observer), way.wait).await
}

impl<'a, C: Command> IntoFuture for ReturningEvents<'a, C> {
    type Output = Result<(Dispatched, Vec<RecordedEvent<EventOf<C>>>), DispatchError<Rejected<C>>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<'a, C: Command, R: Send + 'static> IntoFuture for ReturningState<'a, C, R> {
    type Output = Result<(Dispatched, R), DispatchError<Rejected<C>>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<C: Command + fmt::Debug, R> fmt::Debug for ReturningState<'_, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReturningState").field(&self.dispatch).finish()
    }
}
