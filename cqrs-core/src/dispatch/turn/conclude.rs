//! Concluding: from the store's answers to the callers' answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Decided, Outcome, Receipts};
use crate::dispatch::job::{Envelope, Failure, Job};
use crate::dispatch::live::Jobs;
use crate::dispatch::{Consistency, Dispatched};
use crate::{Aggregate, AppendError, Appended, CommandId, StoreError, Version};

/// What is left of a round.
pub(super) struct Concluded<A: Aggregate> {
    /// The commands that must be decided again, in order.
    pub(super) again: Jobs<A>,
    /// Whether the state equals the store.
    pub(super) intact: bool,
    /// The first append that did not find the stream as expected.
    pub(super) conflict: Option<Failure>,
}

/// Nothing of the turn was stored, or nobody knows.
pub(super) fn store_failed<A: Aggregate>(decided: Vec<Decided<A>>, error: &Arc<StoreError>) {
    for Decided { job, .. } in decided {
        job.failed(Failure::Store(Arc::clone(error)));
    }
}

/// The commands that did not get through and that may have done so in the past.
///
/// A command that took effect is nearly always refused when it is decided again: its nonce is used, its
/// money is spent. Before it is told so, the store is asked whether it has its receipt.
pub(super) fn receipts_to_ask_for<A: Aggregate>(decided: &[Decided<A>]) -> Vec<CommandId> {
    decided
        .iter()
        .filter(|one| one.job.envelope().receipt && !matches!(one.outcome, Outcome::Accepted))
        .map(|one| one.job.envelope().command_id)
        .collect()
}

/// Answers every command that can be answered.
///
/// Each append, also one without events, says which version its decision rests on, and that it rests on the one
/// before. So whatever was decided on something that never came to be is refused, and is decided again.
pub(super) fn conclude<A: Aggregate>(
    decided: Vec<Decided<A>>,
    answers: &mut dyn Iterator<Item = Result<Appended, AppendError>>,
    receipts: Receipts,
) -> Concluded<A> {
    let receipts = receipts.map(|found| found.into_iter().collect::<HashMap<_, _>>());
    let mut concluded = Concluded { again: Jobs::new(), intact: true, conflict: None };
    for (Decided { job, outcome }, answer) in decided.into_iter().zip(answers) {
        let envelope = job.envelope();
        match (answer, outcome) {
            (Ok(appended), Outcome::Accepted) => {
                // The first outcome of a duplicate is not what was applied to the state just now.
                concluded.intact &= !appended.duplicate;
                let outcome = dispatched(envelope, &appended);
                job.done(outcome);
            }
            (Ok(_), refused) => match (envelope.receipt, &receipts) {
                (false, _) => refuse(job, refused),
                (true, Ok(found)) => match found.get(&envelope.command_id) {
                    Some(first) => {
                        let outcome = dispatched(envelope, first);
                        job.done(outcome);
                    }
                    None => refuse(job, refused),
                },
                (true, Err(error)) => job.failed(Failure::Store(Arc::clone(error))),
            },
            (Err(AppendError::Invalid(invalid)), _) => {
                concluded.intact = false;
                job.failed(Failure::Invalid(invalid.into()));
            }
            (Err(AppendError::Unfounded), _) => concluded.again.push_back(job),
            (Err(AppendError::WrongExpectedVersion { stream, expected, actual }), _) => {
                concluded.intact = false;
                concluded.conflict.get_or_insert(Failure::Conflict { stream, expected, actual });
                concluded.again.push_back(job);
            }
        }
    }
    concluded
}

fn refuse<A: Aggregate>(job: Box<dyn Job<A>>, outcome: Outcome) {
    match outcome {
        Outcome::Failed(failure) => job.failed(failure),
        Outcome::Accepted | Outcome::Rejected => job.rejected(),
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
