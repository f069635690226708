//! Planning a step: pure, from events and instances to what is to be stored.

use std::collections::HashMap;

use serde_json::Error as JsonError;
use uuid::Uuid;

use super::outgoing::Concern;
use super::{Interest, Outgoing, ProcessManager};
use crate::{
    CausationId, CommandId, CorrelationId, InstanceChange, InstanceId, InstanceRecord, InvalidInstanceId,
    Json, Metadata, OutboxEntry, OutboxState, OutboxTask, Position, RecordedEvent, Timestamp,
};

/// Whether a command's name has a route.
pub(crate) type Knows<'a> = &'a dyn Fn(&str) -> bool;

/// Why a step cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("process manager {process:?} names an instance badly")]
    InstanceId { process: &'static str, source: InvalidInstanceId },
    #[error("the state of instance {instance} of process manager {process:?} cannot be read")]
    State { process: &'static str, instance: InstanceId, source: JsonError },
    #[error("instance {instance} of process manager {process:?} cannot be written as JSON")]
    Unwritable { process: &'static str, instance: InstanceId, source: JsonError },
    #[error(
        "process manager {process:?} asks for command {command:?}, which has no route: add `.route::<…>()` for it to the application's router"
    )]
    Unrouted { process: &'static str, command: String },
}

/// An event, and what it means to whom.
pub(crate) struct Concerned<E> {
    event: RecordedEvent<E>,
    /// Which one it is of those that an upcast made of one stored event.
    part: usize,
    instances: Vec<(Concern, InstanceId)>,
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

/// What a step stores.
pub(crate) struct Plan {
    pub(crate) instances: Vec<InstanceChange>,
    pub(crate) tasks: Vec<OutboxEntry>,
}

/// Lets each instance handle and apply its events, in order.
pub(crate) fn plan<P: ProcessManager>(
    events: &[Concerned<P::Event>],
    records: HashMap<InstanceId, InstanceRecord>,
    knows: Knows<'_>,
) -> Result<Plan, PlanError> {
    let mut live = HashMap::with_capacity(records.len());
    for (id, record) in records {
        let state: P = restore(&id, &record)?;
        live.insert(id, (state, record.finished, false));
    }
    let mut tasks = Vec::new();
    for Concerned { event, part, instances } in events {
        for (concern, id) in instances {
            if *concern == Concern::Start && !live.contains_key(id) {
                live.insert(id.clone(), (P::default(), false, true));
            }
            let Some((state, finished, changed)) = live.get_mut(id).filter(|(_, finished, _)| !finished)
            else {
                continue;
            };
            let origin = Origin::event::<P>(id, event, *part);
            tasks.extend(origin.tasks(state.handle(event), knows)?);
            state.apply(&event.data);
            *finished = *concern == Concern::Stop;
            *changed = true;
        }
    }
    let mut changes = Vec::new();
    for (id, (state, finished, _)) in live.into_iter().filter(|(_, (_, _, changed))| *changed) {
        let state = Json::of(&state).map_err(|source| PlanError::Unwritable {
            process: P::NAME,
            instance: id.clone(),
            source,
        })?;
        changes.push(InstanceChange { id, record: InstanceRecord { state, finished } });
    }
    // The map has no order of its own, and a step that is repeated must be the same.
    changes.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(Plan { instances: changes, tasks })
}

/// Reads an instance's state.
pub(crate) fn restore<P: ProcessManager>(id: &InstanceId, record: &InstanceRecord) -> Result<P, PlanError> {
    record.state.decode().map_err(|source| PlanError::State {
        process: P::NAME,
        instance: id.clone(),
        source,
    })
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
    fn event<P: ProcessManager>(
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
                // An event from outside the framework may have no chain; one begins here.
                correlation_id: event
                    .metadata
                    .correlation_id
                    .or(Some(CorrelationId::new(event.id.as_uuid()))),
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

    /// Makes outbox entries, with ids that are the same whenever the step is repeated.
    pub(crate) fn tasks(
        &self,
        outgoing: Vec<Outgoing>,
        knows: Knows<'_>,
    ) -> Result<Vec<OutboxEntry>, PlanError> {
        let mut entries = Vec::with_capacity(outgoing.len());
        for (index, Outgoing { task, after }) in outgoing.into_iter().enumerate() {
            let task = task.map_err(|source| PlanError::Unwritable {
                process: self.process,
                instance: self.instance.clone(),
                source,
            })?;
            match &task {
                OutboxTask::Command(command) if !knows(&command.name) => {
                    let command = command.name.clone();
                    return Err(PlanError::Unrouted { process: self.process, command });
                }
                _ => {}
            }
            let due_at = self.at.plus(after);
            entries.push(OutboxEntry {
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
            });
        }
        Ok(entries)
    }
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
