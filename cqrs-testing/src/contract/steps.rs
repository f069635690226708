//! A step of a process manager is one transaction.

use cqrs_core::{InstanceChange, InstanceRecord, Position, ProcessStep, ProcessStore, Share};

use super::build_step::{
    NOW, PROCESS, at, change, command, correlation, deadline, done, due, fenced, ids, in_chain, instance,
    parked, retry, step, step_of_stuck, step_of_task, stuck, task_id,
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
    let before = store.due_tasks(NOW, Share::ALL, 10).await?;
    let chain_before = store.chain(chain).await?;
    let again = tasks.map(|mut task| {
        task.instance = instance("other");
        task.attempts = 9;
        task
    });
    let new = command("z");
    store.commit_step(step(1, 2, again.into_iter().chain([new.clone()]).collect())).await?;
    let found = store.due_tasks(NOW, Share::ALL, 10).await?;
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
    want_eq!(
        store.due_tasks(NOW, Share::ALL, 10).await?,
        vec![first],
        "the outbox after a task was asked for twice"
    );
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

/// An instance that is stuck takes what it has missed in a step that moves no checkpoint, and may be stuck further on,
/// or no more.
pub async fn a_stuck_instance_takes_what_it_has_missed<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (first, second) = (command("a"), command("a"));
    store.commit_step(ProcessStep { instances: vec![stuck_at("a", 3)], ..step(0, 9, vec![]) }).await?;
    let on = stuck_at("a", 6);
    store.commit_step(step_of_stuck("a", 3, None, vec![on.clone()], vec![first.clone()])).await?;
    want_eq!(store.instances(PROCESS, &[on.id]).await?, vec![Some(on.record)], "an instance on its way");
    let free = change("a", "2", false);
    let goes_on = step_of_stuck("a", 6, Some(9), vec![free.clone()], vec![second.clone()]);
    store.commit_step(goes_on).await?;
    want_eq!(
        store.instances(PROCESS, &[free.id]).await?,
        vec![Some(free.record)],
        "an instance that goes on"
    );
    want_eq!(store.checkpoint(PROCESS).await?, Position::new(9), "the checkpoint beside it");
    want_eq!(due(&store, NOW).await?, vec![first.id, second.id], "what the instance asked for");
    Ok(())
}

/// A step of a stuck instance is fenced when the instance is not stuck just there: at another position, no more, or
/// never, and also that of another process manager.
pub async fn a_step_of_an_instance_that_is_not_stuck_there_is_fenced<F: StoreFactory>(
    factory: &F,
) -> Verdict {
    let store = factory.make().await;
    let instances = vec![stuck_at("a", 3), change("b", "1", false)];
    store.commit_step(ProcessStep { instances: instances.clone(), ..step(0, 9, vec![]) }).await?;
    let cases = [("a", 2), ("a", 4), ("b", 3), ("b", 0), ("c", 3), ("A", 3)];
    for (id, at) in cases {
        let late = step_of_stuck(id, at, None, vec![change(id, "9", true)], vec![command(id)]);
        fenced(store.commit_step(late).await, &format!("a step of {id}, stuck at {at}"))?;
    }
    let other = step_of_stuck("a", 3, None, vec![change("a", "9", true)], vec![command("a")]);
    let other = ProcessStep { process: "other".into(), ..other };
    fenced(store.commit_step(other).await, "a step of another process manager's instance")?;
    let wanted: Vec<_> = instances.into_iter().map(|change| Some(change.record)).chain([None]).collect();
    let found = store.instances(PROCESS, &["a", "b", "c"].map(instance)).await?;
    want_eq!(found, wanted, "the instances after steps that were fenced");
    want_eq!(due(&store, NOW).await?, vec![], "the tasks after steps that were fenced");
    Ok(())
}

/// A stuck instance goes on from where the checkpoint stands, or is fenced: else it would miss what lies between.
pub async fn a_stuck_instance_goes_on_from_the_checkpoint_only<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stuck = stuck_at("a", 3);
    store.commit_step(ProcessStep { instances: vec![stuck.clone()], ..step(0, 9, vec![]) }).await?;
    for wrong in [0, 8, 10] {
        let late = step_of_stuck("a", 3, Some(wrong), vec![change("a", "9", true)], vec![command("a")]);
        fenced(store.commit_step(late).await, &format!("a step to {wrong}, with the checkpoint at 9"))?;
    }
    want_eq!(store.instances(PROCESS, &[stuck.id]).await?, vec![Some(stuck.record)], "the stuck instance");
    want_eq!(due(&store, NOW).await?, vec![], "the tasks after steps that were fenced");
    let free = step_of_stuck("a", 3, Some(9), vec![change("a", "9", true)], vec![]);
    store.commit_step(free).await?;
    Ok(())
}

/// An instance in state 1 that is stuck at a position.
fn stuck_at(id: &str, at: u64) -> InstanceChange {
    let InstanceChange { id, record } = change(id, "1", false);
    InstanceChange { id, record: InstanceRecord { stuck: Some(stuck(at, None)), ..record } }
}
