//! Group commit: one task that lets whatever is ready decide, and turns it into one append.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::vec;

use futures::FutureExt;
use tokio::sync::mpsc;

use super::dispatcher::Core;
use super::panic_message;
use super::ready::{InFlight, Ready, ReadyQueue};
use crate::{Append, AppendError, Appended, EventStore, StoreError};

/// From here on a commit costs what its events cost, and waiting for more of them gains nothing. Next to a commit
/// of half that, who comes decides while it runs: it would be alone with the store otherwise, and the next one with
/// the decisions.
const LARGE: usize = 512;

/// What the store made of each append that is still to be told about, in their order.
pub(super) type Answers<'a> = Result<&'a mut vec::IntoIter<Result<Appended, AppendError>>, Arc<StoreError>>;

/// A turn whose appends are in the batch.
struct Begun {
    /// How many appends.
    count: usize,
    ready: Arc<dyn Ready>,
    turn: Box<dyn InFlight>,
}

/// The turns of one commit.
#[derive(Default)]
struct Batch {
    turns: Vec<Begun>,
    appends: Vec<Append>,
    events: usize,
    bytes: usize,
}

/// Commits until the last handle of the queue is gone.
pub(super) async fn run(
    core: Arc<Core>,
    queue: ReadyQueue,
    mut waiting: mpsc::UnboundedReceiver<Arc<dyn Ready>>,
) {
    // Those whose last turn is over and who have further commands. They go first.
    let mut again = VecDeque::new();
    let mut answered = 0;
    let mut batch = Batch::default();
    loop {
        if again.is_empty() && batch.turns.is_empty() {
            let Some(first) = waiting.recv().await else { return };
            again.push_back(first);
        }
        // Whoever was alone in the last commit is likely to be alone again, and is not made to wait.
        if answered > 1 && batch.events < LARGE {
            gather(&queue).await;
        }
        while batch.has_room(&core) {
            let Some(next) = again.pop_front().or_else(|| waiting.try_recv().ok()) else { break };
            batch.begin(next, &core, &queue);
        }
        if batch.turns.is_empty() {
            continue;
        }
        answered = batch.appends.len();
        let mut ahead = Batch::default();
        let answers = {
            let mut committed = pin!(append(&*core.store, std::mem::take(&mut batch.appends)));
            loop {
                tokio::select! {
                    biased;
                    answers = &mut committed => break answers,
                    Some(next) = waiting.recv(), if answered >= LARGE / 2 && ahead.has_room(&core) => {
                        ahead.begin(next, &core, &queue);
                    }
                }
            }
        };
        tracing::debug!(turns = batch.turns.len(), batch.events, ok = answers.is_ok(), "committed a batch");
        batch.conclude(answers, &core, &queue, &mut again);
        batch = ahead;
    }
}

impl Batch {
    fn has_room(&self, core: &Core) -> bool {
        self.events < core.options.max_batch_events && self.bytes < core.options.max_batch_bytes
    }

    /// Lets an aggregate decide its next turn.
    fn begin(&mut self, ready: Arc<dyn Ready>, core: &Arc<Core>, queue: &ReadyQueue) {
        let before = self.appends.len();
        let begin = || Arc::clone(&ready).begin(core, queue, &mut self.appends);
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(Some(turn)) => {
                for append in &self.appends[before..] {
                    self.events +=
                        append.writes.iter().map(|write| write.events.len()).sum::<usize>().max(1);
                    self.bytes += append.weight();
                }
                self.turns.push(Begun { count: self.appends.len() - before, ready, turn });
            }
            // One without a state comes back when it has read it.
            Ok(None) => {}
            Err(panic) => {
                self.appends.truncate(before);
                panicked(&*ready, &*panic);
                ready.abandon(core, queue);
            }
        }
    }

    /// Tells each turn what the store made of it.
    fn conclude(
        self,
        answers: Result<Vec<Result<Appended, AppendError>>, Arc<StoreError>>,
        core: &Arc<Core>,
        queue: &ReadyQueue,
        again: &mut VecDeque<Arc<dyn Ready>>,
    ) {
        let mut answers = answers.map(Vec::into_iter);
        let mut left = answers.as_ref().map_or(0, ExactSizeIterator::len);
        for Begun { count, ready, turn } in self.turns {
            let own = answers.as_mut().map_err(|error| Arc::clone(error));
            let concluded = catch_unwind(AssertUnwindSafe(|| turn.conclude(own, core, queue)));
            // Whoever panicked half-way leaves answers behind that are nobody else's.
            left = left.saturating_sub(count);
            if let Ok(answers) = &mut answers {
                while answers.len() > left {
                    answers.next();
                }
            }
            match concluded {
                Ok(true) => again.push_back(ready),
                Ok(false) => {}
                Err(panic) => {
                    panicked(&*ready, &*panic);
                    ready.abandon(core, queue);
                }
            }
        }
    }
}

/// What panics here is neither `handle` nor `apply`, but say a `Serialize` or a `Drop`. The turn's commands are
/// dropped unanswered, their state with them; the aggregate's next turn begins afresh.
fn panicked(ready: &dyn Ready, panic: &(dyn std::any::Any + Send)) {
    let message = panic_message(panic);
    tracing::error!(stream = %ready.stream(), %message, "a turn panicked");
}

/// Lets those who were answered after the last commit come back before the next one begins.
///
/// As long as the number of commands that wait grows from one round of the scheduler to the next, more are on
/// their way.
async fn gather(queue: &ReadyQueue) {
    /// Enough for thousands of callers to come back, too few for a queue that never rests to starve itself.
    const ROUNDS: usize = 32;
    let mut still = 0;
    for _ in 0..ROUNDS {
        let before = queue.commands();
        if before >= LARGE {
            return;
        }
        tokio::task::yield_now().await;
        still = if queue.commands() > before { 0 } else { still + 1 };
        if still == 2 {
            return;
        }
    }
}

/// A store that panics has said nothing about the commit.
async fn append<S: EventStore + ?Sized>(
    store: &S,
    batch: Vec<Append>,
) -> Result<Vec<Result<Appended, AppendError>>, Arc<StoreError>> {
    let expected = batch.len();
    match AssertUnwindSafe(store.append(batch)).catch_unwind().await {
        Ok(Ok(answers)) if answers.len() == expected => Ok(answers),
        Ok(Ok(answers)) => Err(Arc::new(StoreError::OutcomeUnknown {
            source: format!("{} answers for {expected} appends", answers.len()).into(),
        })),
        Ok(Err(error)) => Err(Arc::new(error)),
        Err(panic) => Err(Arc::new(StoreError::OutcomeUnknown {
            source: format!("the store panicked: {}", panic_message(&*panic)).into(),
        })),
    }
}
