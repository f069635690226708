//! A step of a process manager is one transaction.

use cqrs_core::{Position, ProcessStep, ProcessStore};

use super::build_step::{
    NOW, PROCESS, at, change, command, correlation, deadline, done, due, fenced, ids, in_chain, instance,
    parked, retry, step, step_of_task, task_id,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// A step changes the checkpoint, the instances and the outbox together.
pub async fn a_step_changes_all_of_its_parts<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = vec![command("a"), deadline("b")];
    let instances = vec![change("a", "1", false), change("b", "2", true)];
    let taken = ProcessStep { instances: instances.clone(), ..step(0, 7, tasks.clone()) };
    store.commit_step(taken).await?;
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(7), "the checkpoint after a step");
    let found = store.instances(PROCESS, &["a", "b"].map(instance)).await?;
    let wanted: Vec<_> = instances.into_iter().map(|change| Some(change.record)).collect();
    want_eq!(found, wanted, "the instances after a step");
    want_eq!(due(&store, NOW).await?, ids(&tasks), "the outbox after a step");
    Ok(())
}

/// A fenced step changes nothing at all: no checkpoint, no instance, no task.
pub async fn a_fenced_step_changes_nothing<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let first = command("a");
    let was = change("a", "1", false);
    store
        .commit_step(ProcessStep { instances: vec![was.clone()], ..step(0, 5, vec![first.clone()]) })
        .await?;
    let changes = vec![change("a", "2", true), change("b", "2", false)];
    let late = ProcessStep { instances: changes.clone(), ..step(4, 9, vec![command("a"), deadline("b")]) };
    fenced(store.commit_step(late).await, "a step from 4 with the checkpoint at 5")?;
    let unknown = ProcessStep { instances: changes, ..step_of_task(task_id(), None, vec![command("b")]) };
    fenced(store.commit_step(unknown).await, "a step of a task that the outbox does not have")?;
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(5), "the checkpoint after fenced steps");
    let found = store.instances(PROCESS, &["a", "b"].map(instance)).await?;
    want_eq!(found, vec![Some(was.record), None], "the instances after fenced steps");
    want_eq!(due(&store, NOW).await?, vec![first.id], "the outbox after fenced steps");
    Ok(())
}

/// A step that a pending task sets off makes the task done, changes instances and outbox, and leaves the
/// checkpoint.
pub async fn a_step_of_a_task_makes_it_done<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (late, next) = (deadline("a"), command("a"));
    store.commit_step(step(0, 5, vec![late.clone()])).await?;
    let changed = change("a", "2", true);
    let woken =
        ProcessStep { instances: vec![changed.clone()], ..step_of_task(late.id, None, vec![next.clone()]) };
    store.commit_step(woken).await?;
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(5), "the checkpoint after a task's step");
    let found = store.instances(PROCESS, &[instance("a")]).await?;
    want_eq!(found, vec![Some(changed.record)], "the instance after a task's step");
    want_eq!(due(&store, NOW).await?, vec![next.id], "the outbox after a task's step");
    Ok(())
}

/// A task sets off one step: once it is done or parked, a further step that it is to set off is fenced.
pub async fn a_task_sets_off_one_step<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [deadline("a"), command("b"), command("c"), command("d")];
    store.commit_step(step(0, 5, tasks.to_vec())).await?;
    let [woken, succeeded, given_up, waiting] = ids(&tasks).try_into().unwrap_or([task_id(); 4]);
    store.commit_step(step_of_task(woken, None, vec![])).await?;
    let outcomes = vec![(succeeded, done(1)), (given_up, parked()), (waiting, retry(at(9)))];
    store.settle_tasks(outcomes, NOW).await?;
    for (id, what) in [(woken, "done by a step"), (succeeded, "done"), (given_up, "parked")] {
        let further = step_of_task(id, None, vec![]);
        fenced(store.commit_step(further).await, &format!("a step of a task that is {what}"))?;
    }
    store.commit_step(step_of_task(waiting, Some("rejected"), vec![])).await?;
    want_eq!(due(&store, at(9)).await?, vec![], "the outbox after each task has set off a step");
    Ok(())
}

/// A task that a step made done counts as done at the moment of the step: it is pruned like any other.
pub async fn a_task_of_a_step_is_done_when_the_step_was_made<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let late = deadline("a");
    store.commit_step(step(0, 5, vec![late.clone()])).await?;
    store.commit_step(ProcessStep { at: at(10), ..step_of_task(late.id, None, vec![]) }).await?;
    want_eq!(store.prune_tasks(at(10)).await?, 0, "tasks done before the moment of the step");
    want_eq!(store.prune_tasks(at(11)).await?, 1, "tasks done before the moment after the step");
    Ok(())
}

/// A task whose id the outbox already has is left as it is, also when it is done or parked.
pub async fn a_task_asked_for_again_is_left_as_it_is<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), command("b"), command("c")].map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[1].id, done(8)), (tasks[2].id, parked())], NOW).await?;
    let before = store.due_tasks(NOW, 10).await?;
    let chain_before = store.chain(chain).await?;
    let again = tasks.map(|mut task| {
        task.instance = instance("other");
        task.attempts = 9;
        task
    });
    let new = command("z");
    store.commit_step(step(1, 2, again.into_iter().chain([new.clone()]).collect())).await?;
    let found = store.due_tasks(NOW, 10).await?;
    want_eq!(found, [before, vec![new]].concat(), "the outbox after tasks were asked for again");
    want_eq!(store.chain(chain).await?, chain_before, "the chain after tasks were asked for again");
    Ok(())
}

/// A task that one step asks for twice is kept once, as it was asked for first.
pub async fn a_task_asked_for_twice_in_a_step_is_kept_once<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let first = command("a");
    let mut second = command("b");
    second.id = first.id;
    store.commit_step(step(0, 1, vec![first.clone(), second])).await?;
    want_eq!(store.due_tasks(NOW, 10).await?, vec![first], "the outbox after a task was asked for twice");
    Ok(())
}

/// Of two steps that race on two handles for the same task, one is taken and one is fenced.
pub async fn of_two_racing_steps_of_a_task_one_is_fenced<F: StoreFactory>(factory: &F) -> Verdict {
    let one = factory.make().await;
    let two = factory.again(&one).await;
    for round in 0..10 {
        let late = deadline("a");
        one.commit_step(step(round, round + 1, vec![late.clone()])).await?;
        let (first, second) = (command("a"), command("a"));
        let racing = (
            one.commit_step(step_of_task(late.id, None, vec![first.clone()])),
            two.commit_step(step_of_task(late.id, None, vec![second.clone()])),
        );
        let (winner, slower) = match futures::join!(racing.0, racing.1) {
            (Ok(()), slower) => (first, slower),
            (slower, faster) => {
                faster?;
                (second, slower)
            }
        };
        fenced(slower, "the slower of two steps of a task")?;
        want_eq!(due(&one, NOW).await?, vec![winner.id], "the outbox after two steps raced for a task");
        one.settle_tasks(vec![(winner.id, done(1))], NOW).await?;
    }
    Ok(())
}
