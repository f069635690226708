//! The one loop that projections and process managers run on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::pages::Pages;
use super::reporter::{ProgressReporter, Reporter};
use super::tenant::{Tenant, Whose};
use super::{SubscribeOptions, SubscriberState};
use crate::dispatch::{backoff, panic_message};
use crate::{BoxError, EventFilter, IdSource, LogPage, Position, StepError, Store, Timestamp, describe};

/// How often one who waits for its turn looks how far the other has come, while the other is behind.
const FOLLOW: Duration = Duration::from_millis(20);

/// How often the head of the log is asked for while a subscriber is behind, and the rate of one that rests is told.
const LOOK: Duration = Duration::from_secs(1);

/// What one kind of subscriber does with a page of the log.
#[async_trait]
pub(crate) trait Worker: Send + Sync + 'static {
    fn filter(&self) -> EventFilter;

    /// The durable checkpoint. [`Halt`] says that there is none to go on from.
    async fn checkpoint(&self) -> Result<Position, BoxError>;

    /// Works on a page and moves the checkpoint from `from` to the page's end, in one transaction. An error
    /// changes nothing; [`StepError::Fenced`] says that another runner has moved the checkpoint.
    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError>;

    /// Names the lease that lets one of several runners work; `None` when nobody else can do this work.
    fn lease(&self) -> Option<String> {
        None
    }

    /// Makes anew what an earlier version has made, when the checkpoint is [`Halt::Outdated`].
    async fn renew(&self, _progress: ProgressReporter) -> Result<(), BoxError> {
        Ok(())
    }

    /// Waits until somebody in this process has changed the checkpoint, beside the runner.
    async fn disturbed(&self) {
        std::future::pending().await
    }
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

    fn lease(&self) -> Option<String> {
        W::lease(self)
    }

    async fn renew(&self, progress: ProgressReporter) -> Result<(), BoxError> {
        W::renew(self, progress).await
    }

    async fn disturbed(&self) {
        W::disturbed(self).await
    }
}

/// Why a runner cannot go on from the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halt {
    /// An earlier version has made what is there.
    #[error("version {stored} has made the read model, and this program has version {known}")]
    Outdated { stored: u32, known: u32 },
    /// The read model was made from what the log has not.
    #[error(
        "the read model is at position {checkpoint}, and the log ends at {head}: it was made from another log, or from \
         what this one has lost; rebuild it"
    )]
    Beyond { checkpoint: Position, head: Position },
    /// A later version has made what is there.
    #[error("version {stored} has made the read model; this program has only version {known}")]
    Superseded { stored: u32, known: u32 },
}

pub(crate) struct Runner<W> {
    pub(crate) worker: W,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) reporter: Reporter,
    pub(crate) options: SubscribeOptions,
    pub(crate) tenant: Tenant,
    /// Becomes true when the subscriber is to end.
    pub(crate) stop: watch::Receiver<bool>,
    /// When the head was last asked for.
    pub(crate) looked: Option<Instant>,
    pub(crate) pages: Pages,
}

impl<W: Worker> Runner<W> {
    /// Reads after the checkpoint, works, moves on, until told to stop. What fails is tried again for as
    /// long as it takes; only a later version ends it.
    pub(crate) async fn run(mut self) {
        let mut failures = 0;
        let mut at = None;
        while !*self.stop.borrow() {
            let error = match AssertUnwindSafe(self.advance(at)).catch_unwind().await {
                Ok(Ok(position)) => {
                    // Who only knows again where it is has not got over what it failed at.
                    if at.is_some() {
                        failures = 0;
                    }
                    at = position;
                    continue;
                }
                Ok(Err(error)) => error,
                Err(panic) => format!("panicked: {}", panic_message(&*panic)).into(),
            };
            if let Some(Halt::Superseded { .. }) = error.downcast_ref() {
                let error = describe(&*error);
                tracing::error!(subscriber = self.reporter.name(), %error, "a subscriber has ended");
                self.tenant.give_back().await;
                return self.reporter.fail(error);
            }
            self.pause(&mut failures, describe(&*error)).await;
            at = None;
        }
        self.tenant.give_back().await;
    }

    /// One step of the loop. The result is the known checkpoint; `None` when it must be read again.
    async fn advance(&mut self, at: Option<Position>) -> Result<Option<Position>, BoxError> {
        let Some(at) = at else { return self.find().await };
        if let Whose::Theirs { until } = self.tenant.hold().await? {
            return self.follow(at, until).await;
        }
        if !self.reporter.at(at, SubscriberState::Running) {
            return Ok(None);
        }
        let mut page = self.pages.after(at, &*self.store).await?;
        if page.scanned_to == at {
            return self.rest(at).await;
        }
        if !self.options.batch_wait.is_zero() && !page.events.is_empty() {
            page = self.gather(at, page).await?;
        }
        self.look(page.scanned_to).await?;
        let (to, events) = (page.scanned_to, page.events.len());
        self.reporter.waits(page.events.first().map(|event| event.recorded_at));
        let span =
            tracing::debug_span!("batch", subscriber = self.reporter.name(), from = %at, %to, events);
        let began = Instant::now();
        let work = self.worker.work(at, page).instrument(span);
        match self.pages.working((to, events), &self.store, work).await {
            Ok(()) => {
                self.reporter.worked(events, began.elapsed());
                self.reporter.at(to, SubscriberState::Running);
                Ok(Some(to))
            }
            Err(error) => match error.downcast_ref() {
                Some(StepError::Fenced) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Reads the checkpoint. A read model of an earlier version is made anew first.
    async fn find(&mut self) -> Result<Option<Position>, BoxError> {
        self.pages.forget();
        self.reporter.looks();
        match self.worker.checkpoint().await {
            Ok(at) => {
                let state = self.reporter.watch().borrow().state.clone();
                let state = match state {
                    SubscriberState::Waiting { .. } => state,
                    _ => SubscriberState::Running,
                };
                self.reporter.at(at, state);
                Ok(Some(at))
            }
            Err(error) => match error.downcast_ref() {
                Some(Halt::Outdated { .. }) => {
                    self.reporter.at(Position::ZERO, SubscriberState::Rebuilding);
                    let progress = ProgressReporter::new(self.reporter.sender());
                    tokio::select! {
                        biased;
                        _ = self.stop.wait_for(|stop| *stop) => {}
                        renewed = self.worker.renew(progress) => renewed?,
                    }
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Lets the batch fill up, but not for longer than its first event may wait.
    async fn gather(&mut self, at: Position, page: LogPage) -> Result<LogPage, BoxError> {
        if page.events.len() >= self.options.batch_events {
            return Ok(page);
        }
        let full = at.plus(self.options.batch_events as u64 - 1);
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => {}
            () = sleep(self.options.batch_wait) => {}
            head = self.store.wait_beyond(full) => { head?; }
        }
        Ok(self.store.read_log(at, &self.worker.filter(), self.options.batch_events).await?)
    }

    /// Waits for more, with nothing left to do.
    async fn rest(&mut self, at: Position) -> Result<Option<Position>, BoxError> {
        let moving = self.reporter.is_moving();
        let renewal = async {
            match self.tenant.rest() {
                Some(rest) => sleep(rest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => {}
            head = self.store.wait_beyond(at) => self.reporter.head(head?),
            () = sleep(LOOK), if moving => {}
            // Whoever else moved the checkpoint meanwhile is seen now.
            () = renewal => return Ok(None),
            () = self.worker.disturbed() => return Ok(None),
        }
        Ok(Some(at))
    }

    /// Waits for its turn, and tells how far the one who has it has come.
    async fn follow(&mut self, at: Position, until: Timestamp) -> Result<Option<Position>, BoxError> {
        self.pages.forget();
        self.reporter.at(at, SubscriberState::Waiting { until });
        let further = async {
            let head = self.store.wait_beyond(at).await?;
            self.reporter.head(head);
            sleep(FOLLOW).await;
            Ok::<_, BoxError>(())
        };
        tokio::select! {
            biased;
            _ = self.stop.wait_for(|stop| *stop) => {}
            () = sleep(Tenant::ASK) => {}
            waited = further => waited?,
        }
        Ok(None)
    }

    /// Asks for the head from time to time, for the status of one that is behind.
    async fn look(&mut self, at_least: Position) -> Result<(), BoxError> {
        self.reporter.head(at_least);
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.reporter.head(self.store.head().await?);
            self.looked = Some(Instant::now());
        }
        Ok(())
    }

    async fn pause(&mut self, failures: &mut u32, error: String) {
        *failures += 1;
        let name = self.reporter.name();
        tracing::warn!(subscriber = name, attempts = *failures, %error, "a subscriber failed and will try again");
        let pause =
            backoff(self.options.first_retry, *failures, &*self.ids).min(self.options.longest_retry);
        self.reporter.retrying(*failures, error, pause);
        // A stop ends the pause; the loop sees it.
        let _ = tokio::time::timeout(pause, self.stop.wait_for(|stop| *stop)).await;
    }
}
