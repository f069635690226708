//! Looking at subscribers, and at the log itself.

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::watch;

use super::App;
use crate::subscribe::follow;
use crate::{EventFilter, EventSet, RecordedEvent, StartFrom, StoreError, SubscriberStatus};

/// How subscribers are doing, and the log as a stream.
impl App {
    /// How each subscriber is doing.
    pub fn status(&self) -> Vec<SubscriberStatus> {
        self.0.subscribers.iter().map(|status| status.borrow().clone()).collect()
    }

    /// How one subscriber is doing, as it changes; `None` when there is no subscriber of this name.
    pub fn watch_status(&self, name: &str) -> Option<watch::Receiver<SubscriberStatus>> {
        self.0.subscribers.iter().find(|status| status.borrow().name == name).cloned()
    }

    /// How each subscriber is doing, and then whatever changes. Who takes his time is told the newest, not
    /// everything in between. It ends when all subscribers have.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// use futures::StreamExt;
    ///
    /// let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
    /// let mut changes = app.watch();
    /// let first = changes.next().await.ok_or("there is a subscriber")?;
    /// assert_eq!((first.name, first.kind), ("balances", SubscriberKind::Projection));
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch(&self) -> impl Stream<Item = SubscriberStatus> + Send + Unpin + use<> {
        let each = self.0.subscribers.iter().map(|status| {
            let mut status = status.clone();
            status.mark_changed();
            let changes = stream::unfold((status, false), |(mut status, over)| async move {
                if over || status.changed().await.is_err() {
                    return None;
                }
                let found = status.borrow_and_update().clone();
                let over = found.state.is_stopped();
                Some((found, (status, over)))
            });
            changes.boxed()
        });
        stream::select_all(each)
    }

    /// The events of the log that match: what is there, then what comes, without gap or duplicate, also when other
    /// processes write. It reads a page ahead and no more, so a slow consumer costs no memory.
    ///
    /// A consumer has no checkpoint: the last event that it took has the position to go on from. From
    /// [`StartFrom::Now`] is from when the stream is first polled. The stream ends after its first error, and
    /// with the application.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// use futures::StreamExt;
    ///
    /// # let app = App::builder(MemoryStore::new()).start().await?;
    /// app.dispatch(deposit("me", 5)).await?;
    /// app.dispatch(withdraw("me", 1)).await?;
    /// let withdrawals = EventFilter::category("account").and_event_types(["Withdrawn"]);
    /// let mut events = app.subscribe(StartFrom::Origin, withdrawals);
    /// let first = events.next().await.ok_or("the log goes on")??;
    /// assert_eq!((first.position, first.data.as_str()), (Position::new(2), r#"{"account":"me","amount":1}"#));
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe(
        &self,
        from: StartFrom,
        filter: EventFilter,
    ) -> impl Stream<Item = Result<RecordedEvent, StoreError>> + Send + Unpin + use<> {
        follow(self.0.store.clone(), from, filter, self.0.stop.subscribe()).boxed()
    }

    /// As [`App::subscribe`], with the events of a set, decoded. An event that cannot be decoded is an error.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// use futures::StreamExt;
    ///
    /// let app = App::builder(MemoryStore::new()).start().await?;
    /// app.dispatch(deposit("me", 5)).await?;
    /// let mut events = app.subscribe_to::<AccountEvent>(StartFrom::Origin);
    /// let first = events.next().await.ok_or("the log goes on")??;
    /// assert_eq!(first.position, Position::new(1)); // go on from here with `StartFrom::Position`
    /// assert_eq!(first.data, AccountEvent::Deposited { account: "me".to_owned(), amount: 5 });
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe_to<E: EventSet>(
        &self,
        from: StartFrom,
    ) -> impl Stream<Item = Result<RecordedEvent<E>, StoreError>> + Send + Unpin + use<E> {
        self.subscribe_within(from, E::filter())
    }

    /// As [`App::subscribe_to`], with those of the set that match a filter, which wants no others.
    pub fn subscribe_within<E: EventSet>(
        &self,
        from: StartFrom,
        filter: EventFilter,
    ) -> impl Stream<Item = Result<RecordedEvent<E>, StoreError>> + Send + Unpin + use<E> {
        let decode = |event: Result<RecordedEvent, StoreError>| {
            let decoded = event.and_then(|event| Ok(RecordedEvent::decode_all([event])?));
            let (events, error) = match decoded {
                Ok(events) => (events, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            stream::iter(events.into_iter().map(Ok).chain(error.map(Err)))
        };
        let mut over = false;
        let until_error = move |event: &Result<_, _>| {
            let ended = std::mem::replace(&mut over, event.is_err());
            std::future::ready(!ended)
        };
        self.subscribe(from, filter).flat_map(decode).take_while(until_error).boxed()
    }
}
