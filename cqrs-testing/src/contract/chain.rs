//! How far a causal chain has come.

use cqrs_core::{Chain, InstanceChange, InstanceRecord, Position, ProcessStep, ProcessStore};

use super::build_step::{
    NOW, at, change, command, correlation, deadline, done, due_at, in_chain, parked, retry, step,
    step_of_stuck, step_of_task, stuck,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

fn counted(pending: u64, parked: u64, last: u64) -> Chain {
    Chain { pending, parked, stuck: 0, last: Position::new(last) }
}

/// A chain without tasks counts nothing.
pub async fn a_chain_without_tasks_is_empty<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.chain(correlation()).await?, Chain::default(), "a chain in an empty store");
    Ok(())
}

/// A chain counts its pending commands: due, in the future, and between two attempts.
pub async fn a_chain_counts_its_pending_commands<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), due_at(at(1_000), command("b")), command("c")];
    let tasks = tasks.map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[2].id, retry(at(500)))], NOW).await?;
    want_eq!(store.chain(chain).await?, counted(3, 0, 0), "a chain of three pending commands");
    store.settle_tasks(vec![(tasks[0].id, done(4))], NOW).await?;
    want_eq!(store.chain(chain).await?, counted(2, 0, 4), "the chain after one of them is done");
    Ok(())
}

/// A chain counts its tasks that were given up, commands and deadlines.
pub async fn a_chain_counts_its_parked_tasks<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), deadline("b"), command("c")].map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, parked()), (tasks[1].id, parked())], NOW).await?;
    want_eq!(store.chain(chain).await?, counted(1, 2, 0), "a chain with two parked tasks");
    Ok(())
}

/// A deadline that waits, for its time or its next attempt, does not count.
pub async fn a_waiting_deadline_does_not_count<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [deadline("a"), due_at(at(1_000), deadline("b")), deadline("c"), command("d")];
    let tasks = tasks.map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[2].id, retry(at(500)))], NOW).await?;
    want_eq!(store.chain(chain).await?, counted(1, 0, 0), "a chain of three deadlines and a command");
    Ok(())
}

/// The last position of a chain is the highest of its commands that are done, in whatever order they were.
pub async fn the_last_position_of_a_chain_is_its_highest<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = ["a", "b", "c"].map(|id| in_chain(chain, command(id)));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    for (task, (position, last)) in tasks.iter().zip([(5, 5), (1_000, 1_000), (7, 1_000)]) {
        store.settle_tasks(vec![(task.id, done(position))], NOW).await?;
        let found = store.chain(chain).await?.last;
        want_eq!(found, Position::new(last), "the last position of a chain after one at {position}");
    }
    Ok(())
}

/// A task that a step made done leaves the chain, and has no position.
pub async fn a_task_done_by_a_step_leaves_the_chain<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), command("b")].map(|task| in_chain(chain, task));
    store.commit_step(step(0, 10, tasks.to_vec())).await?;
    let next = in_chain(chain, command("a"));
    store.commit_step(step_of_task(tasks[0].id, Some("rejected"), vec![next])).await?;
    want_eq!(
        store.chain(chain).await?,
        counted(2, 0, 0),
        "a chain with one of three commands done by a step"
    );
    store.commit_step(step_of_task(tasks[1].id, Some("rejected"), vec![])).await?;
    want_eq!(
        store.chain(chain).await?,
        counted(1, 0, 0),
        "a chain with two of three commands done by steps"
    );
    Ok(())
}

/// Tasks of other chains, and tasks without one, do not count.
pub async fn other_chains_do_not_count<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (chain, other) = (correlation(), correlation());
    let mut without = command("a");
    without.metadata.correlation_id = None;
    let tasks = [
        in_chain(chain, command("a")),
        in_chain(other, command("a")),
        in_chain(other, command("b")),
        in_chain(other, command("c")),
        without,
    ];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[2].id, parked()), (tasks[3].id, done(9))], NOW).await?;
    want_eq!(store.chain(chain).await?, counted(1, 0, 0), "the chain of one command");
    want_eq!(store.chain(other).await?, counted(1, 1, 9), "the chain of three commands");
    Ok(())
}

/// What a pruning forgets, its chain forgets too.
pub async fn a_pruned_task_leaves_the_chain<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = ["a", "b", "c"].map(|id| in_chain(chain, command(id)));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, done(9))], at(1)).await?;
    store.settle_tasks(vec![(tasks[1].id, done(4))], at(5)).await?;
    store.prune_tasks(at(2)).await?;
    want_eq!(store.chain(chain).await?, counted(1, 0, 4), "a chain after its highest command was pruned");
    Ok(())
}

/// A chain counts the instances that are stuck at one of its events, as long as they are.
pub async fn a_chain_counts_its_stuck_instances<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (chain, other) = (correlation(), correlation());
    let of = |id, chain| {
        let InstanceChange { id, record } = change(id, "1", false);
        InstanceChange { id, record: InstanceRecord { stuck: Some(stuck(1, chain)), ..record } }
    };
    let instances = vec![of("a", Some(chain)), of("b", Some(chain)), of("c", Some(other)), of("d", None)];
    store.commit_step(ProcessStep { instances, ..step(0, 1, vec![]) }).await?;
    let count = |stuck| Chain { stuck, ..Chain::default() };
    want_eq!(store.chain(chain).await?, count(2), "a chain with two stuck instances");
    want_eq!(store.chain(other).await?, count(1), "a chain with one stuck instance");
    want_eq!(store.chain(correlation()).await?, count(0), "a chain without");
    store.commit_step(step_of_stuck("a", 1, Some(1), vec![change("a", "1", false)], vec![])).await?;
    want_eq!(store.chain(chain).await?, count(1), "a chain after one of its instances goes on");
    Ok(())
}
