//! The outbox's runner: does what process managers asked for, when it is due.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::{Notify, watch};

use super::ErasedProcess;
use super::answer::Answer;
use super::refusal::{self, Refusal};
use crate::dispatch::{Dispatcher, Envelope, backoff, panic_message};

use crate::{
    BoxCommand, BoxError, CommandId, DispatchError, Dispatched, OutboxEntry, OutboxOutcome, OutboxTask,
    ProcessOptions, Rejection, Router, StepError, Timestamp, describe,
};

/// How often the runner looks for tasks of which nobody told it: those of a process that has died.
const POLL: Duration = Duration::from_millis(500);

/// How many instances have a command under way at a time.
const CONCURRENCY: usize = 256;

/// How many tasks are taken at a time.
const BATCH: usize = 1_024;

pub(crate) struct Outbox {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) router: Arc<Router>,
    pub(crate) processes: HashMap<&'static str, Arc<dyn ErasedProcess>>,
    pub(crate) options: ProcessOptions,
    /// Told when there are new tasks.
    pub(crate) wake: Arc<Notify>,
    /// Tells when tasks were done.
    pub(crate) progress: Arc<Notify>,
    pub(crate) stop: watch::Receiver<bool>,
}

/// What became of an attempt.
enum Attempt {
    /// To be recorded.
    Outcome(OutboxOutcome),
    /// A step has recorded it.
    Recorded,
    /// Nothing was tried: the application is about to end.
    Ending,
}

/// What came of some attempts.
#[derive(Default)]
struct Settled {
    outcomes: Vec<(CommandId, OutboxOutcome)>,
    any: bool,
}

impl Extend<Settled> for Settled {
    fn extend<I: IntoIterator<Item = Settled>>(&mut self, parts: I) {
        for part in parts {
            self.outcomes.extend(part.outcomes);
            self.any |= part.any;
        }
    }
}

impl Outbox {
    /// Works on what is due until told to stop. What is under way then is finished, what is not waits in
    /// the store.
    pub(crate) async fn run(mut self) {
        let mut failures = 0;
        let clock = Arc::clone(&self.dispatcher.core().clock);
        while !*self.stop.borrow() {
            let now = clock.now();
            let passed = AssertUnwindSafe(self.pass(now)).catch_unwind().await;
            let passed = passed.unwrap_or_else(|panic| Err(panic_message(&*panic).into()));
            let (pause, next) = match passed {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => {
                    failures = 0;
                    (POLL, self.next_due(now).await)
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(attempts = failures, error = %describe(&*error), "the outbox failed and will try again");
                    (backoff(self.options.first_retry, failures, self.ids()), None)
                }
            };
            let due = OptionFuture::from(next.map(|next| clock.wait_until(next)));
            tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                Some(()) = due => {}
            }
        }
    }

    fn ids(&self) -> &dyn crate::IdSource {
        &*self.dispatcher.core().ids
    }

    /// When the next task after those of a pass is due: the clock may have moved on since. A store that cannot
    /// say is asked again after the pause.
    async fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.dispatcher.core().store.next_due(now).await.ok().flatten()
    }

    /// Does what is due. False when nothing could be done.
    async fn pass(&self, now: Timestamp) -> Result<bool, BoxError> {
        let core = self.dispatcher.core();
        let retention = self.options.keep_done;
        let entries = core.store.due_tasks(now, BATCH).await?;
        if entries.is_empty() {
            core.store.prune_tasks(now.minus(retention)).await?;
            return Ok(false);
        }
        let groups = stream::iter(by_instance(entries)).map(|group| self.work(group));
        let settled: Settled = groups.buffer_unordered(CONCURRENCY).collect().await;
        if !settled.outcomes.is_empty() {
            core.store.settle_tasks(settled.outcomes, core.clock.now()).await?;
        }
        if settled.any {
            self.progress.notify_waiters();
        }
        Ok(settled.any)
    }

    /// Works on one instance's tasks, in order, as far as they get through.
    async fn work(&self, entries: Vec<OutboxEntry>) -> Settled {
        let mut settled = Settled::default();
        for entry in entries {
            let attempt = match AssertUnwindSafe(self.attempt(&entry)).catch_unwind().await {
                Ok(attempt) => attempt,
                Err(panic) => self.retry(&entry, panic_message(&*panic)),
            };
            let outcome = match attempt {
                Attempt::Ending => break,
                Attempt::Recorded => {
                    settled.any = true;
                    continue;
                }
                Attempt::Outcome(outcome) => outcome,
            };
            let through = matches!(outcome, OutboxOutcome::Done { .. });
            settled.any = true;
            settled.outcomes.push((entry.id, outcome));
            if !through {
                break;
            }
        }
        settled
    }

    async fn attempt(&self, entry: &OutboxEntry) -> Attempt {
        match &entry.task {
            OutboxTask::Deadline(name) => self.deadline(entry, name).await,
            OutboxTask::Command(command) => match self.dispatch(entry, command).await {
                Ok(done) if done.duplicate && done.events == 0 => self.empty_receipt(entry, done).await,
                Ok(done) => Attempt::Outcome(OutboxOutcome::Done { position: done.position }),
                Err(DispatchError::Rejected(rejection)) => {
                    self.rejected(entry, describe(&rejection), false).await
                }
                // Whoever denies a command refuses it like a rule of the domain.
                Err(DispatchError::Denied(reason)) => self.rejected(entry, describe(&*reason), false).await,
                Err(DispatchError::ShuttingDown) => Attempt::Ending,
                // No attempt can change what the command says.
                Err(
                    error @ (DispatchError::Malformed { .. }
                    | DispatchError::UnknownCommand { .. }
                    | DispatchError::Invalid(_)),
                ) => park(describe(&error)),
                Err(error) => self.retry(entry, describe(&error)),
            },
        }
    }

    /// The task's id is the command's, with a receipt: an attempt after one that got through changes
    /// nothing.
    async fn dispatch(
        &self,
        entry: &OutboxEntry,
        command: &BoxCommand,
    ) -> Result<Dispatched, DispatchError<Rejection>> {
        let envelope = Envelope {
            command_id: entry.id,
            receipt: true,
            expected: None,
            metadata: entry.metadata.clone(),
        };
        self.router.dispatch(&self.dispatcher, command, envelope, true).await
    }

    /// A command without events has been here before: it did nothing, or its refusal was made final.
    async fn empty_receipt(&self, entry: &OutboxEntry, done: Dispatched) -> Attempt {
        match refusal::is_final(&*self.dispatcher.core().store, entry.id).await {
            Ok(true) => self.rejected(entry, refusal::UNHEARD.to_owned(), true).await,
            Ok(false) => Attempt::Outcome(OutboxOutcome::Done { position: done.position }),
            Err(error) => self.retry(entry, describe(&error)),
        }
    }

    async fn rejected(&self, entry: &OutboxEntry, rejection: String, is_final: bool) -> Attempt {
        let Some(process) = self.processes.get(&*entry.process) else { return park(rejection) };
        let core = self.dispatcher.core();
        match process.failed(entry, rejection.clone(), &*core.clock).await {
            Ok(Answer::Park) => park(rejection),
            // What is final can be tried as often as one likes.
            Ok(Answer::Retry(_)) if is_final => park(rejection),
            Ok(Answer::Retry(after)) => Attempt::Outcome(OutboxOutcome::Retry {
                at: core.clock.now().plus(after),
                error: rejection,
            }),
            Ok(Answer::Step(step)) => {
                match refusal::make_final(&*core.store, entry.id, core.clock.now()).await {
                    Ok(Refusal::Final) => self.take(entry, step).await,
                    Ok(Refusal::Overtaken { position }) => {
                        Attempt::Outcome(OutboxOutcome::Done { position })
                    }
                    Err(error) => self.retry(entry, describe(&error)),
                }
            }
            Err(error) => self.retry(entry, describe(&*error)),
        }
    }

    async fn deadline(&self, entry: &OutboxEntry, name: &str) -> Attempt {
        let Some(process) = self.processes.get(&*entry.process) else {
            return park(format!("there is no process manager {:?}", entry.process));
        };
        match process.deadline(entry, name, &*self.dispatcher.core().clock).await {
            Ok(step) => self.take(entry, step).await,
            Err(error) => self.retry(entry, describe(&*error)),
        }
    }

    async fn take(&self, entry: &OutboxEntry, step: crate::ProcessStep) -> Attempt {
        match self.dispatcher.core().store.commit_step(step).await {
            Ok(()) | Err(StepError::Fenced) => Attempt::Recorded,
            Err(error) => self.retry(entry, describe(&error)),
        }
    }

    /// Another attempt later, until there were too many.
    fn retry(&self, entry: &OutboxEntry, error: String) -> Attempt {
        let attempts = entry.attempts + 1;
        if attempts >= self.options.max_attempts {
            return park(error);
        }
        let core = self.dispatcher.core();
        let pause = backoff(self.options.first_retry, attempts, &*core.ids);
        Attempt::Outcome(OutboxOutcome::Retry { at: core.clock.now().plus(pause), error })
    }
}

fn park(error: String) -> Attempt {
    tracing::error!(%error, "a task of a process manager is parked");
    Attempt::Outcome(OutboxOutcome::Parked { error })
}

/// Commands of one instance stay together and in order; deadlines wait for nobody.
fn by_instance(entries: Vec<OutboxEntry>) -> Vec<Vec<OutboxEntry>> {
    let mut groups: Vec<Vec<OutboxEntry>> = Vec::new();
    let mut known = HashMap::new();
    for entry in entries {
        if matches!(entry.task, OutboxTask::Deadline(_)) {
            groups.push(vec![entry]);
            continue;
        }
        let key = (entry.process.clone(), entry.instance.clone());
        let index = *known.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[index].push(entry);
    }
    groups
}
