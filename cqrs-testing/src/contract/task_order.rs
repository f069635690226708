//! The commands of one instance keep their order, and hold up nobody else.

use cqrs_core::{ProcessStep, ProcessStore};

use super::build_step::{NOW, at, command, deadline, done, due, due_at, ids, parked, retry, step};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// While a command waits for its next attempt, later commands of its instance are not given out.
pub async fn a_retried_command_holds_up_its_instance<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("a"), command("a")];
    store.commit_step(step(0, 1, tasks[..2].to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, retry(at(50)))], NOW).await?;
    store.commit_step(step(1, 2, tasks[2..].to_vec())).await?;
    want_eq!(due(&store, at(49)).await?, vec![], "the tasks before the next attempt");
    want_eq!(due(&store, at(50)).await?, ids(&tasks), "the tasks at the next attempt");
    store.settle_tasks(vec![(tasks[0].id, done(1))], at(50)).await?;
    want_eq!(due(&store, at(50)).await?, ids(&tasks[1..]), "the tasks after the attempt took effect");
    Ok(())
}

/// While a command is parked, later commands of its instance are not given out.
pub async fn a_parked_command_holds_up_its_instance<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("a"), command("a")];
    store.commit_step(step(0, 1, tasks[..2].to_vec())).await?;
    store.settle_tasks(vec![(tasks[0].id, parked())], NOW).await?;
    store.commit_step(step(1, 2, tasks[2..].to_vec())).await?;
    want_eq!(due(&store, NOW).await?, vec![], "the tasks behind a parked one");
    want_eq!(due(&store, at(1_000_000_000)).await?, vec![], "the tasks behind a parked one, much later");
    Ok(())
}

/// A command that waits for its next attempt or is parked holds up neither other instances, nor the same
/// instance id of another process manager.
pub async fn a_stuck_command_holds_up_nobody_else<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stuck = [command("a"), command("b")];
    let free = [command("c"), command("ab"), command("A")];
    store.commit_step(step(0, 1, [stuck.to_vec(), free.to_vec()].concat())).await?;
    let mut foreign = [command("a"), command("b")];
    foreign.iter_mut().for_each(|task| task.process = "another".into());
    let other = ProcessStep { process: "another".into(), ..step(0, 1, foreign.to_vec()) };
    store.commit_step(other).await?;
    store.settle_tasks(vec![(stuck[0].id, retry(at(50))), (stuck[1].id, parked())], NOW).await?;
    want_eq!(due(&store, NOW).await?, [ids(&free), ids(&foreign)].concat(), "the tasks of the others");
    Ok(())
}

/// A stuck command holds up what was asked for after it, never what was asked for before.
pub async fn a_stuck_command_holds_up_only_later_ones<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [command("a"), command("a"), command("a"), command("a")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    store.settle_tasks(vec![(tasks[2].id, retry(at(50)))], NOW).await?;
    want_eq!(due(&store, NOW).await?, ids(&tasks[..2]), "the commands before one that is tried again");
    store.settle_tasks(vec![(tasks[1].id, parked())], NOW).await?;
    want_eq!(due(&store, NOW).await?, ids(&tasks[..1]), "the commands before one that is parked");
    Ok(())
}

/// A command that is due in the future holds up nobody until then, even when it was asked for first.
pub async fn a_future_command_holds_up_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let tasks = [due_at(at(50), command("a")), command("a"), command("b")];
    store.commit_step(step(0, 1, tasks.to_vec())).await?;
    want_eq!(due(&store, at(49)).await?, ids(&tasks[1..]), "the tasks before the first one is due");
    want_eq!(due(&store, at(50)).await?, ids(&tasks), "the tasks when the first one is due");
    Ok(())
}

/// A deadline is given out when it is due, whatever its instance's commands wait for.
pub async fn deadlines_wait_for_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let commands = [command("a"), command("b")];
    let deadlines = [deadline("a"), deadline("b")];
    store.commit_step(step(0, 1, [commands.to_vec(), deadlines.to_vec()].concat())).await?;
    store.settle_tasks(vec![(commands[0].id, retry(at(50))), (commands[1].id, parked())], NOW).await?;
    want_eq!(due(&store, NOW).await?, ids(&deadlines), "the deadlines of stuck instances");
    Ok(())
}

/// A deadline that waits for its next attempt or is parked holds up nobody.
pub async fn deadlines_hold_up_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let deadlines = [deadline("a"), deadline("b")];
    let behind = [command("a"), command("b"), deadline("a")];
    store.commit_step(step(0, 1, [deadlines.to_vec(), behind.to_vec()].concat())).await?;
    store.settle_tasks(vec![(deadlines[0].id, retry(at(50))), (deadlines[1].id, parked())], NOW).await?;
    want_eq!(due(&store, NOW).await?, ids(&behind), "the tasks behind stuck deadlines");
    Ok(())
}

/// A command that is due in the future holds up nobody until then, parked or not.
pub async fn a_parked_command_of_the_future_holds_up_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (future, behind) = (due_at(at(100), command("a")), command("a"));
    store.commit_step(step(0, 1, vec![future.clone(), behind.clone()])).await?;
    store.settle_tasks(vec![(future.id, parked())], NOW).await?;
    want_eq!(due(&store, at(99)).await?, vec![behind.id], "the tasks behind a parked one, before its time");
    want_eq!(due(&store, at(100)).await?, vec![], "the tasks behind a parked one, from its time on");
    Ok(())
}
