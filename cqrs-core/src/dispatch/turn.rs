//! A turn: all commands that wait for one aggregate, decided on one state, committed together.

mod conclude;
mod decide;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;

use super::dispatcher::Core;
use super::job::{Failure, Job};
use super::live::Live;
use super::{backoff, panic_message};
use crate::{Aggregate, Appended, CommandId, Event, EventStore, StoreError, StreamId, StreamRead, Version};

type Jobs<A> = VecDeque<Box<dyn Job<A>>>;

/// An aggregate's state, and how far in its stream it is.
pub(super) struct State<A> {
    pub(super) aggregate: A,
    pub(super) version: Version,
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

/// Runs turns until nobody waits. There is one such task per live aggregate at a time.
pub(super) async fn run<A: Aggregate>(core: Arc<Core>, live: Arc<Live<A>>) {
    while let Some(jobs) = live.next_turn(core.options.max_turn_commands) {
        // What panics here is neither `handle` nor `apply`, but say a `Default` or a `Serialize`. The turn's
        // commands are dropped unanswered, their state with them; the aggregate's next turn begins afresh.
        if let Err(panic) = AssertUnwindSafe(turn(&core, &live, jobs)).catch_unwind().await {
            let message = panic_message(&*panic);
            tracing::error!(stream = %live.stream, %message, "a turn panicked");
        }
    }
}

/// Decides and commits until every command of the turn is answered.
///
/// The state leaves the live aggregate for the turn's duration, and only a state that equals the store
/// goes back: memory is never trusted over the store.
async fn turn<A: Aggregate>(core: &Core, live: &Live<A>, mut jobs: Jobs<A>) {
    let mut kept = live.take_state();
    let mut attempts = 0;
    while !jobs.is_empty() {
        let mut state = match kept.take() {
            Some(state) => state,
            None => match hydrate::<A>(&*core.store, &live.stream).await {
                Ok(state) => state,
                Err(failure) => return fail_all(jobs, &failure),
            },
        };
        let waiting = jobs.len();
        let round = decide::decide(&mut state, &live.stream, jobs, core.clock.now());
        let concluded = commit(core, round).await;
        jobs = concluded.again;
        if concluded.intact {
            kept = Some(state);
        }
        if jobs.len() < waiting {
            attempts = 0;
        }
        // A round that answers nobody has lost its first append to another process.
        if let Some(conflict) = concluded.conflict.filter(|_| jobs.len() == waiting) {
            attempts += 1;
            if attempts > core.options.max_conflict_retries {
                return fail_all(jobs, &conflict);
            }
            tokio::time::sleep(backoff(core.options.conflict_backoff, attempts, &*core.ids)).await;
        }
    }
    if let Some(state) = kept {
        live.put_state(state);
    }
}

/// Commits one round of decisions and answers what can be answered.
///
/// A rejection is judged by the store like everything else: what it rests on may have been overtaken by
/// another process, or by an append of the same turn that failed.
async fn commit<A: Aggregate>(core: &Core, round: decide::Round<A>) -> conclude::Concluded<A> {
    let decide::Round { decided, appends, rest, poisoned } = round;
    let mut concluded = match core.committer.commit(appends).await {
        Ok(answers) => {
            let receipts = receipts(&*core.store, conclude::receipts_to_ask_for(&decided)).await;
            conclude::conclude(decided, answers, receipts)
        }
        Err(error) => conclude::store_failed(decided, &error),
    };
    concluded.again.extend(rest);
    concluded.intact &= !poisoned;
    concluded
}

async fn receipts(
    store: &(impl EventStore + ?Sized),
    ids: Vec<CommandId>,
) -> Result<Vec<(CommandId, Appended)>, Arc<StoreError>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = store.receipts(&ids).await?;
    Ok(ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?))).collect())
}

/// Rebuilds the state from the whole stream, page by page.
pub(super) async fn hydrate<A: Aggregate>(
    store: &(impl EventStore + ?Sized),
    stream: &StreamId,
) -> Result<State<A>, Failure> {
    /// Large enough to make the round trips few, small enough to keep the memory flat.
    const PAGE: usize = 1_000;
    let failed = |error: StoreError| Failure::Store(Arc::new(error));
    let mut state = State { aggregate: A::default(), version: Version::ZERO };
    loop {
        let page = store
            .read_stream(stream, StreamRead::forward(state.version.next(), PAGE))
            .await
            .map_err(failed)?;
        let full = page.len() == PAGE;
        for recorded in page {
            let event = recorded.decode::<A::Event>().map_err(|error| failed(error.into()))?;
            if event.version != state.version.next() {
                let what = format!(
                    "stream {stream} has version {} where {} was expected",
                    event.version,
                    state.version.next()
                );
                return Err(failed(StoreError::Corrupt { what }));
            }
            catch_unwind(AssertUnwindSafe(|| state.aggregate.apply(&event.data)))
                .map_err(|panic| Failure::Panicked(panic_message(&*panic)))?;
            state.version = event.version;
        }
        if !full {
            return Ok(state);
        }
    }
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
