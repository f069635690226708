//! Positions: dense from 1, in commit order, for every reader at every moment.

use std::sync::Arc;

use cqrs_core::{EventFilter, EventStore, ExpectedVersion, Position};

use super::build::{append, event, events, exact, one, stream, together, write};
use super::look::{log, next_page, of_stream, page, positions};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// The head of an empty store is zero, and its log is empty.
pub async fn an_empty_store_has_its_head_at_zero<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.head().await?, Position::ZERO, "the head of an empty store");
    want_eq!(log(&store).await?, vec![], "the log of an empty store");
    Ok(())
}

/// Positions count 1, 2, 3 … over all streams, and the head is the last of them.
pub async fn positions_are_dense_over_streams<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let mut last = 0;
    for count in [1, 4, 2, 3] {
        for key in ["a", "b", "c"] {
            let answer = one(&store, append(&stream(key), ExpectedVersion::Any, events(count))).await??;
            last += count;
            want_eq!(answer.position, Position::new(last), "the position that an append tells");
            want_eq!(store.head().await?, Position::new(last), "the head after an append");
        }
    }
    let wanted: Vec<_> = (1..=last).collect();
    want_eq!(positions(&log(&store).await?), wanted, "the positions in the log");
    Ok(())
}

/// The events of a stream have the positions in the log that they have in the stream.
pub async fn a_stream_and_the_log_agree<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for n in 0..12 {
        one(&store, append(&stream(["a", "b"][n % 2]), ExpectedVersion::Any, events(n as u64 % 3 + 1)))
            .await??;
    }
    let all = log(&store).await?;
    for key in ["a", "b"] {
        let wanted: Vec<_> = all.iter().filter(|event| event.stream == stream(key)).cloned().collect();
        want_eq!(of_stream(&store, &stream(key)).await?, wanted, "stream {key} beside the log");
    }
    Ok(())
}

/// A refused append leaves no gap in the positions, nor does a duplicate.
pub async fn a_refused_append_leaves_no_gap<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let refused = [
        append(&stream("a"), exact(7), events(3)),
        append(&stream("a"), ExpectedVersion::Any, vec![event("Counted", 1), event("", 2)]),
        together(vec![
            write(&stream("a"), ExpectedVersion::Any, events(2)),
            write(&stream("b"), ExpectedVersion::StreamExists, events(2)),
        ]),
    ];
    for (n, refused) in (1..).zip(refused) {
        let answer = one(&store, refused).await?;
        want!(answer.is_err(), "the append must be refused: {answer:?}");
        let answer = one(&store, append(&stream("a"), ExpectedVersion::Any, events(1))).await??;
        want_eq!(answer.position, Position::new(n), "the position after {n} refused appends");
    }
    want_eq!(positions(&log(&store).await?), vec![1, 2, 3], "the positions in the log");
    Ok(())
}

/// While writers race, a reader who follows the log sees each position once and in order: nothing ever
/// appears at or below a position that was read.
pub async fn nothing_appears_behind_a_reader<F: StoreFactory>(factory: &F) -> Verdict {
    const WRITERS: u64 = 8;
    const APPENDS: u64 = 50;
    let store = Arc::new(factory.make().await);
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..APPENDS {
                let to = stream(&format!("{writer}"));
                one(&*store, append(&to, ExpectedVersion::Any, events((writer + n) % 5 + 1))).await??;
            }
            Ok::<_, Violation>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    let total: u64 = (0..WRITERS).flat_map(|w| (0..APPENDS).map(move |n| (w + n) % 5 + 1)).sum();
    let (mut after, mut limits) = (Position::ZERO, [3, 1, 50, 1000].into_iter().cycle());
    while after.as_u64() < total {
        let limit = limits.next().unwrap_or(1);
        let page = next_page(&*store, after, &EventFilter::all(), limit).await?;
        for event in &page.events {
            want_eq!(event.position, after.next(), "the position after {after}");
            after = event.position;
        }
        want_eq!(page.scanned_to, after, "how far a page of all events leads");
    }
    for writer in writers {
        writer.await.map_err(Violation::new)??;
    }
    want_eq!(store.head().await?, Position::new(total), "the head when all have written");
    let wanted: Vec<_> = (1..=total).collect();
    want_eq!(positions(&log(&*store).await?), wanted, "the positions in the log afterwards");
    Ok(())
}

/// Whatever lies at or below a head that was told can be read at once.
pub async fn everything_below_the_head_can_be_read<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move {
        for n in 0..100 {
            one(&*writing, append(&stream("a"), ExpectedVersion::Any, events(n % 4 + 1))).await??;
        }
        Ok::<_, Violation>(())
    });
    let mut after = Position::ZERO;
    while after < Position::new(250) {
        let head = store.head().await?;
        want!(head >= after, "the head must not go back from {after} to {head}");
        while after < head {
            let page = page(&*store, after, &EventFilter::all(), 1000).await?;
            want!(page.scanned_to > after, "the head is {head}, and a reader stays at {after}");
            after = page.scanned_to;
        }
        tokio::task::yield_now().await;
    }
    writer.await.map_err(Violation::new)?
}
