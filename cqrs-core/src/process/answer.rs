//! Answering for a task: pure, from an instance and what became of what it asked for to what is to be stored.

use std::time::Duration;

use super::asked::Asked;
use super::plan::{Knows, Origin, PlanError};
use super::state::restore;
use super::{Failure, Outgoing, ProcessManager, Recovery};
use crate::{InstanceRecord, OutboxEntry, OutboxTask, ProcessStep, StepCause, Stuck, Timestamp};

/// What is to be done about a refused command.
#[derive(Debug)]
pub enum Answer {
    /// Try it again after a pause.
    Retry(Duration),
    /// Take this step, with which the command is done.
    Step(ProcessStep),
    /// Put it aside.
    Park,
}

/// What the instance that asked for a command makes of its refusal.
pub(crate) fn failed<P: ProcessManager>(
    entry: &OutboxEntry,
    instance: Option<&InstanceRecord>,
    rejection: String,
    now: Timestamp,
    knows: Knows<'_>,
) -> Result<Answer, PlanError> {
    // A finished instance keeps its state, and answers for the commands that it asked for.
    let (OutboxTask::Command(command), Some(record)) = (&entry.task, begun::<P>(entry, instance)?) else {
        return Ok(Answer::Park);
    };
    let state: P = restore(&entry.instance, record)?;
    let failure =
        Failure { command: command.clone(), rejection: rejection.clone(), attempts: entry.attempts };
    let outgoing = match state.failed(&failure) {
        Recovery::Retry { after } => return Ok(Answer::Retry(after)),
        Recovery::Park => return Ok(Answer::Park),
        Recovery::Skip => Vec::new(),
        Recovery::Compensate(outgoing) => outgoing,
    };
    Ok(Answer::Step(step::<P>(entry, outgoing, Some(rejection), now, knows)?))
}

/// The step that answers a deadline. An instance that has finished has nothing to say.
pub(crate) fn deadline<P: ProcessManager>(
    entry: &OutboxEntry,
    name: &str,
    instance: Option<&InstanceRecord>,
    now: Timestamp,
    knows: Knows<'_>,
) -> Result<ProcessStep, PlanError> {
    let outgoing = match begun::<P>(entry, instance)?.filter(|record| !record.finished) {
        Some(record) => restore::<P>(&entry.instance, record)?.deadline(name),
        None => Vec::new(),
    };
    step::<P>(entry, outgoing, None, now, knows)
}

/// The instance, if it has taken an event. One that is stuck does not have the state that it should answer with.
fn begun<'a, P: ProcessManager>(
    entry: &OutboxEntry,
    instance: Option<&'a InstanceRecord>,
) -> Result<Option<&'a InstanceRecord>, PlanError> {
    match instance.and_then(|record| record.stuck.as_ref()) {
        Some(Stuck { at, error, .. }) => Err(PlanError::Stuck {
            process: P::NAME,
            instance: entry.instance.clone(),
            at: *at,
            error: error.clone(),
        }),
        None => Ok(instance.filter(|record| record.state.is_some())),
    }
}

fn step<P: ProcessManager>(
    entry: &OutboxEntry,
    outgoing: Vec<Outgoing>,
    error: Option<String>,
    at: Timestamp,
    knows: Knows<'_>,
) -> Result<ProcessStep, PlanError> {
    let mut asked = Asked::default();
    Origin::task::<P>(entry, at).ask(0, outgoing, knows, &mut asked)?;
    Ok(ProcessStep {
        process: P::NAME.to_owned(),
        cause: StepCause::Task { id: entry.id, error },
        instances: Vec::new(),
        cancels: asked.cancels(&entry.instance),
        tasks: asked.into_tasks().into_iter().map(|(_, task)| task).collect(),
        at,
    })
}
