//! Deciding: pure, from a state and the commands that wait to what is to be stored.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Decided, Jobs, Outcome, State};
use crate::dispatch::job::{Envelope, Failure, Verdict};
use crate::dispatch::panic_message;
use crate::{
    Aggregate, Append, EventId, ExpectedVersion, NewEvent, StreamId, StreamWrite, Timestamp, encode,
};

/// What a round of decisions came to.
pub(super) struct Round<A: Aggregate> {
    pub(super) decided: Vec<Decided<A>>,
    /// Commands that were not reached.
    pub(super) rest: Jobs<A>,
    /// Whether `apply` panicked, so that nobody knows what is in the state.
    pub(super) poisoned: bool,
}

/// Runs each command on the state and applies its events before the next one looks.
///
/// Afterwards the state is ahead of the store by the appends decided here.
pub(super) fn decide<A: Aggregate>(
    state: &mut State<A>,
    stream: &StreamId,
    mut jobs: Jobs<A>,
    now: Timestamp,
) -> Round<A> {
    let committed = state.version;
    let mut decided = Vec::with_capacity(jobs.len());
    while let Some(mut job) = jobs.pop_front() {
        let ahead = state.version != committed;
        let envelope = job.envelope().clone();
        if let Some(expected) = envelope.expected.filter(|expected| *expected != state.version) {
            let outcome = Outcome::Failed(Failure::Conflict {
                stream: stream.clone(),
                expected: ExpectedVersion::Exact(expected),
                actual: state.version,
            });
            decided.push(Decided { job, outcome, ahead });
            continue;
        }
        let (outcome, poisoned) = match job.decide(&state.aggregate) {
            Verdict::Events(events) => take_in(state, stream, &envelope, &events, now),
            Verdict::Rejected => (Outcome::Rejected, false),
            Verdict::Panicked(message) => (Outcome::Failed(Failure::Panicked(message)), false),
        };
        decided.push(Decided { job, outcome, ahead });
        if poisoned {
            return Round { decided, rest: jobs, poisoned };
        }
    }
    Round { decided, rest: jobs, poisoned: false }
}

/// Encodes a command's events and applies them. The flag says that `apply` panicked.
fn take_in<A: Aggregate>(
    state: &mut State<A>,
    stream: &StreamId,
    envelope: &Envelope,
    events: &[A::Event],
    now: Timestamp,
) -> (Outcome, bool) {
    if events.is_empty() && !envelope.receipt {
        return (Outcome::Nothing { version: state.version }, false);
    }
    let metadata = envelope.event_metadata();
    let mut new_events = Vec::with_capacity(events.len());
    for (index, event) in (0..).zip(events) {
        match encode(event) {
            Ok((event_type, data)) => new_events.push(NewEvent {
                id: EventId::derive(envelope.command_id, index),
                event_type: event_type.into(),
                data,
                metadata: metadata.clone(),
            }),
            Err(error) => return (Outcome::Failed(Failure::Invalid(error.into())), false),
        }
    }
    let append = Append {
        writes: vec![StreamWrite {
            stream: stream.clone(),
            expected: ExpectedVersion::Exact(state.version),
            events: new_events,
        }],
        receipt: envelope.receipt.then_some(envelope.command_id),
        recorded_at: now,
    };
    // A limit that is broken is found here, before the events are in the state.
    if let Err(invalid) = append.validate() {
        return (Outcome::Failed(Failure::Invalid(invalid.into())), false);
    }
    let aggregate = &mut state.aggregate;
    let applied = catch_unwind(AssertUnwindSafe(|| {
        for event in events {
            aggregate.apply(event);
        }
    }));
    if let Err(panic) = applied {
        return (Outcome::Failed(Failure::Panicked(panic_message(&*panic))), true);
    }
    state.version = state.version.plus(events.len() as u64);
    (Outcome::Append(Some(append)), false)
}
