//! All that the store holds: the fold of all facts.

use cqrs_core::StoreError;

use crate::fact::Fact;
use crate::handlers::Handlers;
use crate::leases::Leases;
use crate::log::Log;
use crate::processes::Processes;
use crate::snapshots::Snapshots;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) log: Log,
    pub(crate) snapshots: Snapshots,
    pub(crate) processes: Processes,
    pub(crate) leases: Leases,
    pub(crate) handlers: Handlers,
}

impl State {
    /// Makes a fact true. It was judged when it was written, so nothing is left to decide.
    pub(crate) fn apply(&mut self, fact: Fact) -> Result<(), StoreError> {
        match fact {
            Fact::Event(event) => self.log.push(event)?,
            Fact::Receipt(command, outcome) => self.log.remember(command, outcome),
            Fact::Snapshot(snapshot) => self.snapshots.put(snapshot),
            Fact::Checkpoint(process, position) => self.processes.move_checkpoint(process, position),
            Fact::Instance(process, id, record) => self.processes.put_instance(process, id, record),
            Fact::Task(task) => self.processes.put_task(task),
            Fact::Forgotten(task) => self.processes.forget_task(task),
            Fact::Handler(handler, checkpoint) => self.handlers.move_checkpoint(handler, checkpoint),
            Fact::Parked(handler, event) => self.handlers.put(handler, event),
            Fact::Released(handler, part) => self.handlers.release(&handler, part),
            Fact::Lease(lease, claim) => self.leases.put(lease, claim),
        }
        Ok(())
    }
}
