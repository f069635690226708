//! A process manager on the subscribers' loop, and by its name.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};

use super::answer::{self, Answer};
use super::mend::{Mended, Mender};
use super::plan::{self, Plan};
use super::{InstanceHistory, ProcessManager, history};
use crate::subscribe::{Worker, began};
use crate::{
    BoxError, Clock, EventFilter, EventSet, InstanceId, InstanceRecord, LogPage, OutboxEntry, Position,
    ProcessStep, RecordedEvent, Router, StartFrom, StepCause, StepError, Store, StoreError,
};

/// Turns pages of the log into steps, and answers for instances.
pub(crate) struct ProcessWorker<P> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) router: Arc<Router>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Told when there are new tasks.
    pub(crate) wake: Arc<Notify>,
    /// Whose turn it is to take a step from events. Who mends an instance catches up with a checkpoint that would
    /// otherwise run away from it.
    pub(crate) turn: Arc<Mutex<()>>,
    /// How many events of the log are looked at in one step.
    pub(crate) page: usize,
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
        let _turn = self.turn.lock().await;
        let Plan { instances, cancels, tasks } = if ids.is_empty() {
            Plan::default()
        } else {
            let found = self.store.instances(P::NAME, &ids).await?;
            let records = ids.into_iter().zip(found).filter_map(|(id, found)| Some((id, found?)));
            plan::plan::<P>(&events, records.collect(), &|name| self.router.knows(name))
        };
        let any_tasks = !tasks.is_empty();
        tracing::debug!(process = P::NAME, %to, tasks = tasks.len(), "takes a step");
        let step = ProcessStep {
            process: P::NAME.to_owned(),
            cause: StepCause::Events { from, to },
            instances,
            cancels,
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

/// Writes down where a process manager begins that has seen nothing yet.
pub(crate) async fn begin<P: ProcessManager>(
    store: &dyn Store,
    clock: &dyn Clock,
    from: StartFrom,
) -> Result<(), BoxError> {
    if from == StartFrom::Origin || store.checkpoint(P::NAME).await? > Position::ZERO {
        return Ok(());
    }
    let to = began(store, &format!("the process {}", P::NAME), from).await?;
    let step = ProcessStep {
        process: P::NAME.to_owned(),
        cause: StepCause::Events { from: Position::ZERO, to },
        instances: Vec::new(),
        cancels: Vec::new(),
        tasks: Vec::new(),
        at: clock.now(),
    };
    match store.commit_step(step).await {
        // Another runner works already.
        Ok(()) | Err(StepError::Fenced) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A process manager whose type is not known, for the outbox and for operators.
#[async_trait]
pub(crate) trait ErasedProcess: Send + Sync {
    fn name(&self) -> &'static str;

    /// What the process manager makes of a refused command; with the step that compensates, if it does.
    async fn failed(&self, entry: &OutboxEntry, rejection: String) -> Result<Answer, BoxError>;

    /// The step that answers a deadline.
    async fn deadline(&self, entry: &OutboxEntry, name: &str) -> Result<ProcessStep, BoxError>;

    /// Lets a stuck instance go on, without the event at which it is stuck if that is to be passed over.
    async fn mend(&self, id: &InstanceId, pass_over: bool) -> Result<Mended, BoxError>;

    /// Lets an instance come to its end. False when there is none.
    async fn end(&self, id: &InstanceId) -> Result<bool, BoxError>;

    /// What an instance has seen and asked for; `None` when there is none.
    async fn history(&self, id: &InstanceId) -> Result<Option<InstanceHistory>, BoxError>;
}

impl<P: ProcessManager> ProcessWorker<P> {
    /// An instance, if there is one.
    pub(super) async fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let found = self.store.instances(P::NAME, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }
}

#[async_trait]
impl<P: ProcessManager> ErasedProcess for ProcessWorker<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    async fn failed(&self, entry: &OutboxEntry, rejection: String) -> Result<Answer, BoxError> {
        let instance = self.instance(&entry.instance).await?;
        let knows = |name: &str| self.router.knows(name);
        Ok(answer::failed::<P>(entry, instance.as_ref(), rejection, self.clock.now(), &knows)?)
    }

    async fn deadline(&self, entry: &OutboxEntry, name: &str) -> Result<ProcessStep, BoxError> {
        let instance = self.instance(&entry.instance).await?;
        let knows = |name: &str| self.router.knows(name);
        Ok(answer::deadline::<P>(entry, name, instance.as_ref(), self.clock.now(), &knows)?)
    }

    async fn mend(&self, id: &InstanceId, pass_over: bool) -> Result<Mended, BoxError> {
        Mender { worker: self, id }.mend(pass_over).await
    }

    async fn end(&self, id: &InstanceId) -> Result<bool, BoxError> {
        Mender { worker: self, id }.end().await
    }

    async fn history(&self, id: &InstanceId) -> Result<Option<InstanceHistory>, BoxError> {
        history::of(self, id).await
    }
}
