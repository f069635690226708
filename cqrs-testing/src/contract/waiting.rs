//! Waiting for the log to grow, and the end of it.

use std::pin::pin;
use std::sync::Arc;

use cqrs_core::{
    EventFilter, EventStore, ExpectedVersion, Position, ProcessStore, StoreError, StreamRead, Version,
};
use futures::poll;

use super::build::{append, command, events, exact, one, stream};
use super::look::{log, soon};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// Appends so many events.
async fn grow(store: &impl EventStore, count: u64) -> Result<(), Violation> {
    one(store, append(&stream("a"), ExpectedVersion::Any, events(count))).await??;
    Ok(())
}

/// Who waits for what is there already does not wait, and learns the head.
pub async fn a_wait_for_the_past_ends_at_once<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    grow(&store, 5).await?;
    for after in 0..5 {
        let head = soon("the head", store.wait_beyond(Position::new(after))).await??;
        want_eq!(head, Position::new(5), "the head that a wait beyond {after} tells");
    }
    Ok(())
}

/// Who waits at the head is woken by the next append, and learns the new head.
pub async fn an_append_wakes_who_waits<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for head in 0..10 {
        let mut wait = pin!(store.wait_beyond(Position::new(head)));
        want!(
            poll!(wait.as_mut()).is_pending(),
            "a wait beyond the head {head} must not end before an append"
        );
        grow(&store, 1).await?;
        let found = soon("the end of a wait", wait).await??;
        want_eq!(found, Position::new(head + 1), "the head that the wait tells");
    }
    Ok(())
}

/// An append that leaves the head at or below the position wakes nobody.
pub async fn a_wait_does_not_end_early<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut wait = pin!(store.wait_beyond(Position::new(5)));
    want!(poll!(wait.as_mut()).is_pending(), "a wait must not end in an empty store");
    for head in 1..=5 {
        grow(&store, 1).await?;
        soon("the head", store.wait_beyond(Position::new(head - 1))).await??;
        want!(poll!(wait.as_mut()).is_pending(), "a wait beyond 5 must not end with the head at {head}");
    }
    grow(&store, 1).await?;
    want_eq!(soon("the end of a wait", wait).await??, Position::new(6), "the head that the wait tells");
    Ok(())
}

/// What adds nothing to the log wakes nobody: a refusal, an append without events, a repeated command.
pub async fn nothing_new_wakes_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let command = command();
    let repeated =
        || super::build::remembered(append(&stream("b"), ExpectedVersion::Any, events(1)), command);
    one(&store, repeated()).await??;
    let mut wait = pin!(store.wait_beyond(Position::new(1)));
    want!(poll!(wait.as_mut()).is_pending(), "a wait beyond the head must not end");
    let refused = one(&store, append(&stream("a"), exact(9), events(1))).await?;
    want!(refused.is_err(), "the append must be refused: {refused:?}");
    one(&store, append(&stream("a"), ExpectedVersion::Any, vec![])).await??;
    one(&store, repeated()).await??;
    want!(poll!(wait.as_mut()).is_pending(), "a wait must not end when nothing was added");
    grow(&store, 1).await?;
    want_eq!(soon("the end of a wait", wait).await??, Position::new(2), "the head that the wait tells");
    Ok(())
}

/// Each of many who wait at many positions is woken, none of them too early.
pub async fn all_who_wait_are_woken<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let waits = (0..100).map(|n| {
        let (store, after) = (Arc::clone(&store), Position::new(n % 20));
        tokio::spawn(async move { store.wait_beyond(after).await.map(|head| (after, head)) })
    });
    let waits: Vec<_> = waits.collect();
    for _ in 0..20 {
        grow(&*store, 1).await?;
    }
    for wait in waits {
        let (after, head) = soon("the end of a wait", wait).await?.map_err(Violation::new)??;
        want!(head > after, "a wait beyond {after} must not end with the head at {head}");
    }
    Ok(())
}

/// Who stops waiting disturbs nobody else.
pub async fn a_dropped_wait_disturbs_nobody<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut stays = pin!(store.wait_beyond(Position::ZERO));
    for _ in 0..10 {
        let mut goes = Box::pin(store.wait_beyond(Position::ZERO));
        want!(poll!(goes.as_mut()).is_pending(), "a wait must not end in an empty store");
        want!(poll!(stays.as_mut()).is_pending(), "a wait must not end in an empty store");
    }
    grow(&store, 1).await?;
    want_eq!(soon("the end of a wait", stays).await??, Position::new(1), "the head that the wait tells");
    want_eq!(log(&store).await?.len(), 1, "the events in the log");
    Ok(())
}

/// Closing a store ends all waits with [`StoreError::Closed`].
pub async fn closing_ends_all_waits<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    grow(&*store, 1).await?;
    let mut polled = pin!(store.wait_beyond(Position::new(1)));
    want!(poll!(polled.as_mut()).is_pending(), "a wait beyond the head must not end");
    let waits = (1..10).map(|after| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.wait_beyond(Position::new(after)).await })
    });
    let waits: Vec<_> = waits.collect();
    soon("the end of closing", store.close()).await?;
    let end = soon("the end of a wait", polled).await?;
    want!(matches!(end, Err(StoreError::Closed)), "a wait must end with `Closed`, and ended with {end:?}");
    for wait in waits {
        let end = soon("the end of a wait", wait).await?.map_err(Violation::new)?;
        want!(
            matches!(end, Err(StoreError::Closed)),
            "a wait must end with `Closed`, and ended with {end:?}"
        );
    }
    Ok(())
}

/// A closed store answers every call with [`StoreError::Closed`], and can be closed again.
pub async fn a_closed_store_says_so<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    grow(&store, 3).await?;
    soon("the end of closing", store.close()).await?;
    soon("the end of closing again", store.close()).await?;
    let answers = [
        (
            "append",
            store.append(vec![append(&stream("a"), ExpectedVersion::Any, events(1))]).await.map(drop),
        ),
        ("receipts", store.receipts(&[command()]).await.map(drop)),
        (
            "read_stream",
            store.read_stream(&stream("a"), StreamRead::forward(Version::new(1), 1)).await.map(drop),
        ),
        ("read_log", store.read_log(Position::ZERO, &EventFilter::all(), 1).await.map(drop)),
        ("head", store.head().await.map(drop)),
        ("wait_beyond", soon("the end of a wait", store.wait_beyond(Position::ZERO)).await?.map(drop)),
        ("checkpoint", store.checkpoint("process").await.map(drop)),
    ];
    for (call, answer) in answers {
        let closed = matches!(answer, Err(StoreError::Closed));
        want!(closed, "{call} on a closed store must fail with `Closed`, and came to {answer:?}");
    }
    Ok(())
}
