//! The checkpoint of a process manager.

use cqrs_core::{Position, ProcessStep, ProcessStore, StepError};

use super::build_step::{PROCESS, fenced, step};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict};

/// The checkpoint of a process manager that has never run is zero.
pub async fn a_checkpoint_is_zero_at_first<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.checkpoint(PROCESS).await?, Position::ZERO, "the checkpoint in an empty store");
    Ok(())
}

/// A step that events set off moves the checkpoint to where it says, also when nothing else changes.
pub async fn a_step_moves_the_checkpoint<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for (from, to) in [(0, 3), (3, 4), (4, 1_000)] {
        store.commit_step(step(from, to, vec![])).await?;
        want_eq!(
            store.checkpoint(PROCESS).await?,
            Position::new(to),
            "the checkpoint after a step to {to}"
        );
    }
    Ok(())
}

/// A step whose events begin elsewhere than at the checkpoint is fenced, and the checkpoint stays.
pub async fn a_step_from_elsewhere_is_fenced<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    fenced(store.commit_step(step(2, 5, vec![])).await, "a first step from 2")?;
    want_eq!(store.checkpoint(PROCESS).await?, Position::ZERO, "the checkpoint after a fenced first step");
    store.commit_step(step(0, 5, vec![])).await?;
    for from in [0, 4, 6] {
        let late = step(from, 9, vec![]);
        fenced(store.commit_step(late).await, &format!("a step from {from} with the checkpoint at 5"))?;
        want_eq!(store.checkpoint(PROCESS).await?, Position::new(5), "the checkpoint after a fenced step");
    }
    Ok(())
}

/// Of two steps from the same checkpoint that race on two handles, one is taken and one is fenced.
pub async fn of_two_racing_steps_one_is_fenced<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    for round in 0..20 {
        let (from, low, high) = (round * 10, round * 10 + 5, round * 10 + 10);
        let racing = (one.commit_step(step(from, low, vec![])), two.commit_step(step(from, high, vec![])));
        let to = match futures::join!(racing.0, racing.1) {
            (Ok(()), Err(StepError::Fenced)) => low,
            (Err(StepError::Fenced), Ok(())) => high,
            answers => {
                want!(false, "of two racing steps one must be fenced, found {answers:?}");
                return Ok(());
            }
        };
        want_eq!(one.checkpoint(PROCESS).await?, Position::new(to), "the checkpoint of the step that won");
        if to != high {
            one.commit_step(step(to, high, vec![])).await?;
        }
    }
    Ok(())
}

/// Process managers whose names differ in anything have checkpoints of their own.
pub async fn checkpoints_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let names =
        ["transfer", "Transfer", "transfer ", "transf", "transfer-2", "trans_er", "überweisung", "移"];
    for (name, to) in names.iter().zip(1..) {
        let first = ProcessStep { process: (*name).into(), ..step(0, to, vec![]) };
        store.commit_step(first).await?;
    }
    for (name, to) in names.iter().zip(1..) {
        want_eq!(store.checkpoint(name).await?, Position::new(to), "the checkpoint of {name:?}");
    }
    Ok(())
}

/// A checkpoint is kept exactly, also where a floating-point number would be rounded.
pub async fn a_checkpoint_is_kept_exactly<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let far = (1 << 53) + 1;
    store.commit_step(step(0, far, vec![])).await?;
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(far), "a checkpoint beyond 2^53");
    Ok(())
}

/// A checkpoint is seen by another handle as soon as the step has returned.
pub async fn a_checkpoint_is_seen_by_other_handles<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    for (from, to) in [(0, 1), (1, 2)] {
        one.commit_step(step(from, to, vec![])).await?;
        want_eq!(two.checkpoint(PROCESS).await?, Position::new(to), "the checkpoint on another handle");
    }
    Ok(())
}
