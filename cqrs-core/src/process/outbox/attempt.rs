//! One attempt at a task.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use super::lanes::Came;
use super::{Outbox, measure};
use crate::dispatch::{Envelope, backoff_up_to, panic_message};
use crate::process::PlanError;
use crate::process::answer::Answer;
use crate::process::refusal::{self, Refusal};
use crate::{
    BoxCommand, BoxError, DispatchError, Dispatched, OutboxEntry, OutboxOutcome, OutboxTask, ProcessStep,
    Rejection, StepError, describe,
};

impl Outbox {
    /// Tries a task, and says what came of it.
    pub(super) async fn attempt(&self, entry: &OutboxEntry) -> Came {
        let OutboxEntry { id, process, instance, task, attempts, .. } = entry;
        let name = match task {
            OutboxTask::Command(command) => &command.name,
            OutboxTask::Deadline(name) => name,
        };
        let span =
            tracing::info_span!("task", process, %instance, name, task = %id, attempt = attempts + 1);
        let began = Instant::now();
        measure::begins(entry, self.dispatcher.core().clock.now());
        let attempt = async {
            match AssertUnwindSafe(self.try_once(entry)).catch_unwind().await {
                Ok(came) => came,
                Err(panic) => self.retry(entry, panic_message(&*panic)),
            }
        };
        let came = attempt.instrument(span).await;
        measure::came(entry, &came, began.elapsed());
        came
    }

    async fn try_once(&self, entry: &OutboxEntry) -> Came {
        match &entry.task {
            OutboxTask::Deadline(name) => self.deadline(entry, name).await,
            OutboxTask::Command(command) => match self.dispatch(entry, command).await {
                Ok(done) if done.duplicate && done.events == 0 => self.empty_receipt(entry, done).await,
                Ok(done) => Came::Outcome(OutboxOutcome::Done { position: done.position }),
                Err(DispatchError::Rejected(rejection)) => {
                    self.rejected(entry, describe(&rejection), false).await
                }
                // Whoever denies a command refuses it like a rule of the domain.
                Err(DispatchError::Denied(reason)) => self.rejected(entry, describe(&*reason), false).await,
                Err(DispatchError::ShuttingDown) => Came::Nothing,
                // No attempt can change what the command says.
                Err(
                    error @ (DispatchError::Malformed { .. }
                    | DispatchError::UnknownCommand { .. }
                    | DispatchError::Invalid(_)),
                ) => park(entry, describe(&error)),
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
    async fn empty_receipt(&self, entry: &OutboxEntry, done: Dispatched) -> Came {
        match refusal::is_final(&*self.dispatcher.core().store, entry.id).await {
            Ok(true) => self.rejected(entry, refusal::UNHEARD.to_owned(), true).await,
            Ok(false) => Came::Outcome(OutboxOutcome::Done { position: done.position }),
            Err(error) => self.retry(entry, describe(&error)),
        }
    }

    async fn rejected(&self, entry: &OutboxEntry, rejection: String, is_final: bool) -> Came {
        let Some(process) = self.processes.get(&*entry.process) else { return park(entry, rejection) };
        match process.failed(entry, rejection.clone()).await {
            Ok(Answer::Park) => park(entry, rejection),
            // What is final can be tried as often as one likes.
            Ok(Answer::Retry(_)) if is_final => park(entry, rejection),
            Ok(Answer::Retry(after)) => {
                let at = self.dispatcher.core().clock.now().plus(after);
                Came::Outcome(OutboxOutcome::Retry { at, error: rejection })
            }
            Ok(Answer::Step(step)) => self.compensate(entry, step).await,
            Err(error) => self.unanswered(entry, &error),
        }
    }

    async fn compensate(&self, entry: &OutboxEntry, step: ProcessStep) -> Came {
        let core = self.dispatcher.core();
        match refusal::make_final(&*core.store, entry.id, core.clock.now()).await {
            Ok(Refusal::Final) => self.take(entry, step).await,
            Ok(Refusal::Overtaken { position }) => Came::Outcome(OutboxOutcome::Done { position }),
            Err(error) => self.retry(entry, describe(&error)),
        }
    }

    async fn deadline(&self, entry: &OutboxEntry, name: &str) -> Came {
        let Some(process) = self.processes.get(&*entry.process) else {
            return park(entry, format!("there is no process manager {:?}", entry.process));
        };
        match process.deadline(entry, name).await {
            Ok(step) => self.take(entry, step).await,
            Err(error) => self.unanswered(entry, &error),
        }
    }

    async fn take(&self, entry: &OutboxEntry, step: ProcessStep) -> Came {
        match self.dispatcher.core().store.commit_step(step).await {
            Ok(()) | Err(StepError::Fenced) => Came::Recorded,
            Err(error) => self.retry(entry, describe(&error)),
        }
    }

    /// An instance that is stuck will answer when it goes on; other errors may be there for good.
    fn unanswered(&self, entry: &OutboxEntry, error: &BoxError) -> Came {
        match error.downcast_ref() {
            Some(PlanError::Stuck { .. }) => self.later(entry, describe(&**error)),
            _ => self.retry(entry, describe(&**error)),
        }
    }

    /// Another attempt later, until there were too many.
    fn retry(&self, entry: &OutboxEntry, error: String) -> Came {
        match entry.attempts + 1 >= self.options.max_attempts {
            true => park(entry, error),
            false => self.later(entry, error),
        }
    }

    fn later(&self, entry: &OutboxEntry, error: String) -> Came {
        let core = self.dispatcher.core();
        let (first, longest) = (self.options.first_retry, self.options.longest_retry);
        let pause = backoff_up_to(first, longest, entry.attempts + 1, &*core.ids);
        Came::Outcome(OutboxOutcome::Retry { at: core.clock.now().plus(pause), error })
    }
}

fn park(entry: &OutboxEntry, error: String) -> Came {
    let OutboxEntry { id, process, instance, .. } = entry;
    tracing::error!(task = %id, process, %instance, %error, "a task of a process manager is parked");
    Came::Outcome(OutboxOutcome::Parked { error })
}
