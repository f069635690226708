//! A process manager on the subscribers' loop, and by its name.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::plan::{self, Origin, Plan};
use super::{Failure, Outgoing, ProcessManager, Recovery};
use crate::subscribe::{Worker, decode_page};
use crate::{
    BoxError, Clock, EventFilter, EventSet, LogPage, OutboxEntry, Position, ProcessStep, Router, StepCause,
    Store,
};

/// Turns pages of the log into steps.
pub(crate) struct ProcessWorker<P> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) router: Arc<Router>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told when there are new tasks.
    pub(crate) wake: Arc<Notify>,
    pub(crate) process: PhantomData<fn() -> P>,
}

#[async_trait]
impl<P: ProcessManager> Worker for ProcessWorker<P> {
    fn filter(&self) -> EventFilter {
        P::Event::filter()
    }

    async fn checkpoint(&self) -> Result<Position, BoxError> {
        Ok(self.store.checkpoint(P::NAME).await?)
    }

    async fn work(&self, from: Position, page: LogPage) -> Result<(), BoxError> {
        let to = page.scanned_to;
        let events = plan::concerned::<P>(decode_page(page.events)?)?;
        let ids = plan::instance_ids(&events);
        let Plan { instances, tasks } = if ids.is_empty() {
            Plan { instances: Vec::new(), tasks: Vec::new() }
        } else {
            let found = self.store.instances(P::NAME, &ids).await?;
            let records = ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?)));
            plan::plan::<P>(&events, records.collect(), &self.router)?
        };
        let any_tasks = !tasks.is_empty();
        tracing::debug!(process = P::NAME, %to, tasks = tasks.len(), "takes a step");
        let step = ProcessStep {
            process: P::NAME.to_owned(),
            cause: StepCause::Events { from, to },
            instances,
            tasks,
            at: self.clock.now(),
        };
        self.store.commit_step(step).await?;
        if any_tasks {
            self.wake.notify_one();
        }
        Ok(())
    }
}

/// A process manager whose type is not known, for the outbox.
#[async_trait]
pub(crate) trait ErasedProcess: Send + Sync {
    /// What the process manager makes of a refused command; with the step that compensates, if it does.
    async fn failed(
        &self,
        entry: &OutboxEntry,
        rejection: String,
        clock: &dyn Clock,
    ) -> Result<Answer, BoxError>;

    /// The step that answers a deadline.
    async fn deadline(
        &self,
        entry: &OutboxEntry,
        name: &str,
        clock: &dyn Clock,
    ) -> Result<ProcessStep, BoxError>;
}

/// What is to be done about a refused command.
pub(crate) enum Answer {
    Retry(std::time::Duration),
    Step(ProcessStep),
    Park,
}

pub(crate) struct ProcessOf<P> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) router: Arc<Router>,
    pub(crate) process: PhantomData<fn() -> P>,
}

impl<P: ProcessManager> ProcessOf<P> {
    /// The instance, unless there is none; with the flag that says whether it has finished.
    async fn instance(&self, entry: &OutboxEntry) -> Result<Option<(P, bool)>, BoxError> {
        let found = self.store.instances(P::NAME, std::slice::from_ref(&entry.instance)).await?;
        let Some(record) = found.into_iter().next().flatten() else { return Ok(None) };
        Ok(Some((plan::restore(&entry.instance, &record)?, record.finished)))
    }

    fn step(
        &self,
        entry: &OutboxEntry,
        outgoing: Vec<Outgoing>,
        error: Option<String>,
        clock: &dyn Clock,
    ) -> Result<ProcessStep, BoxError> {
        let at = clock.now();
        let tasks = Origin::task::<P>(entry, at).tasks(outgoing, &self.router)?;
        Ok(ProcessStep {
            process: P::NAME.to_owned(),
            cause: StepCause::Task { id: entry.id, error },
            instances: Vec::new(),
            tasks,
            at,
        })
    }
}

#[async_trait]
impl<P: ProcessManager> ErasedProcess for ProcessOf<P> {
    async fn failed(
        &self,
        entry: &OutboxEntry,
        rejection: String,
        clock: &dyn Clock,
    ) -> Result<Answer, BoxError> {
        let crate::OutboxTask::Command(command) = &entry.task else { return Ok(Answer::Park) };
        // A finished instance keeps its state, and answers for the commands that it asked for.
        let Some((state, _)) = self.instance(entry).await? else { return Ok(Answer::Park) };
        let failure =
            Failure { command: command.clone(), rejection: rejection.clone(), attempts: entry.attempts };
        let outgoing = match state.failed(&failure) {
            Recovery::Retry { after } => return Ok(Answer::Retry(after)),
            Recovery::Park => return Ok(Answer::Park),
            Recovery::Skip => Vec::new(),
            Recovery::Compensate(outgoing) => outgoing,
        };
        Ok(Answer::Step(self.step(entry, outgoing, Some(rejection), clock)?))
    }

    async fn deadline(
        &self,
        entry: &OutboxEntry,
        name: &str,
        clock: &dyn Clock,
    ) -> Result<ProcessStep, BoxError> {
        let outgoing = match self.instance(entry).await? {
            Some((state, false)) => state.deadline(name),
            _ => Vec::new(),
        };
        self.step(entry, outgoing, None, clock)
    }
}
