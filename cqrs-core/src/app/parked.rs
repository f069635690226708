//! What an operator does with the events that handlers have parked.

use super::App;
use crate::{EventPart, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet, StoreError};

/// What event handlers have parked, for operators.
impl App {
    /// The events that an event handler holds back after a place in the log, in order, at most `limit`; from
    /// [`EventPart::ZERO`] on, that is all of them. The next page comes after the last one's [`ParkedEvent::part`].
    ///
    /// The handler need not run in this application.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # use std::sync::Arc;
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// # #[derive(Clone, Default)] struct Letters(Arc<AtomicBool>);
    /// # #[async_trait]
    /// # impl EventHandler for Letters {
    /// #     const NAME: &'static str = "letters";
    /// #     type Event = AccountEvent;
    /// #     async fn handle(&self, _: &RecordedEvent<AccountEvent>) -> Result<(), BoxError> {
    /// #         if self.0.load(Ordering::Relaxed) { Ok(()) } else { Err("there is no paper".into()) }
    /// #     }
    /// #     fn failed(&self, _: &HandlerFailure) -> Policy { Policy::Park }
    /// # }
    /// # let letters = Letters::default();
    /// # let app = App::builder(MemoryStore::new()).event_handler(letters.clone()).start().await?;
    /// // The handler `letters` has no paper, and parks what it cannot print.
    /// app.dispatch(deposit("me", 5)).wait_for(["letters"]).await?;
    /// let parked = app.parked_events("letters", EventPart::ZERO, 10).await?;
    /// assert_eq!((parked.len(), parked[0].key.as_str()), (1, "account-me"));
    /// assert_eq!(parked[0].last_error.as_deref(), Some("there is no paper"));
    ///
    /// # letters.0.store(true, Ordering::Relaxed);
    /// // There is paper now.
    /// assert_eq!(app.retry_parked("letters", &ParkedSet::All).await?, 1);
    /// app.dispatch(deposit("me", 6)).wait_for(["letters"]).await?;
    /// assert!(app.parked_events("letters", EventPart::ZERO, 10).await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn parked_events(
        &self,
        handler: &str,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.0.store.parked_events(handler, &ParkedQuery::All, after, limit).await
    }

    /// Lets the keys of parked events go on: they are delivered again, and then what waits behind them, in order. An
    /// event that fails again is parked again. Returns how many keys go on.
    ///
    /// The handler does it, also when it runs in another process, or later.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    pub async fn retry_parked(&self, handler: &str, set: &ParkedSet) -> Result<u64, StoreError> {
        self.mark(handler, set, ParkedMark::Retry).await
    }

    /// Forgets parked events without handling them, and lets those behind them go on. Returns how many are forgotten.
    ///
    /// The handler does it, also when it runs in another process, or later; until then they are
    /// [`ParkedState::ToDrop`](crate::ParkedState::ToDrop). An event that is being delivered at this moment may still take
    /// effect.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    pub async fn drop_parked(&self, handler: &str, set: &ParkedSet) -> Result<u64, StoreError> {
        self.mark(handler, set, ParkedMark::Drop).await
    }

    async fn mark(&self, handler: &str, set: &ParkedSet, mark: ParkedMark) -> Result<u64, StoreError> {
        let marked = self.0.store.mark_parked(handler, set, mark).await?;
        self.0.marks.send_modify(|count| *count += 1);
        Ok(marked)
    }
}
