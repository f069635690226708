//! A batch: many appends, each judged alone, in order.

use std::sync::Arc;

use cqrs_core::{EventStore, ExpectedVersion, Position, Version};

use super::build::{append, events, exact, stream, wrong};
use super::look::{log, of_stream, positions, soon};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// A batch has one answer for each append, in the batch's order.
pub async fn answers_are_in_the_order_of_the_batch<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let batch = (1..=40).map(|n| {
        let expected = if n % 7 == 0 { exact(9) } else { exact(0) };
        append(&stream(&format!("{}", n * 13 % 41)), expected, events(n))
    });
    let answers = store.append(batch.collect()).await?;
    want_eq!(answers.len(), 40, "the number of answers to 40 appends");
    let mut position = 0;
    for (n, answer) in (1..=40).zip(answers) {
        let stream = stream(&format!("{}", n * 13 % 41));
        if n % 7 == 0 {
            want_eq!(answer, wrong(&stream, exact(9), 0), "the answer to append {n}");
            continue;
        }
        position += n;
        let answer = answer?;
        let found = (answer.events, answer.versions, answer.position.as_u64());
        want_eq!(found, (n, vec![Version::new(n)], position), "count, version and position of append {n}");
    }
    Ok(())
}

/// A batch without appends has no answers, and changes nothing.
pub async fn an_empty_batch_has_no_answers<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    want_eq!(store.append(vec![]).await?, vec![], "the answers to an empty batch");
    want_eq!(store.head().await?, Position::ZERO, "the head after an empty batch");
    Ok(())
}

/// An append that is refused leaves the others of its batch untouched, wherever it stands.
pub async fn a_refused_append_leaves_the_others<F: StoreFactory>(factory: &F) -> Verdict {
    for refused in 0..3 {
        let store = factory.make().await;
        let batch = (0..3).map(|n| {
            let expected =
                if n == refused { ExpectedVersion::StreamExists } else { ExpectedVersion::NoStream };
            append(&stream(&format!("{n}")), expected, events(2))
        });
        let answers = store.append(batch.collect()).await?;
        for (n, answer) in answers.iter().enumerate() {
            want_eq!(answer.is_err(), n == refused, "whether append {n} is refused");
            let count = if n == refused { 0 } else { 2 };
            let found = of_stream(&store, &stream(&format!("{n}"))).await?;
            want_eq!(found.len(), count, "the events of append {n} when {refused} is refused");
        }
        want_eq!(positions(&log(&store).await?), vec![1, 2, 3, 4], "the positions in the log");
    }
    Ok(())
}

/// A batch may write one stream again and again, each append expecting the version that the one before left.
pub async fn appends_of_a_batch_can_be_chained<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let batch = (0..100).map(|n| append(&stream("a"), exact(2 * n), events(2)));
    for (n, answer) in store.append(batch.collect()).await?.into_iter().enumerate() {
        let version = Version::new(2 * n as u64 + 2);
        want_eq!(answer?.versions, vec![version], "the version after append {n} of a chain");
    }
    want_eq!(of_stream(&store, &stream("a")).await?.len(), 200, "the events of the chain");
    Ok(())
}

/// Events of an earlier append count for the expected versions of a later one in the batch.
pub async fn earlier_events_of_the_batch_count<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let (a, after) = (stream("a"), |expected| append(&stream("a"), expected, events(1)));
    let batch = vec![
        append(&a, ExpectedVersion::NoStream, events(3)),
        after(ExpectedVersion::NoStream),
        after(exact(0)),
        after(exact(2)),
        after(exact(4)),
        after(ExpectedVersion::StreamExists),
        after(exact(3)),
    ];
    let answers: Vec<_> =
        store.append(batch).await?.into_iter().map(|answer| answer.map(|it| it.versions)).collect();
    let wanted = vec![
        Ok(vec![Version::new(3)]),
        wrong(&a, ExpectedVersion::NoStream, 3),
        wrong(&a, exact(0), 3),
        wrong(&a, exact(2), 3),
        wrong(&a, exact(4), 3),
        Ok(vec![Version::new(4)]),
        wrong(&a, exact(3), 4),
    ];
    want_eq!(answers, wanted, "the answers to a batch on one stream");
    Ok(())
}

/// Events of a refused append do not count for later ones.
pub async fn refused_events_do_not_count<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let batch = vec![
        append(&stream("a"), exact(5), events(3)),
        append(&stream("a"), ExpectedVersion::StreamExists, events(1)),
        append(&stream("a"), ExpectedVersion::NoStream, events(1)),
    ];
    let answers = store.append(batch).await?;
    want_eq!(answers[0], wrong(&stream("a"), exact(5), 0), "the answer to the first append");
    let expected = ExpectedVersion::StreamExists;
    want_eq!(answers[1], wrong(&stream("a"), expected, 0), "the answer after a refused one");
    want!(
        answers[2].is_ok(),
        "a new stream must be writable after refused appends to it: {:?}",
        answers[2]
    );
    Ok(())
}

/// An append without events tells the head as it is after the earlier appends of its batch.
pub async fn an_append_without_events_sees_the_batch_before_it<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let batch = vec![
        append(&stream("a"), ExpectedVersion::Any, events(2)),
        append(&stream("a"), exact(2), vec![]),
        append(&stream("b"), ExpectedVersion::Any, events(1)),
    ];
    let answers = store.append(batch).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    let found: Vec<_> = answers.iter().map(|it| (it.position.as_u64(), it.versions[0].as_u64())).collect();
    want_eq!(found, vec![(2, 2), (2, 2), (3, 1)], "positions and versions told by the batch");
    Ok(())
}

/// A batch is one commit: no reader sees a part of it.
pub async fn a_batch_is_seen_whole_or_not_at_all<F: StoreFactory>(factory: &F) -> Verdict {
    const BATCHES: u64 = 40;
    let store = Arc::new(factory.make().await);
    let writing = Arc::clone(&store);
    let writer = tokio::spawn(async move {
        for _ in 0..BATCHES {
            let batch = (0..20).map(|n| append(&stream(&format!("{n}")), ExpectedVersion::Any, events(5)));
            for answer in writing.append(batch.collect()).await? {
                answer?;
            }
        }
        Ok::<_, Violation>(())
    });
    let mut head = Position::ZERO;
    while head < Position::new(BATCHES * 100) {
        head = soon("a batch", store.wait_beyond(head)).await??;
        want_eq!(
            head.as_u64() % 100,
            0,
            "how many events of a batch lie below the head {head} that a wait tells"
        );
        head = store.head().await?;
        want_eq!(head.as_u64() % 100, 0, "how many events of a batch lie below the head {head}");
        let all = log(&*store).await?.len();
        want_eq!(all % 100, 0, "how many events of a batch are in a log of {all} events");
    }
    writer.await.map_err(Violation::new)?
}
