//! A projection on the subscribers' loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify, OnceCell};

use super::start::{began, start};
use super::{
    Checkpoint, Halt, ProgressReporter, Projection, ReadModel, Rebuildable, StartFrom, SubscribeOptions,
    Worker,
};
use crate::{BoxError, EventFilter, LogPage, Position, RecordedEvent, StepError, Store, StoreError};

/// No position.
const NOWHERE: u64 = u64::MAX;

pub(crate) struct ProjectionWorker<P, R> {
    pub(super) projection: Arc<P>,
    pub(super) read_model: R,
    pub(super) store: Arc<dyn Store>,
    pub(super) options: SubscribeOptions,
    /// Where a read model begins that is empty. What is now is found out once.
    begin: OnceCell<Position>,
    /// Where the checkpoint was when it was found beyond the log; else nowhere.
    beyond: AtomicU64,
    /// Held while the content changes: by a batch, or by a shadow that takes its place.
    pub(super) live: Mutex<()>,
    /// Held by the one rebuild that there can be.
    pub(super) rebuild: Mutex<()>,
    /// Told when the content was replaced.
    pub(super) disturbed: Notify,
}

impl<P: Projection, R: ReadModel<Target = P::Target>> ProjectionWorker<P, R> {
    pub(crate) fn new(
        projection: Arc<P>,
        read_model: R,
        store: Arc<dyn Store>,
        options: SubscribeOptions,
    ) -> Self {
        Self {
            projection,
            read_model,
            store,
            options,
            begin: OnceCell::new(),
            beyond: AtomicU64::new(NOWHERE),
            live: Mutex::new(()),
            rebuild: Mutex::new(()),
            disturbed: Notify::new(),
        }
    }

    /// Lets the projection make its tables, at a start. Those of an earlier version are left as they are.
    pub(crate) async fn setup(&self) -> Result<(), BoxError> {
        let at = self.read_model.checkpoint(P::NAME).await?;
        match at.map(|at| at.version.cmp(&P::VERSION)) {
            None | Some(std::cmp::Ordering::Equal) => self.prepare(at).await,
            Some(std::cmp::Ordering::Less) => Ok(()),
            Some(std::cmp::Ordering::Greater) => Err(superseded::<P>(at).into()),
        }
    }

    async fn prepare(&self, at: Option<Checkpoint>) -> Result<(), BoxError> {
        let to = match at {
            Some(at) => at,
            None => Self::checkpoint_at(self.begin().await?),
        };
        let prepared = async {
            let mut transaction = self.read_model.begin(P::NAME, at).await?;
            self.projection.setup(R::target(&mut transaction)).await?;
            Ok::<_, BoxError>(self.read_model.commit(transaction, to).await?)
        };
        match prepared.await {
            // Another runner works already, on tables that are there.
            Err(error) if matches!(error.downcast_ref(), Some(StepError::Fenced)) => Ok(()),
            prepared => prepared,
        }
    }

    /// Where a read model begins.
    pub(super) async fn begin(&self) -> Result<Position, StoreError> {
        let begin = self.begin.get_or_try_init(|| async {
            let Some(place) = self.read_model.place() else {
                return start(&*self.store, self.options.start).await;
            };
            let name = format!("the projection {} in {place}", P::NAME);
            began(&*self.store, &name, self.options.start).await
        });
        begin.await.copied()
    }

    /// As another one that begins where this one does.
    pub(super) async fn beside(&self, read_model: R) -> Result<Self, StoreError> {
        let begin = self.begin().await?;
        let beside =
            Self::new(Arc::clone(&self.projection), read_model, Arc::clone(&self.store), self.options);
        Ok(Self { begin: OnceCell::new_with(Some(begin)), ..beside })
    }

    /// Whether the log has what the read model is said to be made of. Where it has not, what is appended next is never
    /// projected; so that is found out once and for all.
    async fn check_log(&self, at: Position) -> Result<(), BoxError> {
        let (known, head) = (self.beyond.load(Ordering::Relaxed), self.store.head().await?);
        let begins = matches!(self.options.start, StartFrom::Position(begin) if at <= begin);
        if at.as_u64() == known || (at > head && !begins) {
            self.beyond.store(at.as_u64(), Ordering::Relaxed);
            return Err(Halt::Beyond { checkpoint: at, head }.into());
        }
        Ok(())
    }

    fn checkpoint_at(position: Position) -> Checkpoint {
        Checkpoint { position, version: P::VERSION }
    }
}

/// Says that a later version has made what is there.
pub(super) fn superseded<P: Projection>(at: Option<Checkpoint>) -> Halt {
    Halt::Superseded { stored: at.map_or(0, |at| at.version), known: P::VERSION }
}

#[async_trait]
impl<P: Projection, R: ReadModel<Target = P::Target>> Worker for ProjectionWorker<P, R> {
    fn filter(&self) -> EventFilter {
        self.projection.filter()
    }

    async fn checkpoint(&self) -> Result<Position, BoxError> {
        let mut at = self.read_model.checkpoint(P::NAME).await?;
        if at.is_none() {
            // A read model that begins anew, as a value in memory does after a failed batch, has lost what
            // the setup of the start had made.
            self.prepare(None).await?;
            at = self.read_model.checkpoint(P::NAME).await?;
        }
        match at {
            Some(at) if at.version < P::VERSION => {
                Err(Halt::Outdated { stored: at.version, known: P::VERSION }.into())
            }
            Some(at) if at.version > P::VERSION => Err(superseded::<P>(Some(at)).into()),
            Some(at) => {
                self.check_log(at.position).await?;
                Ok(at.position)
            }
            None => Err("the read model has lost its checkpoint right after it was written".into()),
        }
    }

    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError> {
        let events = RecordedEvent::decode_all(page.events)?;
        let _live = self.live.lock().await;
        let (from, to) = (Self::checkpoint_at(from), Self::checkpoint_at(page.scanned_to));
        let mut transaction = self.read_model.begin(P::NAME, Some(from)).await?;
        if !events.is_empty() {
            self.projection.project_batch(&events, R::target(&mut transaction)).await?;
        }
        Ok(self.read_model.commit(transaction, to).await?)
    }

    fn lease(&self) -> Option<String> {
        Some(format!("projection {} in {}", P::NAME, self.read_model.place()?))
    }

    async fn renew(&self, progress: ProgressReporter) -> Result<(), BoxError> {
        Rebuildable::rebuild(self, progress).await.map(drop)
    }

    async fn disturbed(&self) {
        self.disturbed.notified().await;
    }
}
