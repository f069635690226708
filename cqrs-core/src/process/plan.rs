//! Planning a step: pure, from events and instances to what is to be stored.

use std::collections::{BTreeMap, HashMap};

use serde_json::Error as JsonError;
use uuid::Uuid;

use super::asked::Asked;
use super::outgoing::{Concern, Wish};
use super::play::play;
use super::state::StateError;
use super::{Interest, Outgoing, ProcessManager};
use crate::{
    CausationId, CommandId, CorrelationId, InstanceChange, InstanceId, InstanceRecord, InvalidInstanceId,
    Metadata, OutboxEntry, OutboxState, OutboxTask, Position, RecordedEvent, Timestamp,
};

/// Whether a command's name has a route.
pub(crate) type Knows<'a> = &'a dyn Fn(&str) -> bool;

/// Why a step cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("process manager {process:?} names an instance badly")]
    InstanceId { process: &'static str, source: InvalidInstanceId },
    #[error("instance {instance} of process manager {process:?} cannot be written as JSON")]
    Unwritable { process: &'static str, instance: InstanceId, source: JsonError },
    #[error(
        "process manager {process:?} asks for command {command:?}, which has no route: add `.route::<…>()` for it to the application's router"
    )]
    Unrouted { process: &'static str, command: String },
    #[error("process manager {process:?} panicked: {message}")]
    Panicked { process: &'static str, message: String },
    #[error(
        "instance {instance} of process manager {process:?} was begun by the event at position {first}, and is begun again"
    )]
    BegunTwice { process: &'static str, instance: InstanceId, first: Position },
    #[error("instance {instance} of process manager {process:?} has not begun, and an event needs it")]
    NotBegun { process: &'static str, instance: InstanceId },
    #[error(transparent)]
    State(#[from] StateError),
    #[error("instance {instance} of process manager {process:?} is stuck at position {at}: {error}")]
    Stuck { process: &'static str, instance: InstanceId, at: Position, error: String },
}

/// An event, and what it means to whom.
pub(crate) struct Concerned<E> {
    pub(crate) event: RecordedEvent<E>,
    /// Which one it is of those that an upcast made of one stored event.
    part: usize,
    pub(crate) instances: Vec<(Concern, InstanceId)>,
}

/// Asks for the interest of each event, and leaves out those that concern nobody.
pub(crate) fn concerned<P: ProcessManager>(
    events: Vec<RecordedEvent<P::Event>>,
) -> Result<Vec<Concerned<P::Event>>, PlanError> {
    let mut all = Vec::new();
    let (mut position, mut parts) = (Position::ZERO, 0);
    for event in events {
        parts = if event.position == position { parts + 1 } else { 0 };
        position = event.position;
        let Interest(ids) = P::interested(&event.data);
        let mut instances = Vec::with_capacity(ids.len());
        for (concern, id) in ids {
            let id = id.map_err(|source| PlanError::InstanceId { process: P::NAME, source })?;
            instances.push((concern, id));
        }
        if !instances.is_empty() {
            all.push(Concerned { event, part: parts, instances });
        }
    }
    Ok(all)
}

/// The instances that must be read before the step can be planned, each once.
pub(crate) fn instance_ids<E>(events: &[Concerned<E>]) -> Vec<InstanceId> {
    let mut ids: Vec<_> = events.iter().flat_map(|one| &one.instances).map(|(_, id)| id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// One event's turn at one instance.
pub(crate) struct Turn<'a, E> {
    /// The turn's place among those of all instances.
    pub(super) number: usize,
    pub(super) event: &'a RecordedEvent<E>,
    pub(super) part: usize,
    pub(super) concern: Concern,
}

/// The turns of each instance, in order.
pub(crate) fn turns<E>(events: &[Concerned<E>]) -> BTreeMap<&InstanceId, Vec<Turn<'_, E>>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut number = 0;
    for Concerned { event, part, instances } in events {
        for (concern, id) in instances {
            all.entry(id).or_default().push(Turn { number, event, part: *part, concern: *concern });
            number += 1;
        }
    }
    all
}

/// What a step stores.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) instances: Vec<InstanceChange>,
    /// Deadlines that are not wanted any more.
    pub(crate) cancels: Vec<(InstanceId, String)>,
    pub(crate) tasks: Vec<OutboxEntry>,
}

/// Lets each instance handle and apply its events, in order. One that cannot gets stuck, alone.
pub(crate) fn plan<P: ProcessManager>(
    events: &[Concerned<P::Event>],
    mut records: HashMap<InstanceId, InstanceRecord>,
    knows: Knows<'_>,
) -> Plan {
    let mut plan = Plan::default();
    let mut tasks = Vec::new();
    for (id, turns) in turns(events) {
        let played = play::<P>(id, records.remove(id), &turns, knows);
        plan.instances.extend(played.record.map(|record| InstanceChange { id: id.clone(), record }));
        plan.cancels.extend(played.asked.cancels(id));
        tasks.extend(played.asked.into_tasks());
    }
    // Tasks are asked for in the order of the log, whosever they are.
    tasks.sort_by_key(|(number, _)| *number);
    plan.tasks = tasks.into_iter().map(|(_, task)| task).collect();
    plan
}

/// Where tasks come from: what makes their ids, and what they carry.
pub(crate) struct Origin<'a> {
    process: &'static str,
    instance: &'a InstanceId,
    /// The position of the event, with the number of its part from the second on; or the id of the task.
    cause: String,
    metadata: Metadata,
    at: Timestamp,
}

impl<'a> Origin<'a> {
    pub(super) fn event<P: ProcessManager>(
        instance: &'a InstanceId,
        event: &RecordedEvent<P::Event>,
        part: usize,
    ) -> Self {
        let position = event.position;
        Self {
            process: P::NAME,
            instance,
            cause: if part == 0 { position.to_string() } else { format!("{position}.{part}") },
            metadata: Metadata {
                causation_id: Some(event.id.into()),
                correlation_id: Some(chain_of(event)),
                extra: event.metadata.extra.clone(),
            },
            at: event.recorded_at,
        }
    }

    /// A task that is due, or whose command was refused.
    pub(crate) fn task<P: ProcessManager>(entry: &'a OutboxEntry, now: Timestamp) -> Self {
        Self {
            process: P::NAME,
            instance: &entry.instance,
            cause: entry.id.to_string(),
            metadata: Metadata {
                causation_id: Some(CausationId::from(entry.id)),
                ..entry.metadata.clone()
            },
            at: now,
        }
    }

    /// Writes down what is asked for in a turn. Tasks have ids that are the same whenever the step is repeated.
    pub(crate) fn ask(
        &self,
        turn: usize,
        outgoing: Vec<Outgoing>,
        knows: Knows<'_>,
        asked: &mut Asked,
    ) -> Result<(), PlanError> {
        for (index, Outgoing { wish, after }) in outgoing.into_iter().enumerate() {
            let wish = wish.map_err(|source| PlanError::Unwritable {
                process: self.process,
                instance: self.instance.clone(),
                source,
            })?;
            let task = match wish {
                Wish::NoDeadline(name) => {
                    asked.cancel(name);
                    continue;
                }
                Wish::Task(OutboxTask::Command(command)) if !knows(&command.name) => {
                    return Err(PlanError::Unrouted { process: self.process, command: command.name });
                }
                Wish::Task(task) => task,
            };
            // What is not put off is due by every clock: those of several nodes differ, and one may go back.
            let due_at = if after.is_zero() { AT_ONCE } else { self.at.plus(after) };
            let task = OutboxEntry {
                id: task_id(self.process, self.instance, &self.cause, index),
                process: self.process.to_owned(),
                instance: self.instance.clone(),
                task,
                metadata: self.metadata.clone(),
                due_at,
                retry_at: due_at,
                attempts: 0,
                last_error: None,
                state: OutboxState::Pending,
            };
            asked.task(turn, task);
        }
        Ok(())
    }
}

/// When what is not put off is to be done: it has always been time.
pub(crate) const AT_ONCE: Timestamp = Timestamp::from_micros(0);

/// The causal chain of an event. One from outside the framework may have none; one begins there.
pub(crate) fn chain_of<E>(event: &RecordedEvent<E>) -> CorrelationId {
    event.metadata.correlation_id.unwrap_or(CorrelationId::new(event.id.as_uuid()))
}

/// The id of a task: a version 5 UUID of process manager, instance, cause and index.
///
/// Each part has its length before it, so that no two different lists of parts make one name.
fn task_id(process: &str, instance: &InstanceId, cause: &str, index: usize) -> CommandId {
    /// Drawn at random once; it must never change, since receipts of old commands depend on it.
    const NAMESPACE: Uuid = Uuid::from_u128(0x7c1d_0f5e_93a4_4b0e_8f27_5b1e_6d9a_c304);
    let parts = [process, instance.as_str(), cause, &index.to_string()];
    let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    CommandId::new(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receipts in every store depend on this value.
    #[test]
    fn a_task_id_is_frozen() {
        let id = task_id("send-coins", &InstanceId::new("t-1").unwrap(), "7", 0);
        assert_eq!(id.to_string(), "a540fb39-1472-507b-8f27-03ce5656f92b");
        assert_ne!(id, task_id("send-coins", &InstanceId::new("t-1").unwrap(), "7", 1));
    }
}
