//! Steps of a process manager that rules take, and the tasks they ask for.

use std::collections::BTreeMap;

use cqrs_core::{
    BoxCommand, CommandId, CorrelationId, InstanceChange, InstanceId, InstanceRecord, Metadata,
    OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, Position, ProcessStep, ProcessStore, Share,
    StepCause, StepError, StoreError, Stuck, Timestamp,
};
use uuid::Uuid;

use super::build::json;
use super::{Verdict, Violation};

/// The process manager of the rules.
pub(crate) const PROCESS: &str = "transfer";

/// When the rules' steps are made; all other times count from here.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_001);

/// A time some microseconds after [`NOW`], or before it.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() + micros)
}

/// A new id for a task.
pub(crate) fn task_id() -> CommandId {
    CommandId::new(Uuid::now_v7())
}

/// A new causal chain.
pub(crate) fn correlation() -> CorrelationId {
    CorrelationId::new(Uuid::now_v7())
}

/// An instance's id.
pub(crate) fn instance(id: &str) -> InstanceId {
    #[expect(clippy::expect_used, reason = "rules name their instances by literals")]
    InstanceId::new(id).expect("an instance id")
}

/// A command that an instance asks for, due at [`NOW`].
pub(crate) fn command(instance: &str) -> OutboxEntry {
    entry(instance, OutboxTask::Command(BoxCommand::new("Send", json(r#"{"amount":1}"#))))
}

/// A deadline that an instance asks for, due at [`NOW`].
pub(crate) fn deadline(instance: &str) -> OutboxEntry {
    entry(instance, OutboxTask::Deadline("late".into()))
}

fn entry(id: &str, task: OutboxTask) -> OutboxEntry {
    OutboxEntry {
        id: task_id(),
        process: PROCESS.into(),
        instance: instance(id),
        task,
        metadata: Metadata {
            causation_id: Some(task_id().into()),
            correlation_id: Some(correlation()),
            extra: BTreeMap::new(),
        },
        due_at: NOW,
        retry_at: NOW,
        attempts: 0,
        last_error: None,
        state: OutboxState::Pending,
    }
}

/// The task, due at another time.
pub(crate) fn due_at(at: Timestamp, entry: OutboxEntry) -> OutboxEntry {
    OutboxEntry { due_at: at, retry_at: at, ..entry }
}

/// The task, in a causal chain.
pub(crate) fn in_chain(chain: CorrelationId, mut entry: OutboxEntry) -> OutboxEntry {
    entry.metadata.correlation_id = Some(chain);
    entry
}

/// A step of [`PROCESS`] that moves the checkpoint and asks for tasks.
pub(crate) fn step(from: u64, to: u64, tasks: Vec<OutboxEntry>) -> ProcessStep {
    let cause = StepCause::Events { from: Position::new(from), to: Position::new(to) };
    ProcessStep {
        process: PROCESS.into(),
        cause,
        instances: Vec::new(),
        cancels: Vec::new(),
        tasks,
        at: NOW,
    }
}

/// A step of [`PROCESS`] that a task sets off.
pub(crate) fn step_of_task(id: CommandId, error: Option<&str>, tasks: Vec<OutboxEntry>) -> ProcessStep {
    let cause = StepCause::Task { id, error: error.map(str::to_owned) };
    ProcessStep { cause, ..step(0, 0, tasks) }
}

/// An instance's new state.
pub(crate) fn change(id: &str, state: &str, finished: bool) -> InstanceChange {
    InstanceChange {
        id: instance(id),
        record: InstanceRecord { finished, ..InstanceRecord::new(json(state)) },
    }
}

/// That an instance is stuck at a position, in a causal chain.
pub(crate) fn stuck(at: u64, chain: Option<CorrelationId>) -> Stuck {
    Stuck { at: Position::new(at), error: "it's \u{0} é".into(), chain }
}

/// A step of [`PROCESS`] in which an instance takes what it has missed.
pub(crate) fn step_of_stuck(
    id: &str,
    at: u64,
    checkpoint: Option<u64>,
    instances: Vec<InstanceChange>,
    tasks: Vec<OutboxEntry>,
) -> ProcessStep {
    let (at, checkpoint) = (Position::new(at), checkpoint.map(Position::new));
    let cause = StepCause::Stuck { instance: instance(id), at, checkpoint };
    ProcessStep { cause, instances, ..step(0, 0, tasks) }
}

/// That a task is done, by an append up to a position.
pub(crate) fn done(position: u64) -> OutboxOutcome {
    OutboxOutcome::Done { position: Position::new(position) }
}

/// That a task is to be tried again.
pub(crate) fn retry(at: Timestamp) -> OutboxOutcome {
    OutboxOutcome::Retry { at, error: "down".into() }
}

/// That a task is given up.
pub(crate) fn parked() -> OutboxOutcome {
    OutboxOutcome::Parked { error: "refused".into() }
}

/// The ids of tasks.
pub(crate) fn ids(tasks: &[OutboxEntry]) -> Vec<CommandId> {
    tasks.iter().map(|task| task.id).collect()
}

/// The ids of all tasks that are due at a time.
pub(crate) async fn due(store: &impl ProcessStore, now: Timestamp) -> Result<Vec<CommandId>, StoreError> {
    Ok(ids(&store.due_tasks(now, Share::ALL, 1_000).await?))
}

/// Ends a rule with a violation unless a step was fenced.
pub(crate) fn fenced(taken: Result<(), StepError>, what: &str) -> Verdict {
    match taken {
        Err(StepError::Fenced) => Ok(()),
        Ok(()) => Err(Violation::new(format_args!("{what} must be fenced, and was taken"))),
        Err(error) => Err(error.into()),
    }
}
