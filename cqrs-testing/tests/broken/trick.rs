//! What several broken stores need.

use std::sync::Mutex;

use crate::breach::*;

/// The end of time.
pub(crate) const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// The step with a cause that holds, so that it cannot be fenced.
pub(crate) async fn unfenced(
    store: &MemoryStore,
    mut step: ProcessStep,
) -> Result<ProcessStep, StoreError> {
    let checkpoint = store.checkpoint(&step.process).await?;
    let to = match step.cause {
        StepCause::Events { to, .. } => to,
        StepCause::Task { .. } | StepCause::Stuck { .. } => checkpoint,
    };
    step.cause = StepCause::Events { from: checkpoint, to };
    Ok(step)
}

/// The step without what it changes beside its cause.
pub(crate) fn bare(step: &ProcessStep) -> ProcessStep {
    ProcessStep { instances: vec![], cancels: vec![], tasks: vec![], ..step.clone() }
}

/// Whether a task is pending, and nothing holds it up.
pub(crate) async fn is_pending(store: &MemoryStore, id: CommandId) -> Result<bool, StoreError> {
    Ok(store.due_tasks(NEVER, Share::ALL, usize::MAX).await?.iter().any(|task| task.id == id))
}

/// The tasks that were asked for.
#[derive(Default)]
pub(crate) struct Asked(Mutex<Vec<OutboxEntry>>);

impl Asked {
    pub(crate) fn note(&self, tasks: &[OutboxEntry]) {
        self.0.lock().unwrap().extend_from_slice(tasks);
    }

    /// The task as it was asked for last.
    pub(crate) fn last(&self, id: CommandId) -> Option<OutboxEntry> {
        self.0.lock().unwrap().iter().rfind(|task| task.id == id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<OutboxEntry> {
        self.0.lock().unwrap().clone()
    }
}

/// Appends one append alone.
pub(crate) async fn one(
    store: &MemoryStore,
    append: Append,
) -> Result<Result<Appended, AppendError>, StoreError> {
    Ok(store.append(vec![append]).await?.remove(0))
}

/// At which version a stream is.
pub(crate) async fn version(store: &MemoryStore, stream: &StreamId) -> Result<Version, StoreError> {
    let last = store.read_stream(stream, StreamRead::backward(Version::new(u64::MAX), 1)).await?;
    Ok(last.first().map_or(Version::new(0), |event| event.version))
}
