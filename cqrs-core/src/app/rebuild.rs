//! Rebuilding a projection's read model while it is in use.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, Either};
use tokio::sync::{Notify, oneshot, watch};

use super::App;
use crate::subscribe::{ProgressReporter, Rebuildable, UnderWay};
use crate::{BoxError, Position, RebuildProgress, SubscriberStatus};

/// A rebuild under way: await it, to learn up to where it had caught up when it took the old read model's place.
///
/// It goes on when this is dropped. [`Rebuild::cancel`] and [`App::shutdown`] end it; the old read model stays then.
#[must_use = "a rebuild says only when it is awaited whether it has failed"]
pub struct Rebuild {
    result: BoxFuture<'static, Result<Position, RebuildError>>,
    cancel: Arc<Notify>,
    status: Option<watch::Receiver<SubscriberStatus>>,
}

/// Why a read model was not rebuilt, and is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The application has no such projection.
    #[error("there is no projection {0:?}")]
    Unknown(String),
    /// This application rebuilds it already.
    #[error("a rebuild of {0:?} is under way")]
    UnderWay(String),
    /// Somebody cancelled it, or the application has ended.
    #[error("the rebuild was cancelled")]
    Cancelled,
    /// The projection failed on an event, the database failed, or another process rebuilds the same.
    #[error("the rebuild failed")]
    Failed(#[source] BoxError),
}

/// What an application keeps to have a projection rebuilt.
pub(super) struct Rebuilder {
    pub(super) projection: Arc<dyn Rebuildable>,
    pub(super) status: watch::Sender<SubscriberStatus>,
}

impl App {
    /// Makes a projection's read model anew from the log, beside the old one, and puts it in the old one's place in
    /// one transaction when it has caught up. Queries and commands go on meanwhile, and so does the projection.
    ///
    /// The rebuild begins at once, on a task of its own. How far it is, is told by the projection's
    /// [`SubscriberStatus::rebuild`].
    pub fn rebuild(&self, projection: &str) -> Rebuild {
        let Some(Rebuilder { projection: rebuildable, status }) = self.0.rebuilders.get(projection) else {
            let unknown = RebuildError::Unknown(projection.to_owned());
            let result = std::future::ready(Err(unknown)).boxed();
            return Rebuild { result, cancel: Arc::default(), status: None };
        };
        let (name, receiver) = (projection.to_owned(), status.subscribe());
        let (rebuildable, progress) = (Arc::clone(rebuildable), ProgressReporter::new(status.clone()));
        let (cancel, mut stop) = (Arc::new(Notify::new()), self.0.stop.subscribe());
        let (answer, result) = oneshot::channel();
        let cancelled = Arc::clone(&cancel);
        let task = tokio::spawn(async move {
            let rebuilt = std::panic::AssertUnwindSafe(rebuildable.rebuild(progress)).catch_unwind();
            let rebuilt = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Err(RebuildError::Cancelled),
                () = cancelled.notified() => Err(RebuildError::Cancelled),
                rebuilt = rebuilt => match rebuilt {
                    Ok(rebuilt) => rebuilt.map_err(|error| RebuildError::from_any(&name, error)),
                    Err(panic) => Err(RebuildError::Failed(crate::dispatch::panic_message(&*panic).into())),
                },
            };
            // Whoever asked for it may have gone away.
            let _ = answer.send(rebuilt);
        });
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
        let result = result.map(|answer| answer.unwrap_or(Err(RebuildError::Cancelled))).boxed();
        Rebuild { result, cancel, status: Some(receiver) }
    }

    /// Empties a projection's read model and lets the projection begin anew, in one transaction. Queries see it grow
    /// again; where they must not, [`App::rebuild`] is what is wanted.
    ///
    /// # Errors
    ///
    /// [`RebuildError`]; then nothing was changed.
    pub async fn reset(&self, projection: &str) -> Result<(), RebuildError> {
        let rebuilder = self.0.rebuilders.get(projection);
        let rebuilder = rebuilder.ok_or_else(|| RebuildError::Unknown(projection.to_owned()))?;
        let reset = rebuilder.projection.reset().await;
        let position = reset.map_err(|error| RebuildError::from_any(projection, error))?;
        // Whoever waits for the projection from now on waits until it has come back.
        rebuilder.status.send_modify(|status| status.position = position);
        Ok(())
    }
}

impl RebuildError {
    fn from_any(projection: &str, error: BoxError) -> Self {
        match error.is::<UnderWay>() {
            true => Self::UnderWay(projection.to_owned()),
            false => Self::Failed(error),
        }
    }
}

impl Rebuild {
    /// How far it has come; `None` before it begins and after it has ended.
    pub fn progress(&self) -> Option<RebuildProgress> {
        self.status.as_ref()?.borrow().rebuild
    }

    /// Waits until it has come further, or has ended. Together with [`Rebuild::progress`] it makes a progress bar.
    pub async fn further(&mut self) {
        let changed = match &mut self.status {
            Some(status) => Either::Left(status.changed()),
            None => Either::Right(std::future::ready(Ok(()))),
        };
        // Without a sender it has ended.
        let _ = changed.await;
    }

    /// Ends it, unless it has ended; await it to learn which.
    pub fn cancel(&self) {
        self.cancel.notify_one();
    }
}

impl Future for Rebuild {
    type Output = Result<Position, RebuildError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.result.poll_unpin(context)
    }
}

impl fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuild").field("progress", &self.progress()).finish_non_exhaustive()
    }
}
