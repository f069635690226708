//! Projections: events in, a read model out.

use async_trait::async_trait;

use super::Worker;
use crate::{BoxError, EventFilter, EventSet, LogPage, Position, RecordedEvent, StepError, StoreError};

/// Turns events into a read model that answers queries.
///
/// Each event counts exactly once: what a projection writes and the checkpoint of how far it has come are
/// one transaction of the read model's database.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// The stored name of the checkpoint; unique in its read model, and in an application.
    const NAME: &'static str;

    /// The events that it wants to see.
    type Event: EventSet;

    /// What it writes to: a Rust value with `cqrs-memory`, a connection with a database.
    type Target: Send + 'static;

    /// Makes ready what it writes to, such as tables. Runs at every start, and whenever the read model begins
    /// anew, before the first event; must do no harm when everything is there already.
    ///
    /// # Errors
    ///
    /// Any error keeps the application from starting.
    async fn setup(&self, _target: &mut Self::Target) -> Result<(), BoxError> {
        Ok(())
    }

    /// Takes one event in.
    ///
    /// # Errors
    ///
    /// Any error rolls the batch back; it is tried again later, for as long as it takes. An event is never
    /// skipped.
    async fn project(
        &self,
        event: &RecordedEvent<Self::Event>,
        target: &mut Self::Target,
    ) -> Result<(), BoxError>;

    /// Takes a batch in, in order of position. Override it to fold many events into one statement.
    ///
    /// # Errors
    ///
    /// As [`Projection::project`].
    async fn project_batch(
        &self,
        events: &[RecordedEvent<Self::Event>],
        target: &mut Self::Target,
    ) -> Result<(), BoxError> {
        for event in events {
            self.project(event, target).await?;
        }
        Ok(())
    }
}

/// Where projections keep their answers: a database, or a value in memory.
#[async_trait]
pub trait ReadModel: Send + Sync + 'static {
    /// What a projection writes to.
    type Target: Send + 'static;

    /// A transaction under way. Dropping it leaves the read model as it was, or lets it begin anew at zero.
    type Transaction: Send + 'static;

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// When the database cannot.
    async fn begin(&self) -> Result<Self::Transaction, StoreError>;

    /// What a projection writes to within a transaction.
    fn target(transaction: &mut Self::Transaction) -> &mut Self::Target;

    /// Up to where a projection has worked; zero when it has never run.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    async fn checkpoint(&self, projection: &str) -> Result<Position, StoreError>;

    /// Moves a projection's checkpoint by compare-and-set, and commits it together with all that was
    /// written. With `from` and `to` equal, only what was written is committed.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the checkpoint is not at `from`: another runner was faster, and nothing
    /// was changed.
    async fn commit(
        &self,
        transaction: Self::Transaction,
        projection: &str,
        from: Position,
        to: Position,
    ) -> Result<(), StepError>;
}

/// A projection on the subscribers' loop.
pub(crate) struct ProjectionWorker<P, R> {
    pub(crate) projection: P,
    pub(crate) read_model: R,
}

impl<P: Projection, R: ReadModel<Target = P::Target>> ProjectionWorker<P, R> {
    /// Lets the projection make its tables.
    pub(crate) async fn setup(&self) -> Result<(), BoxError> {
        let at = self.read_model.checkpoint(P::NAME).await?;
        let mut transaction = self.read_model.begin().await?;
        self.projection.setup(R::target(&mut transaction)).await?;
        match self.read_model.commit(transaction, P::NAME, at, at).await {
            // Another runner works already, on tables that are there.
            Ok(()) | Err(StepError::Fenced) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl<P: Projection, R: ReadModel<Target = P::Target>> Worker for ProjectionWorker<P, R> {
    fn filter(&self) -> EventFilter {
        P::Event::filter()
    }

    async fn checkpoint(&self) -> Result<Position, BoxError> {
        let at = self.read_model.checkpoint(P::NAME).await?;
        if at == Position::ZERO {
            // A read model that begins anew, as a value in memory does after a failed batch, has lost what
            // the setup of the start had made.
            self.setup().await?;
        }
        Ok(at)
    }

    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError> {
        let events = RecordedEvent::decode_all(page.events)?;
        let mut transaction = self.read_model.begin().await?;
        if !events.is_empty() {
            self.projection.project_batch(&events, R::target(&mut transaction)).await?;
        }
        Ok(self.read_model.commit(transaction, P::NAME, from, page.scanned_to).await?)
    }
}
