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

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.lives).len()
    }
}
