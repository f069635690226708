//! Deciding: pure, from a state and the commands that wait to what is to be stored.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Decided, Outcome, State};
use crate::dispatch::job::{Envelope, Failure, Verdict};
use crate::dispatch::live::Jobs;
use crate::dispatch::panic_message;
use crate::{
    Aggregate, Append, EventId, ExpectedVersion, NewEvent, StreamId, StreamWrite, Timestamp, Version,
    encode,
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
/// Each decision adds one append to the batch. A decision that stores nothing has an append without events: the
/// store is asked whether the state that it rests on is true. Afterwards the state is ahead of the store by the events of the appends.
pub(super) fn decide<A: Aggregate>(
    state: &mut State<A>,
    stream: &StreamId,
    jobs: Jobs<A>,
    now: Timestamp,
    batch: &mut Vec<Append>,
) -> Round<A> {
    let mut round = Round { decided: Vec::with_capacity(jobs.len()), rest: jobs, poisoned: false };
    while let Some(mut job) = round.rest.pop_front() {
        let version = state.version;
        let verdict = match job.envelope().expected {
            Some(expected) if expected != version => Err(Failure::Conflict {
                stream: stream.clone(),
                expected: ExpectedVersion::Exact(expected),
                actual: version,
            }),
            _ => Ok(job.decide(&state.aggregate)),
        };
        let (outcome, append) = match verdict {
            Ok(Verdict::Events(events)) => match pack(job.envelope(), stream, version, &events, now) {
                Err(failure) => (Outcome::Failed(failure), None),
                Ok(append) => match apply(state, &events) {
                    Ok(()) => {
                        job.observe(&state.aggregate);
                        (Outcome::Accepted, Some(append))
                    }
                    Err(panic) => {
                        round.poisoned = true;
                        (Outcome::Failed(Failure::Panicked(panic)), None)
                    }
                },
            },
            Ok(Verdict::Rejected) => (Outcome::Rejected, None),
            Ok(Verdict::Panicked(message)) => (Outcome::Failed(Failure::Panicked(message)), None),
            Err(failure) => (Outcome::Failed(failure), None),
        };
        let mut append = append.unwrap_or_else(|| check(stream, version, now));
        append.rests_on_previous = !round.decided.is_empty();
        batch.push(append);
        round.decided.push(Decided { job, outcome });
        if round.poisoned {
            break;
        }
    }
    round
}

/// An append that stores nothing, and goes through as long as the stream is at this version.
fn check(stream: &StreamId, version: Version, now: Timestamp) -> Append {
    let expected = ExpectedVersion::Exact(version);
    let write = StreamWrite { stream: stream.clone(), expected, events: Vec::new() };
    Append { writes: vec![write], receipt: None, recorded_at: now, rests_on_previous: false }
}

/// Encodes a command's events. A limit that is broken is found here, before the events are in the state.
fn pack<E: crate::Event>(
    envelope: &Envelope,
    stream: &StreamId,
    version: Version,
    events: &[E],
    now: Timestamp,
) -> Result<Append, Failure> {
    let mut append = check(stream, version, now);
    append.receipt = envelope.receipt.then_some(envelope.command_id);
    let metadata = envelope.event_metadata();
    for (index, event) in (0..).zip(events) {
        let (event_type, data) = encode(event).map_err(|error| Failure::Invalid(error.into()))?;
        append.writes[0].events.push(NewEvent {
            id: EventId::derive(envelope.command_id, index),
            event_type: event_type.into(),
            data,
            metadata: metadata.clone(),
        });
    }
    append.validate().map_err(|invalid| Failure::Invalid(invalid.into()))?;
    Ok(append)
}

/// Takes events in; the error is what a panic says.
fn apply<A: Aggregate>(state: &mut State<A>, events: &[A::Event]) -> Result<(), String> {
    let aggregate = &mut state.aggregate;
    let applied = catch_unwind(AssertUnwindSafe(|| {
        for event in events {
            aggregate.apply(event);
        }
    }));
    applied.map_err(|panic| panic_message(&*panic))?;
    state.version = state.version.plus(events.len() as u64);
    Ok(())
}
