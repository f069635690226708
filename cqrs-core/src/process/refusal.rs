//! Making a refusal final, before anything is done because of it.
//!
//! A refusal leaves nothing in the store, so that a command can be decided anew. Two processes on one store may work on
//! one task at the same time, and what one of them is refused, the other may get through a moment later: then the
//! command has taken effect, and what its process manager did about the refusal is wrong. So the command's receipt is
//! taken first, with which it cannot take effect any more; or it turns out that it has.

use uuid::Uuid;

use crate::{Append, AppendError, CommandId, Position, Store, StoreError, Timestamp};

/// What is told of a refusal that another process heard and did not live to answer.
pub(super) const UNHEARD: &str = "a rule refused it, in a process that has ended since";

/// What became of a command that was refused.
pub(super) enum Refusal {
    /// It never takes effect.
    Final,
    /// It took effect, in another process.
    Overtaken {
        /// The position of its append.
        position: Position,
    },
}

/// Takes the receipt of a command that was refused, together with one that says so.
pub(super) async fn make_final(
    store: &dyn Store,
    command: CommandId,
    now: Timestamp,
) -> Result<Refusal, StoreError> {
    let append = |receipt, rests_on_previous| Append {
        writes: Vec::new(),
        receipt: Some(receipt),
        recorded_at: now,
        rests_on_previous,
    };
    let batch = vec![append(command, false), append(refused(command), true)];
    let answers = store.append(batch).await?;
    match <[_; 2]>::try_from(answers) {
        // Whoever has the second receipt made it final, now or before.
        Ok([_, Ok(_)]) => Ok(Refusal::Final),
        // It rests on what had a receipt before: that of the command itself.
        Ok([Ok(first), Err(AppendError::Unfounded)]) => Ok(Refusal::Overtaken { position: first.position }),
        Ok([Err(error), _] | [_, Err(error)]) => Err(StoreError::backend("make a refusal final", error)),
        Err(answers) => {
            let source = format!("{} answers for 2 appends", answers.len());
            Err(StoreError::OutcomeUnknown { source: source.into() })
        }
    }
}

/// Whether a command has its receipt because it was refused.
pub(super) async fn is_final(store: &dyn Store, command: CommandId) -> Result<bool, StoreError> {
    Ok(store.receipts(&[refused(command)]).await?.iter().any(Option::is_some))
}

/// The id under which the refusal of a command leaves its receipt.
fn refused(command: CommandId) -> CommandId {
    /// Drawn at random once; it must never change, since receipts of old refusals depend on it.
    const NAMESPACE: Uuid = Uuid::from_u128(0x51c6_3c0a_d7f2_4e6b_9a18_c40d_72be_9f35);
    CommandId::new(Uuid::new_v5(&NAMESPACE, command.as_uuid().as_bytes()))
}
