//! The tasks of the outbox, and when they are given out.

use std::collections::BTreeMap;

use cqrs_core::{BoxCommand, OutboxTask, ProcessStep, ProcessStore, SHARDS, Share, Timestamp};

use super::build::json;
use super::build_step::{NOW, at, command, deadline, done, due, due_at, ids, parked, retry, step};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// An outbox that nothing was asked of gives out nothing and waits for nothing.
pub async fn an_empty_outbox_has_nothing_due<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.due_tasks(NOW, Share::ALL, 10).await?, vec![], "the tasks of an empty outbox");
    want_eq!(store.next_due(NOW).await?, None, "the next due time of an empty outbox");
    Ok(())
}

/// Every field of a task is read back as written: ids, names, data, metadata, times to the microsecond.
pub async fn a_task_is_read_back_as_written<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut full = command("a/é-🪙");
    let data = json(r#"{"nul":"a\u0000b","most":18446744073709551615,"é":[null,-0.5]}"#);
    full.task = OutboxTask::Command(BoxCommand::new("Übertrag", data));
    full.metadata.extra = BTreeMap::from([
        ("user".into(), "zoë\u{0}".into()),
        ("least".into(), i64::MIN.into()),
        ("most".into(), u64::MAX.into()),
    ]);
    let mut bare = deadline("b");
    (bare.metadata.causation_id, bare.metadata.correlation_id) = (None, None);
    bare.due_at = Timestamp::from_micros(NOW.as_micros() - 999_999);
    bare.retry_at = at(-3);
    (bare.attempts, bare.last_error) = (2, Some("it's \"down\"".into()));
    let written = vec![full, bare];
    store.commit_step(step(0, 1, written.clone())).await?;
    want_eq!(store.due_tasks(NOW, Share::ALL, 10).await?, written, "the tasks as read back");
    Ok(())
}

/// Due tasks come in the order in which they were asked for, over steps and processes, whatever their due
/// times and ids.
pub async fn due_tasks_come_in_the_order_asked<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut first = vec![due_at(at(-1), command("z")), due_at(at(-9), deadline("a")), command("m")];
    first.sort_by_key(|task| std::cmp::Reverse(task.id));
    let mut foreign = due_at(at(-20), command("b"));
    foreign.process = "another".into();
    let foreign_step = ProcessStep { process: "another".into(), ..step(0, 1, vec![foreign.clone()]) };
    let last = vec![due_at(at(-30), deadline("c")), command("a")];
    store.commit_step(step(0, 1, first.clone())).await?;
    store.commit_step(foreign_step).await?;
    store.commit_step(step(1, 2, last.clone())).await?;
    let wanted: Vec<_> = [ids(&first), vec![foreign.id], ids(&last)].concat();
    want_eq!(due(&store, NOW).await?, wanted, "the order of the due tasks");
    Ok(())
}

/// A task is given out from its due time on, not a microsecond before.
pub async fn a_task_is_not_due_before_its_time<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [due_at(at(10), command("a")), due_at(at(11), deadline("b"))];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    want_eq!(due(&store, at(9)).await?, vec![], "tasks due at 9");
    want_eq!(due(&store, at(10)).await?, vec![tasks[0].id], "tasks due at 10");
    want_eq!(due(&store, at(11)).await?, ids(&tasks), "tasks due at 11");
    Ok(())
}

/// At most as many tasks as the limit are given out: the first ones that may be.
pub async fn due_tasks_keep_to_the_limit<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [due_at(at(9), command("future")), command("a"), command("a"), deadline("b"), command("c")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    let wanted = ids(&tasks[1..]);
    for limit in [0, 1, 3, 4, 5] {
        let found = ids(&store.due_tasks(NOW, Share::ALL, limit).await?);
        let most = limit.min(wanted.len());
        want_eq!(found, wanted[..most], "the due tasks with the limit {limit}");
    }
    Ok(())
}

/// Of several shares, each gives out the tasks of its instances, in order, and together they give out all. The limit counts
/// the tasks of the share alone, however many others are in front of them.
pub async fn due_tasks_are_those_of_the_share<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut tasks: Vec<_> = (0..40).flat_map(|n| [command(&format!("a{n}")), deadline("é")]).collect();
    tasks.iter_mut().step_by(3).for_each(|task| task.process = "another".into());
    store.commit_step(step(0, 1, tasks.clone())).await?;
    for of in [1, 2, 3, 7] {
        for share in (0..of).filter_map(|number| Share::new(number, of)) {
            let wanted = tasks.iter().filter(|task| share.has_task(task)).cloned().collect::<Vec<_>>();
            want_eq!(store.due_tasks(NOW, share, 100).await?, wanted, "the due tasks of {share:?}");
        }
    }
    // The first ones of all others stand before it.
    let Some(last) = tasks.last() else { return Ok(()) };
    let lonely = Share::new(last.shard(), SHARDS).unwrap_or(Share::ALL);
    let wanted = tasks.iter().find(|task| lonely.has_task(task)).cloned();
    let found = store.due_tasks(NOW, lonely, 1).await?;
    want_eq!(found, Vec::from_iter(wanted), "a page of one task of one shard");
    Ok(())
}

/// A large outbox is given out whole when the limit allows it.
pub async fn a_thousand_tasks_and_more_are_due_at_once<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks: Vec<_> = (0..1_200).map(|n| command(&format!("a{n}"))).collect();
    store.commit_step(step(0, 1, tasks.clone())).await?;
    let found = ids(&store.due_tasks(NOW, Share::ALL, 2_000).await?);
    want_eq!(found.len(), tasks.len(), "how many of 1200 due tasks are given out");
    want_eq!(found, ids(&tasks), "the due tasks");
    Ok(())
}

/// Giving a task out does not change it: it is due until its outcome is recorded.
pub async fn a_task_is_due_until_it_is_settled<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let task = command("a");
    store.commit_step(step(0, 1, vec![task.clone()])).await?;
    for _ in 0..3 {
        want_eq!(
            store.due_tasks(NOW, Share::ALL, 10).await?,
            vec![task.clone()],
            "a task that was given out before"
        );
    }
    Ok(())
}

/// The next due time is the earliest at which a pending task is to be tried, strictly after the moment.
pub async fn the_next_due_time_is_strictly_later<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [due_at(at(20), deadline("a")), due_at(at(10), command("b")), due_at(at(-5), command("c"))];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    for (after, next) in [(-6, Some(-5)), (-5, Some(10)), (9, Some(10)), (10, Some(20)), (20, None)] {
        want_eq!(store.next_due(at(after)).await?, next.map(at), "the next due time after {after}");
    }
    Ok(())
}

/// The next due time counts the next attempt of a task that failed, and no task that is done or parked.
pub async fn the_next_due_time_is_that_of_pending_tasks<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), due_at(at(20), command("b")), due_at(at(30), command("c"))];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, retry(at(40)))], NOW).await?;
    want_eq!(
        store.next_due(at(-1)).await?,
        Some(at(20)),
        "the next due time with a task tried again at 40"
    );
    store.settle_tasks(vec![(tasks[1].id, done(1))], NOW).await?;
    want_eq!(store.next_due(at(-1)).await?, Some(at(30)), "the next due time with the task at 20 done");
    store.settle_tasks(vec![(tasks[2].id, parked())], NOW).await?;
    want_eq!(store.next_due(at(-1)).await?, Some(at(40)), "the next due time with the task at 30 parked");
    Ok(())
}
