//! Two handles on the same data, as two processes have them: what holds in one holds between them.

use std::pin::pin;
use std::sync::Arc;

use cqrs_core::{Appended, EventFilter, EventStore, ExpectedVersion, Position};
use futures::poll;

use super::build::{append, command, events, exact, one, remembered, stream, wrong};
use super::look::{log, next_page, of_stream, positions, soon, versions};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// Once an append is acknowledged by one handle, another one reads it.
pub async fn another_handle_reads_what_was_acknowledged<F: StoreFactory>(factory: &F) -> Verdict {
    let one_store = factory.make().await;
    let other = factory.again(&one_store).await;
    for n in 1..=20 {
        let (writer, reader) = if n % 2 == 0 { (&one_store, &other) } else { (&other, &one_store) };
        let answer = one(writer, append(&stream("a"), exact(n - 1), events(1))).await??;
        want_eq!(reader.head().await?, answer.position, "the head by the other handle");
        let found = of_stream(reader, &stream("a")).await?;
        want_eq!(versions(&found), (1..=n).collect::<Vec<_>>(), "the stream by the other handle");
    }
    want_eq!(log(&one_store).await?, log(&other).await?, "the log by both handles");
    Ok(())
}

/// A writer whose knowledge is out of date because of another handle is refused.
pub async fn a_stale_handle_is_refused<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), exact(0), events(1))).await??;
    let other = factory.again(&store).await;
    one(&other, append(&stream("a"), exact(1), events(2))).await??;
    for expected in [exact(1), ExpectedVersion::NoStream] {
        let answer = one(&store, append(&stream("a"), expected, events(1))).await?;
        want_eq!(answer, wrong(&stream("a"), expected, 3), "the answer to a stale handle");
    }
    one(&store, append(&stream("a"), exact(3), events(1))).await??;
    Ok(())
}

/// Of writers who expect the same version by two handles, exactly one wins.
pub async fn one_of_racing_handles_wins<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let other = Arc::new(factory.again(&store).await);
    for version in 0..10 {
        let racers = (0..8).map(|n| {
            let store = Arc::clone([&store, &other][n % 2]);
            tokio::spawn(async move { one(&*store, append(&stream("a"), exact(version), events(1))).await })
        });
        let mut winners = 0;
        for answer in futures::future::join_all(racers).await {
            match answer.map_err(Violation::new)?? {
                Ok(_) => winners += 1,
                refused => {
                    want_eq!(refused, wrong(&stream("a"), exact(version), version + 1), "a loser's answer")
                }
            }
        }
        want_eq!(winners, 1, "the number of winners at version {version}");
    }
    Ok(())
}

/// A command that one handle has stored is a repeated one for another.
pub async fn receipts_hold_between_handles<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let other = factory.again(&store).await;
    let command = command();
    let first = one(&store, remembered(append(&stream("a"), exact(0), events(2)), command)).await??;
    let again = Appended { duplicate: true, ..first };
    want_eq!(other.receipts(&[command]).await?, vec![Some(again.clone())], "the receipt by another handle");
    let second = one(&other, remembered(append(&stream("a"), exact(0), events(2)), command)).await?;
    want_eq!(second, Ok(again), "the answer to a command repeated by another handle");
    want_eq!(log(&other).await?.len(), 2, "the events in the log");
    Ok(())
}

/// Of repetitions of a command that race by two handles, exactly one takes effect.
pub async fn one_of_repetitions_racing_by_two_handles_takes_effect<F: StoreFactory>(
    factory: &F,
) -> Verdict {
    let store = Arc::new(factory.make().await);
    let other = Arc::new(factory.again(&store).await);
    for n in 0..10 {
        let command = command();
        let racers = (0..6).map(|racer| {
            let store = Arc::clone([&store, &other][racer % 2]);
            let racer = remembered(append(&stream("a"), ExpectedVersion::Any, events(1)), command);
            tokio::spawn(async move { one(&*store, racer).await })
        });
        let mut effects = 0;
        for answer in futures::future::join_all(racers).await {
            let answer = answer.map_err(Violation::new)???;
            effects += u64::from(!answer.duplicate);
            want_eq!(answer.position, Position::new(n + 1), "the position that a repetition tells");
        }
        want_eq!(effects, 1, "how many repetitions took effect");
    }
    Ok(())
}

/// Who waits by one handle is woken by an append of another.
pub async fn an_append_wakes_who_waits_by_another_handle<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let other = factory.again(&store).await;
    for head in 0..4 {
        let (writer, waiter) = if head % 2 == 0 { (&store, &other) } else { (&other, &store) };
        let mut wait = pin!(waiter.wait_beyond(Position::new(head)));
        want!(
            poll!(wait.as_mut()).is_pending(),
            "a wait beyond the head {head} must not end before an append"
        );
        one(writer, append(&stream("a"), ExpectedVersion::Any, events(1))).await??;
        let found = soon("the end of a wait", wait).await??;
        want_eq!(found, Position::new(head + 1), "the head that the wait tells");
    }
    Ok(())
}

/// Positions are dense and in order for a third handle while two others write.
pub async fn positions_are_dense_while_two_handles_write<F: StoreFactory>(factory: &F) -> Verdict {
    const APPENDS: u64 = 60;
    let reader = factory.make().await;
    let mut writers = Vec::new();
    for writer in 0..2 {
        let store = factory.again(&reader).await;
        writers.push(tokio::spawn(async move {
            for n in 0..APPENDS {
                one(&store, append(&stream(&format!("{writer}")), exact(3 * n), events(3))).await??;
            }
            Ok::<_, Violation>(())
        }));
    }
    let mut after = Position::ZERO;
    while after < Position::new(2 * APPENDS * 3) {
        let page = next_page(&reader, after, &EventFilter::all(), 10).await?;
        let wanted: Vec<_> = (after.as_u64() + 1..=page.scanned_to.as_u64()).collect();
        want_eq!(positions(&page.events), wanted, "the positions after {after}");
        after = page.scanned_to;
    }
    for writer in writers {
        writer.await.map_err(Violation::new)??;
    }
    want_eq!(reader.head().await?, after, "the head when all have written");
    Ok(())
}

/// Closing one handle leaves another one as it is.
pub async fn closing_leaves_other_handles_open<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let other = factory.again(&store).await;
    one(&store, append(&stream("a"), exact(0), events(1))).await??;
    let mut wait = pin!(other.wait_beyond(Position::new(1)));
    want!(poll!(wait.as_mut()).is_pending(), "a wait beyond the head must not end");
    soon("the end of closing", store.close()).await?;
    one(&other, append(&stream("a"), exact(1), events(1))).await??;
    want_eq!(soon("the end of a wait", wait).await??, Position::new(2), "the head that the wait tells");
    want_eq!(log(&other).await?.len(), 2, "the events in the log");
    Ok(())
}

/// Closing while appends are under way takes back nothing that was acknowledged.
pub async fn closing_keeps_what_was_acknowledged<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let other = factory.again(&store).await;
    let writers = (0..16).map(|n| {
        let store = Arc::clone(&store);
        let all = append(&stream(&format!("{n}")), exact(0), events(5));
        tokio::spawn(async move { store.append(vec![all]).await.is_ok() })
    });
    let writers: Vec<_> = writers.collect();
    soon("the first events", other.wait_beyond(Position::ZERO)).await??;
    soon("the end of closing", store.close()).await?;
    for (n, writer) in writers.into_iter().enumerate() {
        let acknowledged = soon("an answer", writer).await?.map_err(Violation::new)?;
        let found = of_stream(&other, &stream(&format!("{n}"))).await?.len();
        want!(found == 5 || found == 0, "an append of 5 events left {found}");
        want!(found == 5 || !acknowledged, "an append was acknowledged, and its events are not there");
    }
    Ok(())
}
