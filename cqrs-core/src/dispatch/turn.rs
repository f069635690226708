//! A turn: all commands that wait for one aggregate, decided on one state, committed together.

mod conclude;
mod decide;
mod hydrate;
mod snapshot;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use conclude::Concluded;
use hydrate::hydrate;
pub(super) use hydrate::state_at;

use super::committer::Answers;
use super::dispatcher::Core;
use super::job::{Failure, Job};
use super::live::{Jobs, Live, Next};
use super::ready::{InFlight, Ready, ReadyQueue};
use super::{backoff, panic_message};
use crate::{Aggregate, Append, AppendError, Appended, CommandId, Event, StoreError, StreamId, Version};

/// An aggregate's state, and how far in its stream it is.
pub(super) struct State<A> {
    pub(super) aggregate: A,
    pub(super) version: Version,
    /// The version of the newest snapshot that was found or made.
    pub(super) snapshot: Version,
}

/// A command after its decision.
struct Decided<A: Aggregate> {
    job: Box<dyn Job<A>>,
    outcome: Outcome,
}

enum Outcome {
    Accepted,
    Rejected,
    Failed(Failure),
}

/// A turn between its decisions and its answers.
///
/// It has the state meanwhile, which is ahead of the store, so nobody else sees it. Only a state that equals the
/// store goes back: memory is never trusted over the store.
struct Turn<A: Aggregate> {
    live: Arc<Live<A>>,
    state: State<A>,
    decided: Vec<Decided<A>>,
    /// Commands that were not reached.
    rest: Jobs<A>,
    /// Whether `apply` panicked, so that nobody knows what is in the state.
    poisoned: bool,
}

impl<A: Aggregate> Ready for Live<A> {
    fn stream(&self) -> &StreamId {
        &self.stream
    }

    fn begin(
        self: Arc<Self>,
        core: &Arc<Core>,
        queue: &ReadyQueue,
        batch: &mut Vec<Append>,
    ) -> Option<Box<dyn InFlight>> {
        let (mut state, jobs) = match self.next(core.options.max_turn_commands) {
            Next::Turn(state, jobs) => (state, jobs),
            Next::Cold => {
                warm(self, core, queue, Duration::ZERO);
                return None;
            }
            Next::Nothing => return None,
        };
        queue.taken(jobs.len());
        let round = decide::decide(&mut state, &self.stream, jobs, core.clock.now(), batch);
        let decide::Round { decided, rest, poisoned } = round;
        Some(Box::new(Turn { live: self, state, decided, rest, poisoned }))
    }

    fn abandon(self: Arc<Self>, core: &Arc<Core>, queue: &ReadyQueue) {
        if !self.rest() {
            warm(self, core, queue, Duration::ZERO);
        }
    }
}

impl<A: Aggregate> InFlight for Turn<A> {
    fn conclude(self: Box<Self>, answers: Answers<'_>, core: &Arc<Core>, queue: &ReadyQueue) -> bool {
        let mut answers = match answers {
            Ok(answers) => answers.take(self.decided.len()),
            Err(error) => {
                let Self { live, decided, rest, .. } = *self;
                conclude::store_failed(decided, &error);
                return after_failure(&live, rest, queue);
            }
        };
        let ask = conclude::receipts_to_ask_for(&self.decided);
        if ask.is_empty() {
            return self.finish(&mut answers, Ok(Vec::new()), core, queue);
        }
        let answers = answers.collect();
        if let Some(queue) = queue.strong() {
            tokio::spawn(ask_and_finish(self, answers, ask, Arc::clone(core), queue));
        }
        false
    }
}

impl<A: Aggregate> Turn<A> {
    /// Answers the turn's commands. True when the aggregate is ready for another turn.
    ///
    /// A rejection is judged by the store like everything else: what it rests on may have been overtaken by
    /// another process, or by an append of the same turn that failed.
    fn finish(
        self,
        answers: &mut dyn Iterator<Item = Result<Appended, AppendError>>,
        receipts: Receipts,
        core: &Arc<Core>,
        queue: &ReadyQueue,
    ) -> bool {
        let Self { live, state, decided, rest, poisoned } = self;
        let waiting = decided.len() + rest.len();
        let Concluded { mut again, intact, conflict } = conclude::conclude(decided, answers, receipts);
        again.extend(rest);
        // A turn that answers nobody has lost its first append to another process.
        let conflict = conflict.filter(|_| again.len() == waiting);
        let conflicts = live.conflicts(conflict.is_some());
        if let Some(conflict) = conflict.as_ref().filter(|_| conflicts > core.options.max_conflict_retries)
        {
            live.conflicts(false);
            fail_all(again, conflict);
            return !live.rest();
        }
        put_back(&live, again, queue);
        if conflict.is_some() {
            let pause = backoff(core.options.conflict_backoff, conflicts, &*core.ids);
            warm(live, core, queue, pause);
            return false;
        }
        match intact && !poisoned {
            true => snapshot::put_back(live, state, core, queue),
            false => !live.rest(),
        }
    }
}

/// First outcomes that the store has.
type Receipts = Result<Vec<(CommandId, Appended)>, Arc<StoreError>>;

async fn ask_and_finish<A: Aggregate>(
    turn: Box<Turn<A>>,
    answers: Vec<Result<Appended, AppendError>>,
    ask: Vec<CommandId>,
    core: Arc<Core>,
    queue: ReadyQueue,
) {
    let live = Arc::clone(&turn.live);
    let finished = AssertUnwindSafe(async {
        let receipts = match core.store.receipts(&ask).await {
            Ok(found) => {
                Ok(ask.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?))).collect())
            }
            Err(error) => Err(Arc::new(error)),
        };
        turn.finish(&mut answers.into_iter(), receipts, &core, &queue)
    });
    match finished.catch_unwind().await {
        Ok(true) => queue.push(live),
        Ok(false) => {}
        Err(panic) => {
            tracing::error!(stream = %live.stream, message = %panic_message(&*panic), "a turn panicked");
            live.abandon(&core, &queue);
        }
    }
}

fn after_failure<A: Aggregate>(live: &Live<A>, rest: Jobs<A>, queue: &ReadyQueue) -> bool {
    put_back(live, rest, queue);
    !live.rest()
}

fn put_back<A: Aggregate>(live: &Live<A>, jobs: Jobs<A>, queue: &ReadyQueue) {
    if !jobs.is_empty() {
        queue.arrived(jobs.len());
        live.put_back(jobs);
    }
}

/// Has an aggregate's state read in the background, after a pause. Then it is ready.
fn warm<A: Aggregate>(live: Arc<Live<A>>, core: &Arc<Core>, queue: &ReadyQueue, pause: Duration) {
    // Without a queue nobody is left who could dispatch.
    let Some(queue) = queue.strong() else { return };
    let core = Arc::clone(core);
    tokio::spawn(async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        loop {
            match AssertUnwindSafe(hydrate::<A>(&*core.store, &live.stream)).catch_unwind().await {
                Ok(Ok(state)) => {
                    live.put_state(state);
                    return queue.push(live);
                }
                Ok(Err(failure)) => {
                    let jobs = live.take_jobs();
                    queue.taken(jobs.len());
                    fail_all(jobs, &failure);
                }
                Err(panic) => {
                    tracing::error!(stream = %live.stream, message = %panic_message(&*panic), "reading a stream panicked");
                    // Dropped unanswered: nobody knows what a panic outside `apply` means.
                    queue.taken(live.take_jobs().len());
                }
            }
            if live.rest() {
                return;
            }
        }
    });
}

fn fail_all<A: Aggregate>(jobs: Jobs<A>, failure: &Failure) {
    for job in jobs {
        job.failed(failure.again());
    }
}

/// The category is checked when the aggregate is first used, at compile time.
pub(super) const fn check_category<A: Aggregate>() {
    assert!(
        crate::stream::is_category(A::Event::CATEGORY),
        "Event::CATEGORY must be made of ASCII letters, digits and `_`"
    );
}
