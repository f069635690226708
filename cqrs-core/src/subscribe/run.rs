//! The one loop that projections and process managers run on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::watch;

use super::SubscribeOptions;
use super::status::Reporter;
use crate::describe;
use crate::dispatch::{backoff, panic_message};
use crate::{BoxError, EventFilter, IdSource, LogPage, Position, StepError, Store};

/// What one kind of subscriber does with a page of the log.
#[async_trait]
pub(crate) trait Worker: Send + Sync + 'static {
    fn filter(&self) -> EventFilter;

    /// The durable checkpoint.
    async fn checkpoint(&self) -> Result<Position, BoxError>;

    /// Works on a page and moves the checkpoint from `from` to the page's end, in one transaction. An error
    /// changes nothing; [`StepError::Fenced`] says that another runner has moved the checkpoint.
    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError>;
}

#[async_trait]
impl<W: Worker> Worker for Arc<W> {
    fn filter(&self) -> EventFilter {
        W::filter(self)
    }

    async fn checkpoint(&self) -> Result<Position, BoxError> {
        W::checkpoint(self).await
    }

    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError> {
        W::work(self, from, page).await
    }
}

pub(crate) struct Runner<W> {
    pub(crate) worker: W,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) reporter: Reporter,
    pub(crate) options: SubscribeOptions,
    /// Becomes true when the subscriber is to end.
    pub(crate) stop: watch::Receiver<bool>,
}

impl<W: Worker> Runner<W> {
    /// Reads after the checkpoint, works, moves on, until told to stop. What fails is tried again for as
    /// long as it takes.
    pub(crate) async fn run(mut self) {
        let mut failures = 0;
        let mut at = None;
        while !*self.stop.borrow() {
            match AssertUnwindSafe(self.advance(at)).catch_unwind().await {
                Ok(Ok(position)) => {
                    failures = 0;
                    at = position;
                    if let Some(position) = position {
                        self.reporter.running(position);
                    }
                }
                Ok(Err(error)) => at = self.pause(&mut failures, describe(&*error)).await,
                Err(panic) => {
                    let error = format!("panicked: {}", panic_message(&*panic));
                    at = self.pause(&mut failures, error).await;
                }
            }
        }
    }

    /// One step of the loop. The result is the known checkpoint; `None` when it must be read again.
    async fn advance(&mut self, at: Option<Position>) -> Result<Option<Position>, BoxError> {
        let Some(at) = at else {
            return Ok(Some(self.worker.checkpoint().await?));
        };
        let page = self.store.read_log(at, &self.worker.filter(), self.options.batch_events).await?;
        let to = page.scanned_to;
        if to == at {
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => {}
                head = self.store.wait_beyond(at) => { head?; }
            }
            return Ok(Some(at));
        }
        match self.worker.work(at, page).await {
            Ok(()) => Ok(Some(to)),
            Err(error) => match error.downcast_ref() {
                Some(StepError::Fenced) => Ok(None),
                _ => Err(error),
            },
        }
    }

    async fn pause(&mut self, failures: &mut u32, error: String) -> Option<Position> {
        *failures += 1;
        let status = self.reporter.watch();
        let name = status.borrow().name;
        tracing::warn!(subscriber = name, attempts = *failures, %error, "a subscriber failed and will try again");
        self.reporter.retrying(*failures, error);
        let pause = backoff(self.options.first_retry, *failures, &*self.ids);
        // A stop ends the pause; the loop sees it.
        let _ = tokio::time::timeout(pause, self.stop.wait_for(|stop| *stop)).await;
        None
    }
}
