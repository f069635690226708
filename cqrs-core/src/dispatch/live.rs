//! Live aggregates: the ones in use, with their state and the commands that wait for them.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::job::Job;
use super::turn::State;
use crate::{Aggregate, StreamId};

/// One aggregate in memory. An idle one has no task, only its state.
pub(super) struct Live<A: Aggregate> {
    pub(super) stream: StreamId,
    queue: Mutex<Queue<A>>,
    /// Empty while a turn has it, before the first turn, and after a failure.
    state: Mutex<Option<State<A>>>,
}

struct Queue<A: Aggregate> {
    jobs: VecDeque<Box<dyn Job<A>>>,
    /// Whether a task runs turns.
    running: bool,
}

/// No code that can panic runs while these locks are held, so a poisoned one guards sound data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A: Aggregate> Live<A> {
    fn new(stream: StreamId) -> Self {
        let queue = Queue { jobs: VecDeque::new(), running: false };
        Self { stream, queue: Mutex::new(queue), state: Mutex::new(None) }
    }

    /// Puts a command at the queue's end. True when the caller must see to it that turns are run.
    fn push(&self, job: Box<dyn Job<A>>) -> bool {
        let mut queue = lock(&self.queue);
        queue.jobs.push_back(job);
        !std::mem::replace(&mut queue.running, true)
    }

    /// The commands of the next turn; none when nobody waits, and then the runner must end.
    pub(super) fn next_turn(&self, limit: usize) -> Option<VecDeque<Box<dyn Job<A>>>> {
        let mut queue = lock(&self.queue);
        if queue.jobs.is_empty() {
            queue.running = false;
            return None;
        }
        if queue.jobs.len() <= limit {
            return Some(std::mem::take(&mut queue.jobs));
        }
        Some(queue.jobs.drain(..limit).collect())
    }

    pub(super) fn take_state(&self) -> Option<State<A>> {
        lock(&self.state).take()
    }

    pub(super) fn put_state(&self, state: State<A>) {
        *lock(&self.state) = Some(state);
    }

    fn is_idle(&self) -> bool {
        let queue = lock(&self.queue);
        queue.jobs.is_empty() && !queue.running
    }
}

/// The live aggregates of one type: bounded, the least recently used goes first.
pub(super) struct LiveSet<A: Aggregate> {
    lives: Mutex<LruCache<StreamId, Arc<Live<A>>>>,
    capacity: NonZeroUsize,
}

impl<A: Aggregate> LiveSet<A> {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { lives: Mutex::new(LruCache::unbounded()), capacity }
    }

    /// Queues a command at its aggregate. Returns the aggregate when the caller must run its turns.
    ///
    /// The command is queued under the set's lock, so an aggregate with a command is never taken for idle.
    pub(super) fn enqueue(&self, stream: StreamId, job: Box<dyn Job<A>>) -> Option<Arc<Live<A>>> {
        let mut lives = lock(&self.lives);
        let live = match lives.get(&stream) {
            Some(live) => Arc::clone(live),
            None => {
                self.make_room(&mut lives);
                let live = Arc::new(Live::new(stream.clone()));
                lives.put(stream, Arc::clone(&live));
                live
            }
        };
        live.push(job).then_some(live)
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
        let set = LiveSet::new(NonZeroUsize::new(3).unwrap());
        let busy = set.enqueue(stream(0), job()).unwrap();
        for key in 1..10 {
            let live = set.enqueue(stream(key), job()).unwrap();
            while live.next_turn(1).is_some() {}
        }
        assert_eq!(lock(&set.lives).len(), 3);
        assert!(set.enqueue(stream(0), job()).is_none(), "its turns are run already");
        assert_eq!(busy.next_turn(10).unwrap().len(), 2);
    }

    #[test]
    fn a_state_stays_with_its_aggregate() {
        let set = LiveSet::new(NonZeroUsize::new(1).unwrap());
        let live = set.enqueue(stream(1), job()).unwrap();
        live.put_state(State { aggregate: Nothing, version: Version::new(7) });
        while live.next_turn(1).is_some() {}
        let again = set.enqueue(stream(1), job()).unwrap();
        assert_eq!(again.take_state().unwrap().version, Version::new(7));
    }
}
