//! Making a read model anew beside the old one, and putting it in its place.

use async_trait::async_trait;

use super::worker::superseded;
use super::{Pages, ProgressReporter, Projection, ProjectionWorker, ReadModel, Setback, Worker};
use crate::{BoxError, Position, StepError};

/// How often in a row a batch may fail before a rebuild gives up.
const ATTEMPTS: u32 = 5;

/// Somebody in this application rebuilds the same already.
#[derive(Debug, thiserror::Error)]
#[error("a rebuild is under way")]
pub(crate) struct UnderWay;

/// A projection whose type is not known, for those who want it rebuilt.
#[async_trait]
pub(crate) trait Rebuildable: Send + Sync {
    /// Makes the read model anew beside the old one, and replaces the old one when it has caught up. Tells up to
    /// where that was. Nothing has happened when it fails, or is dropped.
    async fn rebuild(&self, progress: ProgressReporter) -> Result<Position, BoxError>;

    /// Replaces the read model by one that has seen no event.
    async fn reset(&self, setback: &Setback) -> Result<(), BoxError>;
}

#[async_trait]
impl<P: Projection, R: ReadModel<Target = P::Target>> Rebuildable for ProjectionWorker<P, R> {
    async fn rebuild(&self, progress: ProgressReporter) -> Result<Position, BoxError> {
        let _only = self.rebuild.try_lock().map_err(|_| UnderWay)?;
        let shadow = self.shadow().await?;
        let start = shadow.begin().await?;
        tracing::info!(projection = P::NAME, version = P::VERSION, "a rebuild begins");
        let near = self.options.batch_events as u64;
        loop {
            let head = self.store.head().await?;
            let at = shadow.catch_up(start, head, &progress).await?;
            // Whoever wrote meanwhile may go on writing for ever.
            if self.store.head().await?.as_u64().saturating_sub(at.as_u64()) > near {
                continue;
            }
            // No batch of this process comes between the last event and the replacement. One of another process may:
            // then there is more to catch up with.
            let _live = self.live.lock().await;
            let live =
                self.read_model.checkpoint(P::NAME).await?.map_or(Position::ZERO, |live| live.position);
            let head = self.store.head().await?;
            let at = shadow.catch_up(start, live.min(head), &progress).await?;
            // One that is beyond the log is never caught up with.
            let up_to = if live > head { Position::new(u64::MAX) } else { at };
            match self.read_model.replace(P::NAME, &shadow.read_model, up_to).await {
                Ok(()) => {
                    self.disturbed.notify_one();
                    tracing::info!(projection = P::NAME, version = P::VERSION, %at, "a rebuild took the old one's place");
                    return Ok(at);
                }
                Err(StepError::Fenced) => self.check_version().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn reset(&self, setback: &Setback) -> Result<(), BoxError> {
        let _only = self.rebuild.try_lock().map_err(|_| UnderWay)?;
        let shadow = self.shadow().await?;
        let begin = shadow.checkpoint().await?;
        let _live = self.live.lock().await;
        match self.read_model.replace(P::NAME, &shadow.read_model, Position::new(u64::MAX)).await {
            Err(StepError::Fenced) => self.check_version().await?,
            replaced => replaced?,
        }
        // Whoever waits for the projection from now on waits until it has come back.
        setback.to(begin);
        self.disturbed.notify_one();
        Ok(())
    }
}

impl<P: Projection, R: ReadModel<Target = P::Target>> ProjectionWorker<P, R> {
    async fn shadow(&self) -> Result<Self, BoxError> {
        let read_model = self.read_model.shadow(P::NAME).await?;
        Ok(self.beside(read_model).await?)
    }

    /// Works up to a position, as one that nobody queries.
    async fn catch_up(
        &self,
        start: Position,
        target: Position,
        progress: &ProgressReporter,
    ) -> Result<Position, BoxError> {
        let mut at = self.checkpoint().await?;
        let mut failures = 0;
        let mut pages = Pages::new(self.filter(), self.options.batch_events);
        loop {
            progress.at(start, at, target);
            if at >= target {
                return Ok(at);
            }
            let page = pages.after(at, &*self.store).await?;
            let (to, events) = (page.scanned_to, page.events.len());
            match pages.working((to, events), &self.store, self.work(at, page)).await {
                Ok(()) => (at, failures) = (to, 0),
                Err(error) => {
                    failures += 1;
                    if failures == ATTEMPTS {
                        return Err(error);
                    }
                    at = self.checkpoint().await?;
                }
            }
        }
    }

    /// Fails when a later version has made what is there.
    async fn check_version(&self) -> Result<(), BoxError> {
        match self.read_model.checkpoint(P::NAME).await? {
            Some(at) if at.version > P::VERSION => Err(superseded::<P>(Some(at)).into()),
            _ => Ok(()),
        }
    }
}
