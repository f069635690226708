//! What becomes of tasks, and when they are forgotten.

use cqrs_core::{OutboxEntry, OutboxOutcome, ProcessStore, Share};

use super::build_step::{
    NOW, at, command, correlation, deadline, done, due, due_at, ids, in_chain, parked, retry, step, task_id,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// A task that is to be tried again counts the attempt, keeps its error, and is due at its next attempt.
pub async fn a_retry_counts_an_attempt<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let task = command("a");
    store.commit_step(step(0, 1, vec![task.clone()])).await?;
    for (attempts, error) in [(1, "down"), (2, "it's \u{0} é")] {
        let (then, before) = (at(i64::from(attempts) * 10), at(i64::from(attempts) * 10 - 1));
        store
            .settle_tasks(vec![(task.id, OutboxOutcome::Retry { at: then, error: error.into() })], NOW)
            .await?;
        want_eq!(
            store.due_tasks(before, Share::ALL, 10).await?,
            vec![],
            "the tasks before the next attempt"
        );
        let wanted =
            OutboxEntry { retry_at: then, attempts, last_error: Some(error.into()), ..task.clone() };
        want_eq!(
            store.due_tasks(then, Share::ALL, 10).await?,
            vec![wanted],
            "a task after {attempts} attempts"
        );
    }
    Ok(())
}

/// A task that is done or parked is given out no more.
pub async fn a_settled_task_is_not_due<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("b"), deadline("c"), deadline("d"), command("e")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let outcomes = [done(1), parked(), done(1), parked()];
    let settled = ids(&tasks).into_iter().zip(outcomes).collect();
    store.settle_tasks(settled, NOW).await?;
    want_eq!(due(&store, at(1_000)).await?, vec![tasks[4].id], "the tasks after four of five were settled");
    Ok(())
}

/// A task that is done stays so: later outcomes change nothing of it.
pub async fn done_is_final<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let task = command("a");
    let chain = correlation();
    store.commit_step(step(0, 1, vec![in_chain(chain, task.clone())])).await?;
    store.settle_tasks(vec![(task.id, done(3))], at(1)).await?;
    let wanted = store.chain(chain).await?;
    for later in [retry(at(2)), parked(), done(9)] {
        store.settle_tasks(vec![(task.id, later.clone())], at(5)).await?;
        want_eq!(due(&store, at(9)).await?, vec![], "the tasks after {later:?} of a task that is done");
        want_eq!(store.chain(chain).await?, wanted, "the chain after {later:?} of a task that is done");
    }
    want_eq!(store.prune_tasks(at(2)).await?, 1, "tasks that were done before 2");
    Ok(())
}

/// A task that is parked stays so until an operator decides: later outcomes change nothing of it.
pub async fn a_parked_task_stays_parked<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let task = command("a");
    let chain = correlation();
    store.commit_step(step(0, 1, vec![in_chain(chain, task.clone())])).await?;
    store.settle_tasks(vec![(task.id, parked())], at(1)).await?;
    let wanted = store.chain(chain).await?;
    for later in [retry(at(2)), done(9), parked()] {
        store.settle_tasks(vec![(task.id, later.clone())], at(5)).await?;
        want_eq!(due(&store, at(9)).await?, vec![], "the tasks after {later:?} of a parked task");
        want_eq!(store.chain(chain).await?, wanted, "the chain after {later:?} of a parked task");
    }
    Ok(())
}

/// Outcomes of one call are recorded in their order: after the first that is final, the rest are ignored.
pub async fn outcomes_are_recorded_in_order<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (tried, ended) = (command("a"), command("b"));
    store.commit_step(step(0, 1, vec![tried.clone(), ended.clone()])).await?;
    let again = |micros, error: &str| OutboxOutcome::Retry { at: at(micros), error: error.into() };
    let outcomes = vec![
        (tried.id, again(30, "first")),
        (ended.id, done(1)),
        (tried.id, again(20, "second")),
        (ended.id, again(20, "too late")),
    ];
    store.settle_tasks(outcomes, NOW).await?;
    let last_error = Some("second".into());
    let wanted = OutboxEntry { retry_at: at(20), attempts: 2, last_error, ..tried };
    want_eq!(
        store.due_tasks(at(50), Share::ALL, 10).await?,
        vec![wanted],
        "the tasks after four outcomes of two"
    );
    Ok(())
}

/// Outcomes of tasks that the outbox does not have are ignored, and those beside them are recorded.
pub async fn outcomes_of_unknown_tasks_are_ignored<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    store.settle_tasks(vec![], NOW).await?;
    let tasks = [command("a"), command("b"), command("c")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let outcomes = vec![
        (task_id(), parked()),
        (tasks[0].id, done(1)),
        (task_id(), retry(NOW)),
        (tasks[2].id, done(2)),
    ];
    store.settle_tasks(outcomes, NOW).await?;
    want_eq!(
        due(&store, at(9)).await?,
        vec![tasks[1].id],
        "the tasks after outcomes of known and unknown ones"
    );
    Ok(())
}

/// A pruning forgets the tasks that were done before the moment, counts them, and leaves all others.
pub async fn a_pruning_forgets_what_was_done_before<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = ["a", "b", "c"].map(command);
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    for (task, micros) in tasks.iter().zip([5, 10, 15]) {
        store.settle_tasks(vec![(task.id, done(1))], at(micros)).await?;
    }
    for (before, forgotten) in [(5, 0), (10, 1), (10, 0), (11, 1), (1_000, 1), (1_000, 0)] {
        want_eq!(
            store.prune_tasks(at(before)).await?,
            forgotten,
            "tasks forgotten by a pruning to {before}"
        );
    }
    Ok(())
}

/// A pruning leaves what is pending or parked, however old.
pub async fn a_pruning_leaves_what_is_not_done<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), command("b"), command("c"), due_at(at(9), deadline("d")), deadline("e")];
    let tasks = tasks.map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let outcomes = vec![(tasks[1].id, parked()), (tasks[2].id, retry(at(1))), (tasks[4].id, parked())];
    store.settle_tasks(outcomes, NOW).await?;
    let (due_before, chain_before) =
        (store.due_tasks(at(10), Share::ALL, 10).await?, store.chain(chain).await?);
    want_eq!(store.prune_tasks(at(1_000_000)).await?, 0, "tasks forgotten when none is done");
    want_eq!(store.due_tasks(at(10), Share::ALL, 10).await?, due_before, "the due tasks after a pruning");
    want_eq!(store.chain(chain).await?, chain_before, "the chain after a pruning");
    Ok(())
}
