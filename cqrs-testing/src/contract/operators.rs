//! What operators see of instances and tasks, and what they decide.

use cqrs_core::{
    CommandId, InstanceChange, InstanceId, InstanceQuery, InstanceRecord, InstanceState, OutboxEntry,
    OutboxOutcome, OutboxState, ProcessStep, ProcessStore, Share, TaskDecision, TaskQuery,
};

use super::build_step::{
    NOW, PROCESS, at, change, command, correlation, deadline, done, due, due_at, ids, in_chain, instance,
    parked, retry, step, stuck, task_id,
};
use super::violation::want_eq;
use super::{StoreFactory, Verdict, Violation};

/// The ids of all tasks that are wanted, page by page.
async fn listed(store: &impl ProcessStore, mut query: TaskQuery) -> Result<Vec<CommandId>, Violation> {
    let mut found = Vec::new();
    loop {
        let page = store.list_tasks(&query).await?;
        want_at_most(page.tasks.len(), query.limit, "tasks")?;
        found.extend(ids(&page.tasks));
        match page.next {
            Some(next) if query.after != Some(next) => query.after = Some(next),
            _ => return Ok(found),
        }
    }
}

fn want_at_most(found: usize, limit: usize, what: &str) -> Verdict {
    match found <= limit {
        true => Ok(()),
        false => Err(Violation::new(format_args!(
            "a page of at most {limit} {what} was wanted, and has {found}"
        ))),
    }
}

/// Tasks are listed in the order in which they were asked for, page by page, wherever they stand, also when those of
/// an earlier page are forgotten meanwhile.
pub async fn tasks_are_listed_in_the_order_asked<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.list_tasks(&TaskQuery::all(3)).await?.tasks, vec![], "the tasks of an empty outbox");
    let mut tasks: Vec<_> = ["d", "b", "e", "a", "c"].map(command).to_vec();
    tasks.push(due_at(at(-50), deadline("f")));
    tasks.push(due_at(at(50), command("a")));
    store.commit_step(step(0, 1, tasks.clone())).await?;
    let outcomes = vec![(tasks[0].id, done(1)), (tasks[2].id, parked()), (tasks[3].id, retry(at(9)))];
    store.settle_tasks(outcomes, NOW).await?;
    for limit in [1, 2, 3, 7, 100] {
        let found = listed(&store, TaskQuery::all(limit)).await?;
        want_eq!(found, ids(&tasks), "all tasks, by pages of {limit}");
    }
    let first = store.list_tasks(&TaskQuery::all(1)).await?;
    let Some(next) = first.next else {
        return Err(Violation::new("a page of one of seven tasks must say where the next one begins"));
    };
    store.prune_tasks(at(1)).await?;
    let rest = listed(&store, TaskQuery::all(2).after(next)).await?;
    want_eq!(rest, ids(&tasks[1..]), "the tasks after one that was forgotten");
    Ok(())
}

/// Tasks are listed by process manager, instance and state, and all that is asked for must hold.
pub async fn tasks_are_listed_by_what_is_wanted<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("b"), deadline("a"), command("a"), command("ab"), command("a")];
    let other = OutboxEntry { process: "other".into(), ..command("a") };
    let all = [tasks.to_vec(), vec![other.clone()]].concat();
    store.commit_step(step(0, 1, all)).await?;
    let outcomes = vec![(tasks[0].id, done(1)), (tasks[1].id, parked()), (tasks[3].id, parked())];
    store.settle_tasks(outcomes, NOW).await?;
    store.decide_task(tasks[5].id, TaskDecision::Drop, NOW).await?;
    let all = || TaskQuery::all(10);
    let a = || all().of(PROCESS).of_instance(instance("a"));
    let cases = [
        (all().of("nobody"), vec![]),
        (all().of("other"), vec![other.id]),
        (all().of(PROCESS), ids(&tasks)),
        (
            all().of_instance(instance("a")),
            vec![tasks[0].id, tasks[2].id, tasks[3].id, tasks[5].id, other.id],
        ),
        (a(), vec![tasks[0].id, tasks[2].id, tasks[3].id, tasks[5].id]),
        (a().standing(OutboxState::Parked), vec![tasks[3].id]),
        (all().standing(OutboxState::Pending), vec![tasks[2].id, tasks[4].id, other.id]),
        (all().standing(OutboxState::Parked), vec![tasks[1].id, tasks[3].id]),
        (all().of("other").standing(OutboxState::Parked), vec![]),
        (all().of(PROCESS).standing(OutboxState::Pending), vec![tasks[2].id, tasks[4].id]),
        (all().standing(OutboxState::Done), vec![tasks[0].id]),
        (all().standing(OutboxState::Dropped), vec![tasks[5].id]),
    ];
    for (query, wanted) in cases {
        want_eq!(listed(&store, query.clone()).await?, wanted, "the tasks of {query:?}");
        let by_one = listed(&store, TaskQuery { limit: 1, ..query.clone() }).await?;
        want_eq!(by_one, wanted, "the tasks of {query:?}, one by one");
    }
    Ok(())
}

/// A task is found by its id, as it stands.
pub async fn a_task_is_found_by_its_id<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), deadline("b"), command("c"), command("d")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let error = OutboxOutcome::Parked { error: "refused".into() };
    store.settle_tasks(vec![(tasks[0].id, error), (tasks[2].id, done(1))], at(1)).await?;
    store.decide_task(tasks[3].id, TaskDecision::Drop, at(1)).await?;
    let [a, b, c, d] = tasks;
    let wanted = [
        OutboxEntry { state: OutboxState::Parked, attempts: 1, last_error: Some("refused".into()), ..a },
        b,
        OutboxEntry { state: OutboxState::Done, ..c },
        OutboxEntry { state: OutboxState::Dropped, ..d },
    ];
    for wanted in wanted {
        want_eq!(store.task(wanted.id).await?, Some(wanted.clone()), "a task by its id");
        let query = TaskQuery::all(9).of_instance(wanted.instance.clone());
        want_eq!(store.list_tasks(&query).await?.tasks, vec![wanted], "the tasks of an instance");
    }
    want_eq!(store.task(task_id()).await?, None, "a task that was never asked for");
    Ok(())
}

async fn listed_instances(
    store: &impl ProcessStore,
    process: &str,
    mut query: InstanceQuery,
) -> Result<Vec<InstanceId>, Violation> {
    let mut found = Vec::new();
    loop {
        let page = store.list_instances(process, &query).await?;
        want_at_most(page.len(), query.limit, "instances")?;
        let Some((last, _)) = page.last() else { return Ok(found) };
        if query.after.as_ref() == Some(last) {
            return Ok(found);
        }
        query.after = Some(last.clone());
        found.extend(page.into_iter().map(|(id, _)| id));
    }
}

/// Instances are listed in the order of their ids, byte by byte, page by page, each process manager's alone.
pub async fn instances_are_listed_in_the_order_of_their_ids<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let sorted = ["10", "9", "B", "a", "a b", "a-b", "aa", "b", "é"];
    let mut changes: Vec<_> = sorted.iter().map(|id| change(id, "1", *id == "a")).collect();
    changes.rotate_left(4);
    changes.swap(0, 3);
    let others = vec![change("aaa", "2", false)];
    store.commit_step(ProcessStep { instances: changes, ..step(0, 1, vec![]) }).await?;
    let other = ProcessStep { process: "other".into(), instances: others, ..step(0, 1, vec![]) };
    store.commit_step(other).await?;
    for limit in [1, 2, 4, 9, 100] {
        let found = listed_instances(&store, PROCESS, InstanceQuery::all(limit)).await?;
        want_eq!(found, sorted.map(instance).to_vec(), "all instances, by pages of {limit}");
    }
    let found = store.list_instances("other", &InstanceQuery::all(9)).await?;
    let wanted = change("aaa", "2", false);
    want_eq!(found, vec![(wanted.id, wanted.record)], "the instances of another process manager");
    want_eq!(store.list_instances("nobody", &InstanceQuery::all(9)).await?, vec![], "no instances");
    Ok(())
}

/// Instances are listed by where they stand: running, stuck, or finished; one that is stuck is so, finished or not.
pub async fn instances_are_listed_by_where_they_stand<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stuck = |id, finished| {
        let InstanceChange { id, record } = change(id, "1", finished);
        InstanceChange { id, record: InstanceRecord { stuck: Some(stuck(1, None)), ..record } }
    };
    let changes = vec![
        change("a", "1", false),
        change("b", "1", true),
        stuck("c", false),
        stuck("d", true),
        change("e", "1", true),
        change("f", "1", false),
        stuck("g", false),
    ];
    store.commit_step(ProcessStep { instances: changes.clone(), ..step(0, 1, vec![]) }).await?;
    for state in [InstanceState::Running, InstanceState::Stuck, InstanceState::Finished] {
        let stands = changes.iter().filter(|change| change.record.stands() == state);
        let wanted: Vec<_> = stands.map(|change| (change.id.clone(), change.record.clone())).collect();
        let found = store.list_instances(PROCESS, &InstanceQuery::all(9).standing(state)).await?;
        want_eq!(found, wanted, "the instances that are {state:?}");
        let one_by_one = listed_instances(&store, PROCESS, InstanceQuery::all(1).standing(state)).await?;
        let wanted: Vec<_> = wanted.into_iter().map(|(id, _)| id).collect();
        want_eq!(one_by_one, wanted, "the instances that are {state:?}, one by one");
    }
    Ok(())
}

/// A parked task that is retried is pending again, due at that moment, with its error and without its attempts.
pub async fn a_parked_task_that_is_retried_is_due_again<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), deadline("b"), command("a")].map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, retry(NOW)), (tasks[0].id, parked())], NOW).await?;
    store.settle_tasks(vec![(tasks[1].id, parked())], NOW).await?;
    for task in &tasks[..2] {
        let decided = store.decide_task(task.id, TaskDecision::Retry, at(7)).await?;
        want_eq!(decided, true, "whether a parked task can be retried");
    }
    want_eq!(due(&store, at(6)).await?, vec![], "the tasks before the moment of the retry");
    let retried = tasks[..2].iter().map(|task| OutboxEntry {
        retry_at: at(7),
        last_error: Some("refused".into()),
        ..task.clone()
    });
    let wanted: Vec<_> = retried.chain([tasks[2].clone()]).collect();
    want_eq!(
        store.due_tasks(at(7), Share::ALL, 10).await?,
        wanted,
        "the tasks from the moment of the retry on"
    );
    let counted = store.chain(chain).await?;
    want_eq!((counted.pending, counted.parked), (2, 0), "the chain of tasks that are retried");
    Ok(())
}

/// A task that waits for its next attempt can be retried at once. One that never failed is not tried before its time.
pub async fn only_what_has_failed_is_retried<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), due_at(at(100), command("b"))];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, retry(at(1_000)))], NOW).await?;
    want_eq!(
        store.decide_task(tasks[0].id, TaskDecision::Retry, at(5)).await?,
        true,
        "whether a task that has failed can be retried"
    );
    want_eq!(
        store.decide_task(tasks[1].id, TaskDecision::Retry, at(5)).await?,
        false,
        "whether a task that was never tried can be retried"
    );
    let failed = OutboxEntry { retry_at: at(5), last_error: Some("down".into()), ..tasks[0].clone() };
    want_eq!(store.due_tasks(at(5), Share::ALL, 9).await?, vec![failed], "the tasks after a retry");
    want_eq!(store.next_due(at(5)).await?, Some(at(100)), "the next due time after a retry");
    Ok(())
}

/// A task that is dropped is never due, parked or pending before, and holds up nobody.
pub async fn a_dropped_task_is_in_nobodys_way<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("b"), command("c"), command("a"), command("b"), command("c")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, parked()), (tasks[1].id, retry(at(50)))], NOW).await?;
    want_eq!(
        due(&store, NOW).await?,
        ids(&[tasks[2].clone(), tasks[5].clone()]),
        "the tasks before a drop"
    );
    for task in &tasks[..3] {
        let decided = store.decide_task(task.id, TaskDecision::Drop, NOW).await?;
        want_eq!(decided, true, "whether a task can be dropped");
    }
    want_eq!(due(&store, at(100)).await?, ids(&tasks[3..]), "the tasks behind those that were dropped");
    Ok(())
}

/// What is done or dropped, and what nobody asked for, is not decided about.
pub async fn what_is_done_is_not_decided_about<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("b")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, done(3))], NOW).await?;
    store.decide_task(tasks[1].id, TaskDecision::Drop, NOW).await?;
    let before = store.list_tasks(&TaskQuery::all(9)).await?;
    for id in [tasks[0].id, tasks[1].id, task_id()] {
        for decision in [TaskDecision::Retry, TaskDecision::Drop] {
            let decided = store.decide_task(id, decision, at(5)).await?;
            want_eq!(
                decided,
                false,
                "whether {decision:?} of what is done, dropped or unknown is possible"
            );
        }
    }
    want_eq!(
        store.list_tasks(&TaskQuery::all(9)).await?,
        before,
        "the tasks after decisions that are none"
    );
    let outcomes = vec![(tasks[1].id, retry(at(1))), (tasks[1].id, parked()), (tasks[1].id, done(9))];
    store.settle_tasks(outcomes, at(1)).await?;
    want_eq!(store.list_tasks(&TaskQuery::all(9)).await?, before, "a dropped task after late outcomes");
    want_eq!(store.prune_tasks(at(1)).await?, 2, "tasks that were done or dropped before 1");
    Ok(())
}

/// A task that is dropped leaves its chain, and is forgotten like one that was done then.
pub async fn a_dropped_task_leaves_its_chain_and_is_pruned<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let chain = correlation();
    let tasks = [command("a"), command("b"), command("c")].map(|task| in_chain(chain, task));
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, parked())], NOW).await?;
    for task in &tasks[..2] {
        store.decide_task(task.id, TaskDecision::Drop, at(5)).await?;
    }
    let counted = store.chain(chain).await?;
    want_eq!((counted.pending, counted.parked), (1, 0), "a chain with two of three tasks dropped");
    for (before, forgotten) in [(5, 0), (6, 2), (100, 0)] {
        want_eq!(
            store.prune_tasks(at(before)).await?,
            forgotten,
            "tasks forgotten by a pruning to {before}, of two that were dropped at 5"
        );
    }
    Ok(())
}
