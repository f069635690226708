//! What `cqrs-testing` plays process managers with: the rules of production, without a store.
//!
//! It is no part of the public interface and may change at any time.

use std::collections::HashMap;
use std::time::Duration;

pub use super::answer::Answer;
use super::outgoing::Wish;
use super::plan::{self, Plan};
use super::{Outgoing, ProcessManager, answer};
use crate::{
    BoxError, InstanceChange, InstanceId, InstanceRecord, OutboxEntry, OutboxTask, ProcessStep,
    RecordedEvent, Timestamp,
};

/// What some events come to.
#[derive(Debug)]
pub struct Planned {
    /// The instances that changed.
    pub instances: Vec<InstanceChange>,
    /// Deadlines that are not wanted any more.
    pub cancels: Vec<(InstanceId, String)>,
    /// What is asked for.
    pub tasks: Vec<OutboxEntry>,
}

/// One thing that is asked for.
#[derive(Debug)]
pub enum Asked {
    /// A task, some time after its cause.
    Task(OutboxTask, Duration),
    /// That there be no deadline of this name.
    NoDeadline(String),
}

/// What a page of events changes, and what is asked for because of it. Every command counts as routed.
///
/// # Errors
///
/// What would keep the page from being worked on. What concerns one instance alone is written down there.
pub fn events<P: ProcessManager>(
    events: Vec<RecordedEvent<P::Event>>,
    instances: &HashMap<InstanceId, InstanceRecord>,
) -> Result<Planned, BoxError> {
    let events = plan::concerned::<P>(events)?;
    let ids = plan::instance_ids(&events).into_iter();
    let records = ids.filter_map(|id| instances.get(&id).cloned().map(|record| (id, record)));
    let Plan { instances, cancels, tasks } = plan::plan::<P>(&events, records.collect(), &|_| true);
    Ok(Planned { instances, cancels, tasks })
}

/// What the refusal of a command comes to.
///
/// # Errors
///
/// When the instance cannot be read, or what it asks for cannot be written.
pub fn failed<P: ProcessManager>(
    entry: &OutboxEntry,
    instance: Option<&InstanceRecord>,
    rejection: &str,
    now: Timestamp,
) -> Result<Answer, BoxError> {
    Ok(answer::failed::<P>(entry, instance, rejection.to_owned(), now, &|_| true)?)
}

/// What a deadline comes to.
///
/// # Errors
///
/// When the instance cannot be read, or what it asks for cannot be written.
pub fn deadline<P: ProcessManager>(
    entry: &OutboxEntry,
    name: &str,
    instance: Option<&InstanceRecord>,
    now: Timestamp,
) -> Result<ProcessStep, BoxError> {
    Ok(answer::deadline::<P>(entry, name, instance, now, &|_| true)?)
}

/// What is asked for.
///
/// # Errors
///
/// When a command cannot be written as JSON.
pub fn asked(outgoing: Outgoing) -> Result<Asked, BoxError> {
    Ok(match outgoing.wish? {
        Wish::Task(task) => Asked::Task(task, outgoing.after),
        Wish::NoDeadline(name) => Asked::NoDeadline(name),
    })
}
