//! Concluding: from the store's answers to the callers' answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decided, Jobs, Outcome, State};
use crate::dispatch::job::{Envelope, Failure, Job};
use crate::dispatch::{Consistency, Dispatched};
use crate::{Aggregate, AppendError, Appended, CommandId, StoreError, StreamId, Version};

/// What is left of a round.
pub(super) struct Concluded<A: Aggregate> {
    /// The commands that must be decided again, in order.
    pub(super) again: Jobs<A>,
    /// Whether the state equals the store.
    pub(super) intact: bool,
    /// The first append that was lost to another process.
    pub(super) conflict: Option<Failure>,
}

/// Nothing of the round was stored, or nobody knows. Only a command that was refused on committed state can
/// be told more than that.
pub(super) fn store_failed<A: Aggregate>(
    decided: Vec<Decided<A>>,
    error: &Arc<StoreError>,
) -> Concluded<A> {
    for Decided { job, outcome, ahead } in decided {
        let receipt = job.envelope().receipt;
        match outcome {
            Outcome::Rejected if !ahead && !receipt => job.rejected(),
            Outcome::Failed(failure) if !ahead && !receipt => job.failed(failure),
            _ => job.failed(Failure::Store(Arc::clone(error))),
        }
    }
    Concluded { again: Jobs::new(), intact: false, conflict: None }
}

/// The commands that did not get through and that may have done so in the past.
///
/// A command that took effect is nearly always refused when it is decided again: its nonce is used, its
/// money is spent. Before it is told so, the store is asked whether it has its receipt.
pub(super) fn receipts_to_ask_for<A: Aggregate>(decided: &[Decided<A>]) -> Vec<CommandId> {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Rejected | Outcome::Failed(_));
    decided
        .iter()
        .filter(|one| one.job.envelope().receipt && refused(&one.outcome))
        .map(|one| one.job.envelope().command_id)
        .collect()
}

/// Answers every command that can be answered.
///
/// From the first append on that did not go through as decided, whatever was decided on uncommitted state
/// was decided on something that never came to be.
pub(super) fn conclude<A: Aggregate>(
    state: &mut State<A>,
    stream: &StreamId,
    decided: Vec<Decided<A>>,
    answers: Vec<Result<Appended, AppendError>>,
    receipts: Result<Vec<(CommandId, Appended)>, Arc<StoreError>>,
) -> Concluded<A> {
    let receipts = receipts.map(|found| found.into_iter().collect::<HashMap<_, _>>());
    let mut answers = answers.into_iter();
    let mut again = Jobs::new();
    let mut intact = true;
    let mut conflict = None;
    for Decided { job, outcome, ahead } in decided {
        let envelope = job.envelope().clone();
        match outcome {
            Outcome::Append(_) => match answers.next() {
                Some(Ok(appended)) => {
                    // The first outcome of a duplicate is not what was applied to the state just now.
                    intact &= !appended.duplicate;
                    if !appended.duplicate && appended.events > 0 {
                        state.position = appended.position;
                    }
                    job.done(dispatched(&envelope, &appended));
                }
                Some(Err(AppendError::Invalid(invalid))) => {
                    intact = false;
                    job.failed(Failure::Invalid(invalid.into()));
                }
                Some(Err(AppendError::WrongExpectedVersion { stream, expected, actual })) => {
                    intact = false;
                    conflict.get_or_insert(Failure::Conflict { stream, expected, actual });
                    again.push_back(job);
                }
                None => {
                    intact = false;
                    let what = format!("an append to stream {stream} was not answered");
                    job.failed(Failure::Store(Arc::new(StoreError::Corrupt { what })));
                }
            },
            _ if ahead && !intact => again.push_back(job),
            Outcome::Nothing { version } => job.done(Dispatched {
                command_id: envelope.command_id,
                version,
                position: state.position,
                events: 0,
                duplicate: false,
                consistency: Consistency::NotAwaited,
            }),
            refused => match (envelope.receipt, &receipts) {
                (false, _) => refuse(job, refused),
                (true, Ok(found)) => match found.get(&envelope.command_id) {
                    Some(first) => job.done(dispatched(&envelope, first)),
                    None => refuse(job, refused),
                },
                (true, Err(error)) => job.failed(Failure::Store(Arc::clone(error))),
            },
        }
    }
    Concluded { again, intact, conflict }
}

fn refuse<A: Aggregate>(job: Box<dyn Job<A>>, outcome: Outcome) {
    match outcome {
        Outcome::Failed(failure) => job.failed(failure),
        _ => job.rejected(),
    }
}

fn dispatched(envelope: &Envelope, appended: &Appended) -> Dispatched {
    Dispatched {
        command_id: envelope.command_id,
        version: appended.versions.last().copied().unwrap_or(Version::ZERO),
        position: appended.position,
        events: appended.events,
        duplicate: appended.duplicate,
        consistency: Consistency::NotAwaited,
    }
}
