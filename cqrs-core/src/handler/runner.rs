//! The runner around a desk: reads the log, delivers, commits.

use std::collections::VecDeque;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::calls::{Calls, Committed, Page, Seen};
use super::delivery::{Counter, Event, panicked};
use super::desk::{Desk, Outcome, Stored};
use super::insist::Troubles;
use super::lane::{Key, after};
use super::{EventHandler, HandlerOptions};
use crate::subscribe::{Reporter, Tenant, Whose};
use crate::{Clock, EventPart, IdSource, Position, Store, SubscriberState, describe};

/// How often the runner looks for what an operator wants, when nobody of this process tells it.
const POLL: Duration = Duration::from_millis(500);

/// How often the status of a runner that has something to do is looked after: the head of the log while it is behind,
/// its rate, and for how long its oldest event has been waiting.
const ROUND: Duration = Duration::from_secs(1);

/// Runs one event handler.
pub(crate) struct HandlerRunner<H> {
    counter: Arc<Counter<H>>,
    calls: Calls<H>,
    clock: Arc<dyn Clock>,
    marks: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
}

/// What a handler needs of the application around it.
pub(crate) struct Around {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    /// Changes when an operator of this process has marked parked events.
    pub(crate) marks: watch::Receiver<u64>,
    /// Becomes true when the handler is to end.
    pub(crate) stop: watch::Receiver<bool>,
}

/// How a life of a runner ends.
enum Ended {
    /// For good.
    Stopped,
    /// Another runner works, or has worked.
    Fenced,
    /// It was another one's turn.
    Waited,
}

/// A call of the store under way.
type Slot<T> = Option<BoxFuture<'static, T>>;

async fn answer<T>(slot: &mut Slot<T>) -> T {
    match slot {
        Some(call) => {
            let answer = call.await;
            *slot = None;
            answer
        }
        None => pending().await,
    }
}

/// What a life has under way, besides deliveries.
struct Work<H: EventHandler> {
    reading: Slot<Page<H>>,
    committing: Slot<Committed>,
    looking: Slot<Seen>,
    /// Asks for the head of the log.
    heading: Slot<Position>,
    /// Whether there is likely to be more of the log than was read.
    is_behind: bool,
    next_round: Instant,
    /// Parked lanes to be read.
    loads: VecDeque<(Key, EventPart)>,
    /// What is true, and what can be read, once the step under way is stored.
    stored: Option<(Position, Vec<(Key, EventPart)>)>,
    /// Since when there is something to store.
    news_since: Option<Instant>,
    next_look: Instant,
    /// Whether a failure has ended the handler.
    ended: bool,
}

impl<H: EventHandler> HandlerRunner<H> {
    pub(crate) fn new(handler: H, options: HandlerOptions, around: Around, reporter: Reporter) -> Self {
        let Around { store, clock, ids, marks, stop } = around;
        let options = options.bounded();
        let troubles =
            Troubles::new(reporter, H::NAME, Arc::clone(&ids), (options.first_retry, options.max_retry));
        let counter = Arc::new(Counter { handler, store, ids, options });
        let calls = Calls::new(Arc::clone(&counter), Arc::new(troubles), stop.clone());
        Self { counter, calls, clock, marks, stop }
    }

    /// Delivers until told to stop, whenever it holds the lease. What is under way then is finished and recorded.
    pub(crate) async fn run(self) {
        let Counter { store, ids, options, .. } = &*self.counter;
        let lease = Some(format!("handler {}", H::NAME));
        let mut tenant =
            Tenant::new(Arc::clone(store), Arc::clone(&self.clock), &**ids, lease, options.lease);
        let mut stop = self.stop.clone();
        let mut failures = 0;
        let mut seen = None;
        while !*self.stop.borrow() {
            let mut tasks = JoinSet::new();
            let lived = AssertUnwindSafe(self.one_life(&mut tenant, &mut tasks, &mut seen));
            let lived = lived.catch_unwind().await;
            // Whatever runs still is delivered again, and not at the same time.
            tasks.shutdown().await;
            self.calls.troubles.clear();
            match lived {
                Ok(Ended::Stopped) => break,
                // A failure has ended it before.
                Ok(Ended::Fenced) | Err(_) if self.calls.troubles.reporter.is_stopped() => break,
                Ok(Ended::Waited) => failures = 0,
                Ok(Ended::Fenced) => {
                    tracing::info!(
                        handler = H::NAME,
                        "somebody else has moved the checkpoint, or may have"
                    );
                    tenant.doubt();
                    failures = 0;
                }
                Err(panic) => {
                    failures += 1;
                    let pause = self.calls.troubles.pause("run", failures, describe(&*panicked(&*panic)));
                    tokio::select! {
                        () = stopped(&mut stop) => {}
                        () = pause => {}
                    }
                }
            }
        }
        tenant.give_back().await;
    }

    /// Works as long as it is this runner's turn, or waits for a while when it is not.
    async fn one_life(
        &self,
        tenant: &mut Tenant,
        tasks: &mut JoinSet<(Key, Outcome)>,
        seen: &mut Option<u64>,
    ) -> Ended {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stopped(&mut stop) => return Ended::Stopped,
            is_ours = self.turn(tenant, seen) => if !is_ours {
                return Ended::Waited;
            },
        }
        tokio::select! {
            biased;
            ended = self.live(tasks) => ended,
            () = self.lost(tenant) => Ended::Fenced,
        }
    }

    /// Whether it is this runner's turn. While it is another one's, it tells how far that one has come, once, and waits
    /// until it may be otherwise. `seen` is the revision that it has told of.
    async fn turn(&self, tenant: &mut Tenant, seen: &mut Option<u64>) -> bool {
        let reporter = &self.calls.troubles.reporter;
        let mut failures = 0;
        let until = loop {
            match tenant.hold().await {
                Ok(Whose::Ours) => {
                    self.calls.troubles.over("take its turn", ());
                    reporter.is(SubscriberState::Running);
                    return true;
                }
                Ok(Whose::Theirs { until }) => break self.calls.troubles.over("take its turn", until),
                Err(error) => {
                    failures += 1;
                    self.calls.troubles.pause("take its turn", failures, describe(&error)).await;
                }
            }
        };
        let revision = self.calls.revision().await;
        reporter.head(self.calls.head().await);
        if seen.replace(revision) != Some(revision) {
            let desk = self.calls.load().await;
            reporter.parked(desk.held_back() as u64);
            reporter.reached(desk.settled());
        }
        reporter.waits(None);
        reporter.stays();
        reporter.is(SubscriberState::Waiting { until });
        sleep(Tenant::ASK).await;
        false
    }

    /// Waits until another runner has the lease, or may have it, and renews it until then.
    async fn lost(&self, tenant: &mut Tenant) {
        const WHAT: &str = "keep its lease";
        let mut failures = 0;
        loop {
            match tenant.hold().await {
                Ok(Whose::Ours) => {
                    if failures > 0 {
                        failures = self.calls.troubles.over(WHAT, 0);
                        // It may be at rest, and would not tell by itself.
                        if self.calls.troubles.any().is_none() {
                            self.calls.troubles.reporter.is(SubscriberState::Running);
                        }
                    }
                    sleep(tenant.rest().unwrap_or(Tenant::ASK)).await;
                }
                Ok(Whose::Theirs { .. }) => return,
                Err(_) if tenant.is_over() => return,
                Err(error) => {
                    failures += 1;
                    self.calls.troubles.tell(WHAT, failures, describe(&error), Tenant::ASK);
                    sleep(Tenant::ASK).await;
                }
            }
        }
    }

    /// From what the store has, until the end or until another runner was faster.
    async fn live(&self, tasks: &mut JoinSet<(Key, Outcome)>) -> Ended {
        let (mut stop, mut marks) = (self.stop.clone(), self.marks.clone());
        let mut desk = tokio::select! {
            () = stopped(&mut stop) => return Ended::Stopped,
            desk = self.calls.load() => desk,
        };
        let mut work = Work {
            reading: None,
            committing: None,
            looking: None,
            heading: None,
            is_behind: false,
            next_round: Instant::now(),
            loads: VecDeque::new(),
            stored: None,
            news_since: None,
            next_look: Instant::now(),
            ended: false,
        };
        loop {
            let now = Instant::now();
            let stopping = work.ended || *self.stop.borrow();
            self.begin_what_can_be(&mut desk, &mut work, tasks, now, stopping);
            if stopping && tasks.is_empty() && work.committing.is_none() {
                return Ended::Stopped;
            }
            self.tell(&desk, &work);
            if !stopping && now >= work.next_round && self.has_rounds(&desk, &work) {
                self.round(&desk, &mut work, now);
            }
            let due = self.next_due(&desk, &work, stopping);
            tokio::select! {
                biased;
                () = stopped(&mut stop), if !stopping => {}
                Some(ended) = tasks.join_next() => match ended {
                    Ok((key, outcome)) => self.delivered(&mut desk, &mut work, &key, outcome),
                    // Whatever panics is no code of the handler's, nor that of its events.
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => return Ended::Fenced,
                    },
                },
                committed = answer(&mut work.committing) => {
                    let Some((settled, loads)) = work.stored.take() else { continue };
                    match committed {
                        Committed::Yes => {
                            self.calls.troubles.reporter.reached(settled);
                            work.loads.extend(loads);
                        }
                        Committed::Fenced => return Ended::Fenced,
                        Committed::GaveUp => return Ended::Stopped,
                    }
                }
                seen = answer(&mut work.looking) => match seen {
                    Seen::Rows(key, rows) => desk.loaded(&key, &rows),
                    Seen::Marked(rows) => desk.marked(&rows),
                },
                head = answer(&mut work.heading) => self.calls.troubles.reporter.head(head),
                page = answer(&mut work.reading) => {
                    self.calls.troubles.reporter.head(page.scanned_to);
                    work.is_behind = page.is_full;
                    desk.page(page.arrivals, page.scanned_to);
                }
                Ok(()) = marks.changed() => work.next_look = Instant::now(),
                () = until(due) => {}
            }
        }
    }

    /// Fills the slots that are free.
    fn begin_what_can_be(
        &self,
        desk: &mut Desk<Event<H>>,
        work: &mut Work<H>,
        tasks: &mut JoinSet<(Key, Outcome)>,
        now: Instant,
        stopping: bool,
    ) {
        if !stopping {
            for delivery in desk.deliveries(now) {
                tasks.spawn(Arc::clone(&self.counter).deliver(delivery));
            }
            let room = desk.room();
            if work.reading.is_none() && room > 0 {
                work.reading = Some(self.calls.page(desk.read_to(), room));
            }
            if work.looking.is_none() {
                work.looking = self.next_look(desk, work, now);
            }
        }
        if work.committing.is_some() {
            return;
        }
        if !desk.has_news() {
            work.loads.extend(desk.take_loads());
            return;
        }
        let since = *work.news_since.get_or_insert(now);
        let options = &self.counter.options;
        if desk.is_idle()
            || desk.has_loads()
            || desk.unstored() >= options.in_flight.div_ceil(4)
            || now >= after(since, options.commit_every)
            || (stopping && tasks.is_empty())
        {
            let Stored { step, settled, loads } = desk.step(self.clock.now());
            work.news_since = None;
            work.stored = Some((settled, loads));
            work.committing = Some(self.calls.commit(step));
        }
    }

    /// What to read of parked events: lanes that go on, or what an operator wants.
    fn next_look(&self, desk: &Desk<Event<H>>, work: &mut Work<H>, now: Instant) -> Slot<Seen> {
        if let Some((key, after)) = work.loads.pop_front() {
            return Some(self.calls.rows(key, after));
        }
        if !desk.heeds_operators() || now < work.next_look {
            return None;
        }
        work.next_look = now + POLL;
        Some(self.calls.marked())
    }

    /// When there is something to begin, even though nothing happens by then. What is stopping begins commits alone.
    fn next_due(&self, desk: &Desk<Event<H>>, work: &Work<H>, stopping: bool) -> Option<Instant> {
        let commit = work.news_since.map(|since| after(since, self.counter.options.commit_every));
        let commit = commit.filter(|_| work.committing.is_none());
        if stopping {
            return commit;
        }
        let look = Some(work.next_look).filter(|_| desk.heeds_operators() && work.looking.is_none());
        let round = Some(work.next_round).filter(|_| self.has_rounds(desk, work));
        [desk.next_due(), commit, look, round].into_iter().flatten().min()
    }

    /// Whether its status becomes another one even though nothing happens.
    fn has_rounds(&self, desk: &Desk<Event<H>>, work: &Work<H>) -> bool {
        let is_behind = work.is_behind || work.reading.is_none();
        is_behind || !desk.is_at_rest() || self.calls.troubles.reporter.is_moving()
    }

    /// Looks after the status.
    fn round(&self, desk: &Desk<Event<H>>, work: &mut Work<H>, now: Instant) {
        work.next_round = now + ROUND;
        self.calls.troubles.reporter.waits(desk.oldest());
        self.calls.troubles.reporter.stays();
        if work.heading.is_none() && (work.is_behind || work.reading.is_none()) {
            work.heading = Some(self.calls.head());
        }
    }

    fn delivered(&self, desk: &mut Desk<Event<H>>, work: &mut Work<H>, key: &Key, outcome: Outcome) {
        if let Outcome::Stop { error } = &outcome {
            work.ended = true;
            let error = Some(error.clone());
            self.calls.troubles.reporter.is(SubscriberState::Stopped { error });
        }
        desk.delivered(key, outcome, Instant::now());
    }

    /// Tells how it is doing.
    fn tell(&self, desk: &Desk<Event<H>>, work: &Work<H>) {
        self.calls.troubles.reporter.parked(desk.held_back() as u64);
        if work.committing.is_none() && !desk.has_news() {
            self.calls.troubles.reporter.reached(desk.settled());
        }
        if work.ended {
            return;
        }
        let trouble = self.calls.troubles.any().or_else(|| desk.failing().cloned());
        self.calls.troubles.reporter.is(match trouble {
            Some((attempts, error)) => {
                let due = desk.next_due().map_or(Duration::ZERO, |due| due - Instant::now());
                SubscriberState::Retrying { attempts, error, next_attempt: self.clock.now().plus(due) }
            }
            None => SubscriberState::Running,
        });
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => pending().await,
    }
}
