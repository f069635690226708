//! Live aggregates: the ones in use, with their state and the commands that wait for them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use super::expiry::Expiry;
use super::job::Job;
use super::turn::State;
use crate::{Aggregate, StreamId};

/// Commands of one aggregate, in order.
pub(super) type Jobs<A> = VecDeque<Box<dyn Job<A>>>;

/// One aggregate in memory.
pub(super) struct Live<A: Aggregate> {
    pub(super) stream: StreamId,
    inner: Mutex<Inner<A>>,
    expiry: Arc<Expiry>,
}

struct Inner<A: Aggregate> {
    jobs: Jobs<A>,
    /// Empty while a turn has it, before the first turn, and after a failure.
    state: Option<State<A>>,
    /// Whether it is in the committer's queue, in a turn, or being read: somebody sees to its commands.
    busy: bool,
    /// How often in a row a turn got nowhere because another process wrote first.
    conflicts: u32,
    /// How long it may rest.
    lifespan: Option<Duration>,
    /// Since when it rests.
    rests_since: Option<Instant>,
    /// When it is looked at next.
    looked_at: Option<Instant>,
}

/// What an aggregate can do next.
pub(super) enum Next<A: Aggregate> {
    /// Decide these commands on this state.
    Turn(State<A>, Jobs<A>),
    /// Have its state read first.
    Cold,
    /// Rest.
    Nothing,
}

/// No code that can panic runs while these locks are held, so a poisoned one guards sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A: Aggregate> Live<A> {
    fn new(stream: StreamId, lifespan: Option<Duration>, expiry: Arc<Expiry>) -> Self {
        let inner = Inner {
            jobs: VecDeque::new(),
            state: None,
            busy: false,
            conflicts: 0,
            lifespan,
            rests_since: None,
            looked_at: None,
        };
        Self { stream, inner: Mutex::new(inner), expiry }
    }

    /// Puts a command at the queue's end. True when the caller must see to it that it is decided.
    fn push(&self, job: Box<dyn Job<A>>) -> bool {
        let mut inner = lock(&self.inner);
        inner.jobs.push_back(job);
        !std::mem::replace(&mut inner.busy, true)
    }

    /// Takes out what the next turn needs, of at most so many commands.
    pub(super) fn next(&self, limit: usize) -> Next<A> {
        let mut inner = lock(&self.inner);
        if inner.jobs.is_empty() {
            inner.rest(&self.stream, &self.expiry);
            return Next::Nothing;
        }
        let Some(state) = inner.state.take() else { return Next::Cold };
        if inner.jobs.len() <= limit {
            return Next::Turn(state, std::mem::take(&mut inner.jobs));
        }
        Next::Turn(state, inner.jobs.drain(..limit).collect())
    }

    /// All commands that wait.
    pub(super) fn take_jobs(&self) -> Jobs<A> {
        std::mem::take(&mut lock(&self.inner).jobs)
    }

    /// Puts commands back before those that came later.
    pub(super) fn put_back(&self, mut jobs: Jobs<A>) {
        let mut inner = lock(&self.inner);
        jobs.append(&mut inner.jobs);
        inner.jobs = jobs;
    }

    pub(super) fn put_state(&self, state: State<A>) {
        lock(&self.inner).state = Some(state);
    }

    /// Says how long it may rest from now on; `None` is for ever.
    pub(super) fn live_for(&self, lifespan: Option<Duration>) {
        lock(&self.inner).lifespan = lifespan;
    }

    /// Counts a turn that got nowhere, or forgets the ones before. Returns how many there were in a row.
    pub(super) fn conflicts(&self, another: bool) -> u32 {
        let mut inner = lock(&self.inner);
        inner.conflicts = if another { inner.conflicts + 1 } else { 0 };
        inner.conflicts
    }

    /// Rests when nobody waits. False when somebody does, who must be seen to.
    pub(super) fn rest(&self) -> bool {
        let mut inner = lock(&self.inner);
        if !inner.jobs.is_empty() {
            return false;
        }
        inner.rest(&self.stream, &self.expiry);
        true
    }

    /// Whether its time to rest is over, when it is looked at as was scheduled.
    fn is_over(&self, scheduled: Instant, now: Instant) -> bool {
        let mut inner = lock(&self.inner);
        if inner.looked_at != Some(scheduled) {
            return false;
        }
        inner.looked_at = None;
        let (false, Some(lifespan), Some(since)) = (inner.busy, inner.lifespan, inner.rests_since) else {
            return false;
        };
        let end = since + lifespan;
        if end > now {
            inner.look_at(end, &self.stream, &self.expiry);
        }
        end <= now
    }

    fn is_idle(&self) -> bool {
        !lock(&self.inner).busy
    }
}

impl<A: Aggregate> Inner<A> {
    fn rest(&mut self, stream: &StreamId, expiry: &Expiry) {
        self.busy = false;
        if let Some(lifespan) = self.lifespan {
            let now = Instant::now();
            self.rests_since = Some(now);
            self.look_at(now + lifespan, stream, expiry);
        }
    }

    /// Has it looked at, at the latest then.
    fn look_at(&mut self, at: Instant, stream: &StreamId, expiry: &Expiry) {
        if self.looked_at.is_none_or(|scheduled| at < scheduled) {
            self.looked_at = Some(at);
            expiry.schedule(at, stream.clone());
        }
    }
}

/// The live aggregates of one type: bounded, the least recently used goes first.
pub(super) struct LiveSet<A: Aggregate> {
    lives: Mutex<LruCache<StreamId, Arc<Live<A>>>>,
    capacity: NonZeroUsize,
    lifespan: Option<Duration>,
    pub(super) expiry: Arc<Expiry>,
}

impl<A: Aggregate> LiveSet<A> {
    pub(super) fn new(capacity: NonZeroUsize, lifespan: Option<Duration>) -> Self {
        Self { lives: Mutex::new(LruCache::unbounded()), capacity, lifespan, expiry: Arc::default() }
    }

    /// Queues a command at its aggregate. Returns the aggregate when the caller must hand it to the committer.
    ///
    /// The command is queued under the set's lock, so an aggregate with a command is never taken for idle.
    pub(super) fn enqueue(&self, stream: StreamId, job: Box<dyn Job<A>>) -> Option<Arc<Live<A>>> {
        let mut lives = lock(&self.lives);
        let live = match lives.get(&stream) {
            Some(live) => Arc::clone(live),
            None => {
                self.make_room(&mut lives);
                let live = Live::new(stream.clone(), self.lifespan, Arc::clone(&self.expiry));
                let live = Arc::new(live);
                lives.put(stream, Arc::clone(&live));
                live
            }
        };
        live.push(job).then_some(live)
    }

    /// Lets an aggregate go that was to be looked at, if its time to rest is over.
    pub(super) fn expire(&self, stream: &StreamId, scheduled: Instant, now: Instant) {
        let mut lives = lock(&self.lives);
        if lives.peek(stream).is_some_and(|live| live.is_over(scheduled, now)) {
            lives.pop(stream);
        }
    }

    /// Lets idle aggregates go. A busy one is passed over: it has commands under way, whose number is
    /// bounded, so the set outgrows its capacity by no more than that.
    fn make_room(&self, lives: &mut LruCache<StreamId, Arc<Live<A>>>) {
        for _ in 0..lives.len() {
            if lives.len() < self.capacity.get() {
                return;
            }
            if let Some((stream, live)) = lives.pop_lru().filter(|(_, live)| !live.is_idle()) {
                lives.put(stream, live);
            }
        }
    }
}

impl<A: Aggregate> Drop for LiveSet<A> {
    fn drop(&mut self) {
        self.expiry.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::job::{Envelope, Failure, Verdict};
    use crate::{CommandId, Dispatched, Event, Metadata, Version};

    #[derive(Default)]
    struct Nothing;

    #[derive(serde::Serialize, serde::Deserialize)]
    enum Never {}

    impl Event for Never {
        const CATEGORY: &'static str = "nothing";
    }

    impl Aggregate for Nothing {
        type Id = String;
        type Event = Never;

        fn apply(&mut self, event: &Never) {
            match *event {}
        }
    }

    struct Idle(Envelope);

    impl Job<Nothing> for Idle {
        fn envelope(&self) -> &Envelope {
            &self.0
        }

        fn decide(&mut self, _: &Nothing) -> Verdict<Never> {
            Verdict::Rejected
        }

        fn observe(&mut self, _: &Nothing) {}

        fn done(self: Box<Self>, _: Dispatched) {}
        fn rejected(self: Box<Self>) {}
        fn failed(self: Box<Self>, _: Failure) {}
    }

    fn job() -> Box<dyn Job<Nothing>> {
        Box::new(Idle(Envelope {
            command_id: CommandId::new(uuid::Uuid::nil()),
            receipt: false,
            expected: None,
            metadata: Metadata::default(),
        }))
    }

    fn stream(key: u32) -> StreamId {
        StreamId::new("nothing", key).unwrap()
    }

    #[test]
    fn idle_aggregates_make_room_and_busy_ones_stay() {
        let set = LiveSet::new(NonZeroUsize::new(3).unwrap(), None);
        let busy = set.enqueue(stream(0), job()).unwrap();
        for key in 1..10 {
            let live = set.enqueue(stream(key), job()).unwrap();
            live.take_jobs();
            assert!(live.rest());
        }
        assert_eq!(lock(&set.lives).len(), 3);
        assert!(set.enqueue(stream(0), job()).is_none(), "somebody sees to it already");
        assert_eq!(busy.take_jobs().len(), 2);
    }

    #[test]
    fn a_state_stays_with_its_aggregate() {
        let set = LiveSet::new(NonZeroUsize::new(1).unwrap(), None);
        let live = set.enqueue(stream(1), job()).unwrap();
        assert!(matches!(live.next(1), Next::Cold));
        live.put_state(State { aggregate: Nothing, version: Version::new(7), snapshot: Version::ZERO });
        assert!(!live.rest(), "a command waits");
        live.take_jobs();
        assert!(live.rest());
        let again = set.enqueue(stream(1), job()).unwrap();
        let Next::Turn(state, jobs) = again.next(1) else { panic!("a turn") };
        assert_eq!((state.version, jobs.len()), (Version::new(7), 1));
    }

    /// Uses an aggregate for a moment.
    fn touch(set: &LiveSet<Nothing>, key: u32, lifespan: Option<Duration>) {
        let live = set.enqueue(stream(key), job()).unwrap();
        live.take_jobs();
        live.live_for(lifespan);
        assert!(live.rest());
    }

    #[tokio::test(start_paused = true)]
    async fn an_aggregate_leaves_when_it_has_rested_long_enough() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let set = Arc::new(LiveSet::new(NonZeroUsize::new(9).unwrap(), seconds(10)));
        tokio::spawn(crate::dispatch::expiry::sweep(Arc::downgrade(&set), Arc::clone(&set.expiry)));
        let alive = |keys: &[u32]| keys.iter().all(|key| lock(&set.lives).contains(&stream(*key)));
        let pass = |time| tokio::time::sleep(Duration::from_secs(time) + Duration::from_millis(1));
        touch(&set, 1, seconds(10));
        touch(&set, 2, seconds(2));
        touch(&set, 3, None);
        let busy = set.enqueue(stream(4), job()).unwrap();
        pass(2).await;
        assert!(alive(&[1, 3, 4]) && !alive(&[2]), "one of a shorter life has left");
        touch(&set, 1, seconds(10));
        pass(9).await;
        assert!(alive(&[1, 3, 4]), "one that was used begins to rest anew");
        pass(1).await;
        assert!(alive(&[3, 4]) && !alive(&[1]));
        pass(1_000).await;
        assert!(alive(&[3, 4]), "one without an end stays, and so does one with commands");
        busy.take_jobs();
        assert!(busy.rest());
        pass(10).await;
        assert!(alive(&[3]) && !alive(&[4]));
    }
}
