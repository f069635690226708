//! What process managers find after a restart.

use cqrs_core::{Position, ProcessStep, ProcessStore, Share};

use super::build_step::{
    NOW, PROCESS, at, change, command, correlation, deadline, done, due_at, fenced, in_chain, instance,
    parked, retry, step,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// Checkpoint and instances are after a restart what they were before it, and the fence holds.
pub async fn checkpoint_and_instances_survive_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (open, ended) = (change("a", r#"{"x":1}"#, false), change("b", "2", true));
    let instances = vec![open.clone(), ended.clone()];
    store.commit_step(ProcessStep { instances, ..step(0, 7, vec![]) }).await?;
    let store = factory.reopen(store).await;
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(7), "the checkpoint after a restart");
    let found = store.instances(PROCESS, &["a", "b"].map(instance)).await?;
    want_eq!(found, vec![Some(open.record), Some(ended.record)], "the instances after a restart");
    fenced(store.commit_step(step(0, 9, vec![])).await, "a step from 0 after a restart")?;
    store.commit_step(step(7, 9, vec![])).await?;
    Ok(())
}

/// The outbox is after a restart what it was before it: what is due, when, in which order, and its chains.
pub async fn the_outbox_survives_a_restart<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), due_at(at(20), deadline("b")), command("c"), command("d"), command("e")];
    let tasks = tasks.map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let outcomes = vec![(tasks[2].id, retry(at(10))), (tasks[3].id, parked()), (tasks[4].id, done(5))];
    store.settle_tasks(outcomes, NOW).await?;
    let before = (
        store.due_tasks(at(50), Share::ALL, 10).await?,
        store.next_due(at(10)).await?,
        store.chain(chain).await?,
    );
    let store = factory.reopen(store).await;
    let after = (
        store.due_tasks(at(50), Share::ALL, 10).await?,
        store.next_due(at(10)).await?,
        store.chain(chain).await?,
    );
    want_eq!(after, before, "due tasks, next due time and chain after a restart");
    want_eq!(store.prune_tasks(at(1)).await?, 1, "tasks forgotten after a restart");
    Ok(())
}
