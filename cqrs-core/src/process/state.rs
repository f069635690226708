//! An instance's state, from and to what is stored.

use std::cmp::Ordering;

use crate::{BoxError, InstanceId, InstanceRecord, Json, ProcessManager};

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("the state of instance {instance} of process manager {process:?} cannot be read")]
    Unreadable { process: &'static str, instance: InstanceId, source: BoxError },
    #[error(
        "the state of instance {instance} of process manager {process:?} has schema version {found}, newer than this program's {known}"
    )]
    Newer { process: &'static str, instance: InstanceId, found: u32, known: u32 },
}

/// Reads an instance's state, whatever schema version it has. One that has taken no event has the state of the
/// beginning.
pub(crate) fn restore<P: ProcessManager>(
    instance: &InstanceId,
    record: &InstanceRecord,
) -> Result<P, StateError> {
    let Some(state) = &record.state else { return Ok(P::default()) };
    let (found, known) = (record.schema_version, P::SCHEMA_VERSION);
    let read = match found.cmp(&known) {
        Ordering::Equal => state.decode().map_err(BoxError::from),
        Ordering::Less => migrate(found, state),
        Ordering::Greater => {
            return Err(StateError::Newer { process: P::NAME, instance: instance.clone(), found, known });
        }
    };
    read.map_err(|source| StateError::Unreadable { process: P::NAME, instance: instance.clone(), source })
}

fn migrate<P: ProcessManager>(version: u32, state: &Json) -> Result<P, BoxError> {
    Ok(serde_json::from_value(P::migrate(version, state.decode()?)?)?)
}
