//! Process managers as an operator sees them: instances, tasks, and what can be decided about them.

use std::fmt;
use std::sync::Arc;

use super::App;
use crate::process::ErasedProcess;
use crate::{
    BoxError, CommandId, InstanceHistory, InstanceId, InstanceQuery, InstanceRecord, Mended, OutboxEntry,
    StepError, StoreError, TaskDecision, TaskPage, TaskQuery,
};

/// A process manager of a running application: its instances and what they asked for.
///
/// What is decided here is done at once in this process; other processes on the same store notice it when they look
/// at the outbox next, in half a second at most.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// # #[derive(Default, Serialize, Deserialize)] struct Fee {}
/// # impl ProcessManager for Fee {
/// #     const NAME: &'static str = "fee";
/// #     type Event = AccountEvent;
/// #     fn interested(event: &AccountEvent) -> Interest {
/// #         match event {
/// #             AccountEvent::Deposited { account, .. } => Interest::start(account),
/// #             AccountEvent::Withdrawn { .. } => Interest::none(),
/// #         }
/// #     }
/// #     fn handle(&self, event: &RecordedEvent<AccountEvent>) -> Vec<Outgoing> {
/// #         vec![Outgoing::command(withdraw(event.stream.key(), 10))]
/// #     }
/// # }
/// let app = App::builder(MemoryStore::new())
///     .router(Router::new().route::<Withdraw>())
///     .process_manager::<Fee>()
///     .start()
///     .await?;
/// // The fee of 10 is more than there is, and `Fee` has no answer to the refusal.
/// let deposited = app.dispatch(deposit("me", 5)).settled().await?;
/// assert_eq!(deposited.consistency, Consistency::Parked);
///
/// let fee = app.process("fee").ok_or("it runs here")?;
/// let parked = fee.tasks(TaskQuery::all(10).standing(OutboxState::Parked)).await?.tasks;
/// assert_eq!(parked[0].last_error.as_deref(), Some("the account has 5"));
/// app.dispatch(deposit("me", 20)).await?;
/// assert!(fee.retry(parked[0].id).await?);
/// assert_eq!(app.settle().await?, Consistency::Reached);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProcessHandle {
    app: App,
    process: Arc<dyn ErasedProcess>,
}

/// Why nothing can be said or decided about an instance.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events that concern the instance cannot be read, or the process manager cannot say which do.
    #[error("the events of the instance cannot be read")]
    Events(#[source] BoxError),
}

/// Process managers, for operators.
impl App {
    /// The process managers that run here.
    pub fn processes(&self) -> Vec<ProcessHandle> {
        let handle = |process| ProcessHandle { app: self.clone(), process: Arc::clone(process) };
        self.0.processes.iter().map(handle).collect()
    }

    /// A process manager by its name; `None` when none of this name runs here.
    pub fn process(&self, name: &str) -> Option<ProcessHandle> {
        self.processes().into_iter().find(|process| process.name() == name)
    }
}

impl ProcessHandle {
    /// Its stored name.
    pub fn name(&self) -> &'static str {
        self.process.name()
    }

    /// A page of its instances, in the order of their ids.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn instances(
        &self,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        self.app.store().list_instances(self.name(), query).await
    }

    /// How an instance stands; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let found = self.app.store().instances(self.name(), std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// What an instance has seen and asked for, and what came of it; `None` when there is none.
    ///
    /// Its events are found in the log between its first one and its last one, so this is cheap for an instance that
    /// lived briefly.
    ///
    /// # Errors
    ///
    /// When the store or an event cannot be read.
    pub async fn history(&self, id: &InstanceId) -> Result<Option<InstanceHistory>, ProcessError> {
        Ok(self.process.history(id).await?)
    }

    /// A page of what it asked for. The query's process manager is this one, whatever it says.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn tasks(&self, query: TaskQuery) -> Result<TaskPage, StoreError> {
        self.app.store().list_tasks(&query.of(self.name())).await
    }

    /// One of its tasks; `None` when it never asked for it, or it is pruned.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        let found = self.app.store().task(id).await?;
        Ok(found.filter(|task| task.process == self.name()))
    }

    /// Tries a task again at once that is parked, or waits for its next attempt. Its attempts count from zero. False
    /// when it is none of these.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn retry(&self, task: CommandId) -> Result<bool, StoreError> {
        self.decide(task, TaskDecision::Retry).await
    }

    /// Gives a task up for good that is parked or pending, so that later commands of its instance go on. False when it
    /// is none of these. What is under way already may still take effect.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn drop_task(&self, task: CommandId) -> Result<bool, StoreError> {
        self.decide(task, TaskDecision::Drop).await
    }

    async fn decide(&self, task: CommandId, decision: TaskDecision) -> Result<bool, StoreError> {
        if self.task(task).await?.is_none() {
            return Ok(false);
        }
        let inner = &self.app.0;
        let now = inner.dispatcher.core().clock.now();
        let decided = inner.store.decide_task(task, decision, now).await?;
        inner.wake.notify_one();
        inner.progress.notify_waiters();
        Ok(decided)
    }

    /// Lets a stuck instance take the events that it has missed, in order, and go on.
    ///
    /// Others go on meanwhile. It is done in steps, a page of the log each, so that nothing is lost and nothing done
    /// twice when it is interrupted.
    ///
    /// # Errors
    ///
    /// When the store or an event cannot be read.
    pub async fn retry_instance(&self, id: &InstanceId) -> Result<Mended, ProcessError> {
        Ok(self.process.mend(id, false).await?)
    }

    /// As [`ProcessHandle::retry_instance`], without the event at which it is stuck: the instance never takes that one.
    ///
    /// # Errors
    ///
    /// When the store or an event cannot be read.
    pub async fn skip_event(&self, id: &InstanceId) -> Result<Mended, ProcessError> {
        Ok(self.process.mend(id, true).await?)
    }

    /// Lets an instance come to its end as it is, stuck or not: it takes no more events and answers no more deadlines.
    /// What it has asked for is still done; see [`ProcessHandle::drop_task`]. False when there is none.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn end_instance(&self, id: &InstanceId) -> Result<bool, ProcessError> {
        Ok(self.process.end(id).await?)
    }
}

impl fmt::Debug for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessHandle").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl From<BoxError> for ProcessError {
    fn from(error: BoxError) -> Self {
        let error = match error.downcast::<StepError>() {
            Ok(error) => match *error {
                StepError::Store(error) => return Self::Store(error),
                fenced => fenced.into(),
            },
            Err(error) => error,
        };
        match error.downcast::<StoreError>() {
            Ok(error) => Self::Store(*error),
            Err(error) => Self::Events(error),
        }
    }
}
