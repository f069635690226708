//! Group commit: one task that turns whatever waits into one append.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::panic_message;
use crate::{Append, AppendError, Appended, EventStore, StoreError};

type Answers = Result<Vec<Result<Appended, AppendError>>, Arc<StoreError>>;

/// The appends of one turn, which stay together and in order.
struct Group {
    appends: Vec<Append>,
    reply: oneshot::Sender<Answers>,
}

/// The way to the committer's task. The task ends when the last handle is gone.
///
/// The channel has no bound of its own: a turn waits for its answer, and the dispatcher bounds the
/// commands under way.
pub(crate) struct Committer {
    groups: mpsc::UnboundedSender<Group>,
}

/// How much goes into one commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Committer {
    pub(crate) fn start<S: EventStore + ?Sized>(store: Arc<S>, limits: BatchLimits) -> Self {
        let (groups, waiting) = mpsc::unbounded_channel();
        tokio::spawn(run(store, waiting, limits));
        Self { groups }
    }

    /// Has a turn's appends committed with whatever else waits.
    pub(crate) async fn commit(&self, appends: Vec<Append>) -> Answers {
        let (reply, answers) = oneshot::channel();
        let gone = || Err(Arc::new(StoreError::Closed));
        if self.groups.send(Group { appends, reply }).is_err() {
            return gone();
        }
        answers.await.unwrap_or_else(|_| gone())
    }
}

async fn run<S: EventStore + ?Sized>(
    store: Arc<S>,
    mut waiting: mpsc::UnboundedReceiver<Group>,
    limits: BatchLimits,
) {
    while let Some(first) = waiting.recv().await {
        gather(&waiting).await;
        let mut groups = Vec::new();
        let mut batch = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut next = Some(first);
        while let Some(mut group) = next {
            for append in &group.appends {
                events += append.writes.iter().map(|write| write.events.len()).sum::<usize>().max(1);
                bytes += append.weight();
            }
            let count = group.appends.len();
            batch.append(&mut group.appends);
            groups.push((count, group.reply));
            next =
                if events < limits.events && bytes < limits.bytes { waiting.try_recv().ok() } else { None };
        }
        let appends = batch.len();
        let answers = append(&*store, batch).await;
        tracing::debug!(appends, events, ok = answers.is_ok(), "committed a batch");
        answer(groups, answers);
    }
}

/// Lets those who were woken by the last commit come back before the next one begins.
///
/// Their way leads over several tasks: the turn that is answered, the caller, the turn of its next command.
/// As long as the queue grows from one round of the scheduler to the next, more are on their way; without
/// callers it costs two rounds of nothing.
async fn gather(waiting: &mpsc::UnboundedReceiver<Group>) {
    /// Enough for thousands of callers to come back, too few for a queue that never rests to starve itself.
    const ROUNDS: usize = 32;
    let mut still = 0;
    for _ in 0..ROUNDS {
        let before = waiting.len();
        tokio::task::yield_now().await;
        still = if waiting.len() > before { 0 } else { still + 1 };
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

fn answer(groups: Vec<(usize, oneshot::Sender<Answers>)>, answers: Answers) {
    match answers {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for (count, reply) in groups {
                // A turn that has gone away has nobody left to tell.
                let _ = reply.send(Ok(answers.by_ref().take(count).collect()));
            }
        }
        Err(error) => {
            for (_, reply) in groups {
                let _ = reply.send(Err(Arc::clone(&error)));
            }
        }
    }
}
