//! A process manager on the subscribers' loop, and by its name.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::ProcessManager;
use super::answer::{self, Answer};
use super::plan::{self, Plan};
use crate::subscribe::Worker;
use crate::{
    BoxError, Clock, EventFilter, EventSet, InstanceRecord, LogPage, OutboxEntry, Position, ProcessStep,
    RecordedEvent, Router, StepCause, Store, StoreError,
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
        let events = plan::concerned::<P>(RecordedEvent::decode_all(page.events)?)?;
        let ids = plan::instance_ids(&events);
        let Plan { instances, tasks } = if ids.is_empty() {
            Plan { instances: Vec::new(), tasks: Vec::new() }
        } else {
            let found = self.store.instances(P::NAME, &ids).await?;
            let records = ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?)));
            plan::plan::<P>(&events, records.collect(), &|name| self.router.knows(name))?
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

    fn lease(&self) -> Option<String> {
        Some(format!("process {}", P::NAME))
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

pub(crate) struct ProcessOf<P> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) router: Arc<Router>,
    pub(crate) process: PhantomData<fn() -> P>,
}

impl<P: ProcessManager> ProcessOf<P> {
    /// The instance that asked for a task, unless there is none.
    async fn instance(&self, entry: &OutboxEntry) -> Result<Option<InstanceRecord>, StoreError> {
        let found = self.store.instances(P::NAME, std::slice::from_ref(&entry.instance)).await?;
        Ok(found.into_iter().next().flatten())
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
        let instance = self.instance(entry).await?;
        let knows = |name: &str| self.router.knows(name);
        Ok(answer::failed::<P>(entry, instance.as_ref(), rejection, clock.now(), &knows)?)
    }

    async fn deadline(
        &self,
        entry: &OutboxEntry,
        name: &str,
        clock: &dyn Clock,
    ) -> Result<ProcessStep, BoxError> {
        let instance = self.instance(entry).await?;
        let knows = |name: &str| self.router.knows(name);
        Ok(answer::deadline::<P>(entry, name, instance.as_ref(), clock.now(), &knows)?)
    }
}
