//! Rebuilding a projection's read model while it is in use.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot, watch};

use super::App;
use crate::subscribe::{ProgressReporter, Rebuildable, Setback, UnderWay};
use crate::{BoxError, Position, RebuildProgress, SubscriberStatus};

/// A rebuild under way: await it, to learn up to where it had caught up when it took the old read model's place.
///
/// It goes on when this is dropped. [`Rebuild::cancel`] and [`App::shutdown`] end it; the old read model stays then.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let app = App::builder(MemoryStore::new()).projection(Balances, InMemory::default()).start().await?;
/// app.dispatch(deposit("me", 5)).await?;
/// let up_to = app.rebuild("balances").await?;
/// assert_eq!(up_to, Position::new(1));
/// assert!(matches!(app.rebuild("nothing").await, Err(RebuildError::Unknown(_))));
/// # Ok(())
/// # }
/// ```
#[must_use = "a rebuild says only when it is awaited whether it has failed"]
pub struct Rebuild {
    result: BoxFuture<'static, Result<Position, RebuildError>>,
    cancel: Arc<Notify>,
    status: Option<watch::Receiver<SubscriberStatus>>,
    /// Becomes true, or loses its sender, when it has ended.
    ended: watch::Receiver<bool>,
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
    pub(super) setback: Setback,
}

/// Read models, made anew.
impl App {
    /// Makes a projection's read model anew from the log, beside the old one, and puts it in the old one's place in
    /// one transaction when it has caught up. Queries and commands go on meanwhile, and so does the projection.
    ///
    /// The rebuild begins at once, on a task of its own. How far it is, is told by the projection's
    /// [`SubscriberStatus::rebuild`].
    pub fn rebuild(&self, projection: &str) -> Rebuild {
        let Some(Rebuilder { projection: rebuildable, status, .. }) = self.0.rebuilders.get(projection)
        else {
            let unknown = RebuildError::Unknown(projection.to_owned());
            let result = std::future::ready(Err(unknown)).boxed();
            return Rebuild { result, cancel: Arc::default(), status: None, ended: watch::channel(true).1 };
        };
        let (name, receiver) = (projection.to_owned(), status.subscribe());
        let (rebuildable, progress) = (Arc::clone(rebuildable), ProgressReporter::new(status.clone()));
        let (cancel, mut stop) = (Arc::new(Notify::new()), self.0.stop.subscribe());
        let (answer, result) = oneshot::channel();
        let (end, ended) = watch::channel(false);
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
            end.send_replace(true);
        });
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
        let result = result.map(|answer| answer.unwrap_or(Err(RebuildError::Cancelled))).boxed();
        Rebuild { result, cancel, status: Some(receiver), ended }
    }

    /// Empties a projection's read model and lets the projection begin anew, in one transaction. Queries see it grow
    /// again; where they must not, [`App::rebuild`] is what is wanted.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let balances = InMemory::default();
    /// # let app = App::builder(MemoryStore::new()).projection(Balances, balances.clone()).start().await?;
    /// # app.dispatch(deposit("me", 5)).strong().await?;
    /// app.reset("balances").await?;
    /// app.settle().await?;
    /// assert_eq!(balances.read(|balances| balances["me"]).await, 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RebuildError`]; then nothing was changed.
    pub async fn reset(&self, projection: &str) -> Result<(), RebuildError> {
        let rebuilder = self.0.rebuilders.get(projection);
        let rebuilder = rebuilder.ok_or_else(|| RebuildError::Unknown(projection.to_owned()))?;
        let reset = rebuilder.projection.reset(&rebuilder.setback).await;
        reset.map_err(|error| RebuildError::from_any(projection, error))
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
        let Some(status) = &mut self.status else { return };
        tokio::select! {
            _ = status.changed() => {}
            // Without a sender it has ended as well.
            _ = self.ended.wait_for(|ended| *ended) => {}
        }
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
