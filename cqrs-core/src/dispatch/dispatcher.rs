//! The dispatcher: from commands to turns.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use super::job::{CommandJob, Observer, Rejected};
use super::live::LiveSet;
use super::middleware::{Stack, Watch};
use super::ready::ReadyQueue;
use super::{DispatchError, DispatchOptions, Envelope, Reply, expiry, turn};
use crate::{Aggregate, Clock, Command, IdSource, Store, StoreError};

/// How many snapshots are made at a time: enough to keep up, few enough to hold up no commit for long.
const SNAPSHOTS: u32 = 4;

/// What every turn needs.
pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdSource>,
    pub(crate) options: DispatchOptions,
    pub(super) middleware: Stack,
    /// Bounds the snapshots that are being made.
    pub(super) snapshots: Arc<Semaphore>,
}

/// Accepts commands of any type. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    core: Arc<Core>,
    queue: Arc<ReadyQueue>,
    /// One [`LiveSet`] per type of aggregate.
    live_sets: Arc<RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>,
    in_flight: Arc<Semaphore>,
    closing: Arc<AtomicBool>,
}

impl Dispatcher {
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        options: DispatchOptions,
        middleware: Stack,
    ) -> Self {
        let snapshots = Arc::new(Semaphore::new(SNAPSHOTS as usize));
        let core = Arc::new(Core { store, clock, ids, options, middleware, snapshots });
        Self {
            queue: Arc::new(ReadyQueue::start(Arc::clone(&core))),
            core,
            live_sets: Arc::default(),
            in_flight: Arc::new(Semaphore::new(options.max_in_flight as usize)),
            closing: Arc::default(),
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Accepts a command, at once or not at all unless `wait`; what comes back is answered in any case,
    /// also when nobody waits for it any more.
    async fn accept<C: Command>(
        &self,
        command: C,
        mut envelope: Envelope,
        observer: Option<Observer<C::Aggregate>>,
        wait: bool,
    ) -> Result<oneshot::Receiver<Reply<C>>, DispatchError<Rejected<C>>> {
        const { turn::check_category::<C::Aggregate>() };
        let stream = C::Aggregate::stream(command.aggregate_id())
            .map_err(|error| DispatchError::Invalid(error.into()))?;
        if self.closing.load(Ordering::Acquire) {
            return Err(DispatchError::ShuttingDown);
        }
        let watch = Watch::begin(&self.core.middleware, &command, &mut envelope, &stream).await?;
        let (reply, answer) = oneshot::channel();
        let mut job = CommandJob::new(command, envelope, observer, watch, reply);
        match self.permit(wait).await {
            Ok(permit) => job.hold(permit),
            Err(error) => {
                job.answer(Err(error));
                return Ok(answer);
            }
        }
        self.queue.arrived(1);
        if let Some(live) = self.live_set::<C::Aggregate>().enqueue(stream, Box::new(job)) {
            self.queue.push(live);
        }
        Ok(answer)
    }

    /// Accepts a command and waits for its answer.
    pub(crate) async fn dispatch<C: Command>(
        &self,
        command: C,
        envelope: Envelope,
        observer: Option<Observer<C::Aggregate>>,
        wait: bool,
    ) -> Reply<C> {
        let command_id = envelope.command_id;
        let answer = self.accept(command, envelope, observer, wait).await?;
        answer.await.unwrap_or_else(|_| {
            // A job answers even when it is dropped, so this is the end of the runtime.
            let source = StoreError::OutcomeUnknown { source: "the turn was dropped".into() };
            Err(DispatchError::OutcomeUnknown { command_id, source: Arc::new(source) })
        })
    }

    /// One of the permits that bound the commands under way.
    ///
    /// It is taken without awaiting when there is one, so that callers who are polled in order are queued
    /// in order: an awaited permit would now and then yield to the runtime instead.
    async fn permit<E>(&self, wait: bool) -> Result<OwnedSemaphorePermit, DispatchError<E>> {
        match Arc::clone(&self.in_flight).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::NoPermits) if wait => {}
            Err(TryAcquireError::NoPermits) => {
                return Err(DispatchError::Overloaded { limit: self.core.options.max_in_flight });
            }
            Err(TryAcquireError::Closed) => return Err(DispatchError::ShuttingDown),
        }
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        permit.map_err(|_| DispatchError::ShuttingDown)
    }

    fn live_set<A: Aggregate>(&self) -> Arc<LiveSet<A>> {
        let key = TypeId::of::<A>();
        let known = {
            let sets = self.live_sets.read().unwrap_or_else(PoisonError::into_inner);
            sets.get(&key).cloned()
        };
        let set = known.unwrap_or_else(|| {
            let mut sets = self.live_sets.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sets.entry(key).or_insert_with(|| new_live_set::<A>(&self.core.options)))
        });
        #[expect(clippy::expect_used, reason = "the key is the type of the set's aggregate")]
        set.downcast().expect("a set of this type")
    }

    /// Refuses new commands, and returns when those under way are answered and no snapshot is being made.
    pub(crate) async fn drain(&self) {
        self.closing.store(true, Ordering::Release);
        // Permits are given out in order: all of them are free only when everybody before is answered. An error
        // means that another call has been here already.
        let _all = self.in_flight.acquire_many(self.core.options.max_in_flight).await;
        self.in_flight.close();
        let _made = self.core.snapshots.acquire_many(SNAPSHOTS).await;
    }
}

/// A set of live aggregates, and the task that lets those go that have rested long enough.
fn new_live_set<A: Aggregate>(options: &DispatchOptions) -> Arc<dyn Any + Send + Sync> {
    let set = Arc::new(LiveSet::<A>::new(options.live_aggregates, options.live_idle));
    tokio::spawn(expiry::sweep(Arc::downgrade(&set), Arc::clone(&set.expiry)));
    set
}
