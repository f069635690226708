//! What an operator does with the events that handlers have parked.

use super::App;
use crate::{EventPart, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet, StoreError};

impl App {
    /// The events that an event handler holds back after a place in the log, in order, at most `limit`; from
    /// [`EventPart::ZERO`] on, that is all of them. The next page comes after the last one's [`ParkedEvent::part`].
    ///
    /// The handler need not run in this application.
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
