//! The outbox's runner: does what process managers asked for, when it is due.

mod attempt;
mod glance;
mod lanes;
mod measure;
mod seat;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use self::glance::Glances;
use self::lanes::{Came, Lanes};
use self::seat::Seat;
use super::ErasedProcess;
use crate::dispatch::{Dispatcher, backoff, panic_message};
use crate::{BoxError, OutboxEntry, Position, ProcessOptions, Router, StoreError, Timestamp, describe};

/// How often the runner looks for tasks of which nobody told it: those of a process that has died.
const POLL: Duration = Duration::from_millis(500);

/// How many instances have a command under way at a time.
const CONCURRENCY: usize = 256;

/// How many tasks are looked for at a time, beside those that are under way.
const BATCH: usize = 1_024;

/// How often old tasks are forgotten, at most.
const PRUNE: Duration = Duration::from_secs(10);

pub(crate) struct Outbox {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) router: Arc<Router>,
    pub(crate) processes: BTreeMap<&'static str, Arc<dyn ErasedProcess>>,
    pub(crate) options: ProcessOptions,
    /// For how long a runner that has died without a word keeps its share, unless the store knows of its death.
    pub(crate) lease: Duration,
    /// Told when there are new tasks.
    pub(crate) wake: Arc<Notify>,
    /// Tells when tasks were done.
    pub(crate) progress: Arc<Notify>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Outbox {
    /// Works on what is due until told to stop. What is under way then is finished, what is not waits in
    /// the store.
    pub(crate) async fn run(self) {
        let core = self.dispatcher.core();
        let (store, clock) = (Arc::clone(&core.store), Arc::clone(&core.clock));
        let seat = Seat::new(store, clock, &*core.ids, self.lease);
        Runner::new(&self).run(seat).await;
    }
}

/// What is under way. Instances go on side by side; what came of them is recorded in groups, as large as they get
/// while the group before is being recorded.
struct Runner<'a> {
    outbox: &'a Outbox,
    stop: watch::Receiver<bool>,
    lanes: Lanes,
    under_way: FuturesUnordered<BoxFuture<'a, (OutboxEntry, Came)>>,
    /// Whether there may be tasks that were not seen yet.
    look: bool,
    /// How many tasks are looked for.
    batch: usize,
    /// When the next task is due, as far as is known.
    next_due: Option<Timestamp>,
    next_pruning: Timestamp,
    /// Whether there are other runners, who tell nothing of the tasks that their processes have asked for.
    has_company: bool,
    glances: Glances,
    /// How far the log has come, for as long as there are others.
    head: Position,
    /// How often in a row the store has failed, and until when it is left alone.
    failures: u32,
    pause: Option<Instant>,
}

impl<'a> Runner<'a> {
    fn new(outbox: &'a Outbox) -> Self {
        Self {
            outbox,
            stop: outbox.stop.clone(),
            lanes: Lanes::default(),
            under_way: FuturesUnordered::new(),
            look: true,
            batch: BATCH,
            next_due: None,
            next_pruning: outbox.dispatcher.core().clock.now(),
            has_company: false,
            glances: Glances::default(),
            head: Position::ZERO,
            failures: 0,
            pause: None,
        }
    }

    async fn run(mut self, mut seat: Seat) {
        loop {
            let stops = *self.stop.borrow();
            if stops && self.under_way.is_empty() {
                // What cannot be recorded now is tried once more at the next start, and changes nothing then.
                if self.lanes.any_came() {
                    let _ = self.record().await;
                }
                return seat.give_up().await;
            }
            let worked = match self.pause {
                None if self.lanes.any_came() => self.record().await,
                None if self.look && !stops => self.take(&mut seat).await,
                _ => {
                    self.wait(stops).await;
                    continue;
                }
            };
            match worked {
                Ok(()) => self.failures = 0,
                Err(error) => self.failed(&error),
            }
        }
    }

    /// Waits for anything to happen.
    async fn wait(&mut self, stops: bool) {
        let core = self.outbox.dispatcher.core();
        let pause = self.pause.unwrap_or_else(|| self.glances.next(Instant::now() + POLL));
        let looks = !self.look && self.pause.is_none() && !stops;
        let due = self.next_due.filter(|_| looks).map(|next| core.clock.wait_until(next));
        let moved = (looks && self.has_company).then(|| core.store.wait_beyond(self.head));
        let (due, moved) = (OptionFuture::from(due), OptionFuture::from(moved));
        tokio::select! {
            biased;
            Some((entry, came)) = self.under_way.next() => self.came(&entry, came),
            () = ends(&mut self.stop), if !stops => {}
            () = self.outbox.wake.notified(), if !stops => self.look = true,
            () = tokio::time::sleep_until(pause) => {
                self.glances.taken(Instant::now(), POLL);
                (self.look, self.pause) = (true, None);
            }
            Some(()) = due => self.look = true,
            // Whoever leads a process manager will ask for something because of that, and tell nobody here.
            Some(head) = moved => match head {
                Ok(head) => {
                    self.head = head;
                    self.glances.stir(Instant::now());
                }
                Err(error) => self.failed(&error.into()),
            },
        }
        while let Some(Some((entry, came))) = self.under_way.next().now_or_never() {
            self.came(&entry, came);
        }
    }

    fn failed(&mut self, error: &BoxError) {
        measure::failed();
        self.failures += 1;
        let (attempts, error) = (self.failures, describe(&**error));
        tracing::warn!(attempts, %error, "the outbox failed and will try again");
        let ids = &*self.outbox.dispatcher.core().ids;
        self.pause = Some(Instant::now() + backoff(self.outbox.options.first_retry, attempts, ids));
        self.look = true;
    }

    /// Records what came, and lets those go on who waited for it.
    async fn record(&mut self) -> Result<(), BoxError> {
        let core = self.outbox.dispatcher.core();
        let (outcomes, count) = (self.lanes.unrecorded(), self.lanes.count_came());
        if !outcomes.is_empty() {
            self.call(core.store.settle_tasks(outcomes, core.clock.now())).await?;
        }
        self.lanes.recorded(count);
        self.look = true;
        self.outbox.progress.notify_waiters();
        Ok(())
    }

    /// Takes tasks that are due, and lets go of old ones.
    async fn take(&mut self, seat: &mut Seat) -> Result<(), BoxError> {
        let core = self.outbox.dispatcher.core();
        self.look = false;
        let share = self.call(seat.share()).await?;
        self.has_company = share.is_some_and(|share| share.of() > 1);
        let Some(share) = share.filter(|_| self.lanes.len() < CONCURRENCY) else { return Ok(()) };
        let now = core.clock.now();
        let limit = self.batch + self.lanes.tasks();
        let entries = self.call(core.store.due_tasks(now, share, limit)).await?;
        measure::due(entries.len());
        let is_full = entries.len() >= limit;
        let first = self.lanes.take(entries, CONCURRENCY);
        let any_first = !first.is_empty();
        first.into_iter().for_each(|entry| self.start(entry));
        if is_full {
            // Where those that are under way or wait for others fill the page, what lies behind them is looked for.
            self.look = true;
            self.batch = if any_first { BATCH } else { self.batch.saturating_mul(2) };
        } else {
            self.batch = BATCH;
            self.next_due = self.call(core.store.next_due(now)).await?;
        }
        if now >= self.next_pruning {
            self.next_pruning = now.plus(PRUNE.min(self.outbox.options.keep_done));
            self.call(core.store.prune_tasks(now.minus(self.outbox.options.keep_done))).await?;
        }
        Ok(())
    }

    fn start(&mut self, entry: OutboxEntry) {
        let outbox = self.outbox;
        self.under_way.push(
            async move {
                let came = outbox.attempt(&entry).await;
                (entry, came)
            }
            .boxed(),
        );
    }

    fn came(&mut self, entry: &OutboxEntry, came: Came) {
        if came == Came::Nothing {
            // The application is about to end. It is not asked again and again meanwhile.
            self.pause = Some(Instant::now() + POLL);
        }
        if let Some(next) = self.lanes.came(entry, came) {
            self.start(next);
        }
    }

    /// Calls the store, while what is under way goes on.
    async fn call<T>(&mut self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, BoxError> {
        let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
        loop {
            tokio::select! {
                biased;
                answer = &mut call => return match answer {
                    Ok(answer) => Ok(answer?),
                    Err(panic) => Err(panic_message(&*panic).into()),
                },
                Some((entry, came)) = self.under_way.next() => self.came(&entry, came),
            }
        }
    }
}

async fn ends(stop: &mut watch::Receiver<bool>) {
    // The sender may be gone, with the application.
    let _ = stop.wait_for(|stop| *stop).await;
}
