//! The store: what an application holds.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, Chain, CommandId, CorrelationId, EventFilter, EventPart, EventStore,
    HandlerCheckpoint, HandlerStep, HandlerStore, InstanceId, InstanceQuery, InstanceRecord, Lease,
    LeaseStore, LogPage, OutboxEntry, OutboxOutcome, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    Position, ProcessStep, ProcessStore, RecordedEvent, Share, Snapshot, SnapshotStore, StepError,
    StoreError, StreamId, StreamRead, TaskDecision, TaskPage, TaskQuery, Timestamp,
};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::fact::Change;
use crate::judge::judge;
use crate::opened::Opened;
use crate::state::State;

#[cfg(test)]
mod failing_disk;

/// How often a wait looks whether another handle has written.
const LOOK: Duration = Duration::from_millis(20);

/// A store in one file. Any number of handles, in any number of processes, may have the file open.
///
/// An acknowledged call is on the disk. The handle closes itself when it can no longer tell what is.
pub struct OwnStore {
    path: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    /// Nothing once the handle is closed.
    opened: Mutex<Option<Opened>>,
    news: watch::Sender<News>,
}

/// What those who wait want to know.
#[derive(Clone, Copy, Default)]
struct News {
    head: Position,
    closed: bool,
}

impl OwnStore {
    /// Opens a file, or makes it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, is no file of such a store, or is damaged.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let its = path.clone();
        let opened = spawn_blocking(move || Opened::new(&its)).await;
        let opened = opened.map_err(|error| StoreError::backend("open its file", error))??;
        let shared = Shared { opened: Mutex::new(Some(opened)), news: watch::Sender::default() };
        let store = Self { path, shared: Arc::new(shared) };
        store.head().await?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Judges on the state as it is now, and makes what was judged durable and true.
    ///
    /// It runs on a thread where it may block, and runs to its end also when nobody waits for it any more.
    async fn change<T: Send + 'static>(
        &self,
        judge: impl FnOnce(&State) -> (Change, T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        match spawn_blocking(move || shared.change(judge)).await {
            Ok(answer) => answer,
            Err(panicked) => Err(StoreError::OutcomeUnknown { source: panicked.into() }),
        }
    }

    /// Looks at the state as it is now.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.change(|state| (Change::new(), look(state))).await
    }
}

impl Shared {
    /// The file is taken out while it is worked on, and only put back when it is known what it holds.
    fn change<T>(&self, judge: impl FnOnce(&State) -> (Change, T)) -> Result<T, StoreError> {
        let mut place = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened = place.take().ok_or(StoreError::Closed)?;
        let answer = opened.change(judge);
        let closed = matches!(answer, Err(StoreError::OutcomeUnknown { .. } | StoreError::Corrupt { .. }));
        self.tell(News { head: opened.state.log.head(), closed });
        if !closed {
            *place = Some(opened);
        }
        answer
    }

    fn close(&self) {
        let mut place = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        *place = None;
        let head = self.news.borrow().head;
        self.tell(News { head, closed: true });
    }

    fn tell(&self, news: News) {
        self.news.send_if_modified(|known| {
            let is_new = known.head < news.head || news.closed;
            *known = news;
            is_new
        });
    }
}

impl fmt::Debug for OwnStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStore").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl EventStore for OwnStore {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        self.change(|state| judge(&state.log, batch)).await
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        let commands = commands.to_vec();
        self.look(move |state| commands.into_iter().map(|command| state.log.receipt(command)).collect())
            .await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let stream = stream.clone();
        self.look(move |state| state.log.read_stream(&stream, read)).await
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let filter = filter.clone();
        self.look(move |state| state.log.read_log(after, &filter, limit)).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.look(|state| state.log.head()).await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        let mut news = self.shared.news.subscribe();
        loop {
            let head = self.head().await?;
            if head > after {
                return Ok(head);
            }
            // What this handle appends is told; what others append is found by looking again.
            let told = news.wait_for(|news| news.head > after || news.closed);
            let _ = tokio::time::timeout(LOOK, told).await;
        }
    }

    async fn close(&self) {
        let shared = Arc::clone(&self.shared);
        // It only fails when the runtime ends, and the file is closed then too.
        let _ = spawn_blocking(move || shared.close()).await;
    }
}

#[async_trait]
impl SnapshotStore for OwnStore {
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        let stream = stream.clone();
        self.look(move |state| state.snapshots.of(&stream)).await
    }

    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError> {
        self.change(|state| {
            let version = state.log.version(&snapshot.stream);
            state.snapshots.save(snapshot, version)
        })
        .await
    }
}

#[async_trait]
impl ProcessStore for OwnStore {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        let process = process.to_owned();
        self.look(move |state| state.processes.checkpoint(&process)).await
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        let (process, ids) = (process.to_owned(), ids.to_vec());
        self.look(move |state| ids.iter().map(|id| state.processes.instance(&process, id)).collect()).await
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        self.change(|state| match state.processes.step(step) {
            Ok(change) => (change, Ok(())),
            Err(fenced) => (Change::new(), Err(fenced)),
        })
        .await?
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.look(move |state| state.processes.due_tasks(now, share, limit)).await
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.look(move |state| state.processes.next_due(after)).await
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.change(move |state| (state.processes.settle(outcomes, at), ())).await
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        self.look(move |state| state.processes.chain(correlation)).await
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        self.change(move |state| {
            let change = state.processes.prune(done_before);
            let count = change.len() as u64;
            (change, count)
        })
        .await
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        let (process, query) = (process.to_owned(), query.clone());
        self.look(move |state| state.processes.list_instances(&process, &query)).await
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let query = query.clone();
        self.look(move |state| state.processes.list_tasks(&query)).await
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        self.look(move |state| state.processes.one_task(id)).await
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.change(move |state| state.processes.decide(id, decision, at)).await
    }
}

#[async_trait]
impl LeaseStore for OwnStore {
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError> {
        let lease = lease.to_owned();
        self.change(move |state| state.leases.acquire(lease, holder, now, until)).await
    }

    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError> {
        let leases = leases.to_vec();
        self.look(move |state| state.leases.holders(&leases, now)).await
    }

    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError> {
        let lease = lease.to_owned();
        self.change(move |state| (state.leases.release(lease, holder), ())).await
    }
}

#[async_trait]
impl HandlerStore for OwnStore {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        let handler = handler.to_owned();
        self.look(move |state| state.handlers.checkpoint(&handler)).await
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        self.change(|state| match state.handlers.step(step) {
            Ok(change) => (change, Ok(())),
            Err(fenced) => (Change::new(), Err(fenced)),
        })
        .await?
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let (handler, query) = (handler.to_owned(), query.clone());
        self.look(move |state| state.handlers.parked(&handler, &query, after, limit)).await
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        let (handler, set) = (handler.to_owned(), set.clone());
        self.change(move |state| state.handlers.mark(&handler, &set, mark)).await
    }
}
