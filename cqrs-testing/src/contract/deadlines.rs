//! Deadlines that are not wanted any more.

use cqrs_core::{OutboxEntry, OutboxState, OutboxTask, ProcessStep, ProcessStore, StoreError};

use super::build_step::{
    NOW, at, command, deadline, done, due, due_at, fenced, instance, parked, step, step_of_task,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

fn named(name: &str, mut deadline: OutboxEntry) -> OutboxEntry {
    deadline.task = OutboxTask::Deadline(name.to_owned());
    deadline
}

async fn states<S: ProcessStore>(store: &S, tasks: &[OutboxEntry]) -> Result<Vec<OutboxState>, StoreError> {
    let mut states = Vec::new();
    for task in tasks {
        states.extend(store.task(task.id).await?.map(|task| task.state));
    }
    Ok(states)
}

/// A step drops the deadlines that it cancels, be they pending or parked: those of that name, of that instance, of its process
/// manager, and nothing else. One that is fenced drops none.
pub async fn a_step_drops_the_deadlines_that_it_cancels<F: StoreFactory>(factory: &F) -> Verdict {
    use OutboxState::{Done, Dropped, Parked, Pending};
    let store = factory.make().await;
    let mut foreign = deadline("a");
    foreign.process = "another".into();
    let meant = [deadline("a"), due_at(at(90), deadline("a")), deadline("a"), deadline("a"), deadline("c")];
    let others =
        [named("early", deadline("a")), deadline("b"), named("Late", deadline("a")), command("a"), foreign];
    store.commit_step(step(0, 1, [meant.to_vec(), others.to_vec()].concat())).await?;
    store
        .settle_tasks(vec![(meant[2].id, parked()), (meant[3].id, done(0)), (others[1].id, parked())], NOW)
        .await?;
    let before = [Pending, Pending, Parked, Done, Pending];
    let cancels = vec![
        (instance("a"), "late".to_owned()),
        (instance("c"), "late".into()),
        (instance("d"), "x".into()),
    ];
    let late = ProcessStep { cancels: cancels.clone(), ..step(0, 2, vec![]) };
    fenced(store.commit_step(late).await, "a step that cancels, from elsewhere")?;
    want_eq!(states(&store, &meant).await?, before, "the deadlines after a step that was fenced");
    store.commit_step(ProcessStep { cancels, at: at(5), ..step(1, 2, vec![]) }).await?;
    let after = [Dropped, Dropped, Dropped, Done, Dropped];
    want_eq!(states(&store, &meant).await?, after, "the deadlines that were cancelled");
    let kept = [Pending, Parked, Pending, Pending, Pending];
    want_eq!(states(&store, &others).await?, kept, "what was not cancelled");
    want_eq!(
        due(&store, at(90)).await?.contains(&meant[1].id),
        false,
        "whether a cancelled deadline is due"
    );
    // Like what an operator dropped.
    want_eq!(store.prune_tasks(at(5)).await?, 1, "how much was done before the deadlines were cancelled");
    want_eq!(store.prune_tasks(at(6)).await?, 4, "how many cancelled deadlines are pruned");
    Ok(())
}

/// A step asks for a deadline after it has cancelled the one of that name, and the deadline that is its cause is done, and
/// not dropped.
pub async fn a_cancelled_deadline_may_be_asked_for_again<F: StoreFactory>(factory: &F) -> Verdict {
    use OutboxState::{Done, Dropped, Pending};
    let store = factory.make().await;
    let tasks = [deadline("a"), deadline("a"), deadline("a")];
    let cancels = vec![(instance("a"), "late".to_owned())];
    store.commit_step(ProcessStep { cancels: cancels.clone(), ..step(0, 1, tasks[..1].to_vec()) }).await?;
    want_eq!(states(&store, &tasks).await?, [Pending], "a deadline that took nobody's place");
    store.commit_step(ProcessStep { cancels: cancels.clone(), ..step(1, 2, tasks[1..2].to_vec()) }).await?;
    want_eq!(
        states(&store, &tasks).await?,
        [Dropped, Pending],
        "a deadline that took the place of another"
    );
    let answer = ProcessStep { cancels, ..step_of_task(tasks[1].id, None, tasks[2..].to_vec()) };
    store.commit_step(answer).await?;
    want_eq!(
        states(&store, &tasks).await?,
        [Dropped, Done, Pending],
        "a deadline that asked for itself again"
    );
    Ok(())
}
