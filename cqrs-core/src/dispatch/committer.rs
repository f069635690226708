//! Group commit: one task that lets whatever is ready decide, and turns it into one append.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;

use super::dispatcher::Core;
use super::panic_message;
use super::ready::{InFlight, Ready, ReadyQueue};
use crate::{Append, AppendError, Appended, EventStore, StoreError};

/// What the store made of some appends, in their order.
pub(super) type Answers = Result<Vec<Result<Appended, AppendError>>, Arc<StoreError>>;

/// The turns of one commit.
#[derive(Default)]
struct Batch {
    turns: Vec<(usize, Arc<dyn Ready>, Box<dyn InFlight>)>,
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
    loop {
        if again.is_empty() {
            let Some(first) = waiting.recv().await else { return };
            again.push_back(first);
        }
        gather(&queue).await;
        let mut batch = Batch::default();
        while batch.events < core.options.max_batch_events && batch.bytes < core.options.max_batch_bytes {
            let Some(next) = again.pop_front().or_else(|| waiting.try_recv().ok()) else { break };
            batch.begin(next, &core, &queue);
        }
        if batch.turns.is_empty() {
            continue;
        }
        let answers = append(&*core.store, std::mem::take(&mut batch.appends)).await;
        tracing::debug!(turns = batch.turns.len(), batch.events, ok = answers.is_ok(), "committed a batch");
        batch.conclude(answers, &core, &queue, &mut again);
    }
}

impl Batch {
    /// Lets an aggregate decide its next turn.
    fn begin(&mut self, ready: Arc<dyn Ready>, core: &Arc<Core>, queue: &ReadyQueue) {
        let begun = catch_unwind(AssertUnwindSafe(|| Arc::clone(&ready).begin(core, queue)));
        let Ok(begun) = begun.inspect_err(|panic| panicked(&*ready, &**panic)) else {
            return ready.abandon(core, queue);
        };
        // One without a state comes back when it has read it.
        let Some((appends, turn)) = begun else { return };
        for append in &appends {
            self.events += append.writes.iter().map(|write| write.events.len()).sum::<usize>().max(1);
            self.bytes += append.weight();
        }
        self.turns.push((appends.len(), ready, turn));
        self.appends.extend(appends);
    }

    /// Tells each turn what the store made of it.
    fn conclude(
        self,
        answers: Answers,
        core: &Arc<Core>,
        queue: &ReadyQueue,
        again: &mut VecDeque<Arc<dyn Ready>>,
    ) {
        let mut answers = answers.map(Vec::into_iter);
        for (count, ready, turn) in self.turns {
            let own = match &mut answers {
                Ok(answers) => Ok(answers.by_ref().take(count).collect()),
                Err(error) => Err(Arc::clone(error)),
            };
            match catch_unwind(AssertUnwindSafe(|| turn.conclude(own, core, queue))) {
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
/// their way; without callers it costs two rounds of nothing. A commit that is large already is not made larger
/// by waiting.
async fn gather(queue: &ReadyQueue) {
    /// Enough for thousands of callers to come back, too few for a queue that never rests to starve itself.
    const ROUNDS: usize = 32;
    let mut still = 0;
    for _ in 0..ROUNDS {
        let before = queue.commands();
        tokio::task::yield_now().await;
        still = if queue.commands() > before { 0 } else { still + 1 };
        if still == 2 {
            return;
        }
    }
}

/// A store that panics has said nothing about the commit.
async fn append<S: EventStore + ?Sized>(store: &S, batch: Vec<Append>) -> Answers {
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
