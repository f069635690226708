//! Expected versions: what a writer believes, checked in the same breath as the append.

use std::sync::Arc;

use cqrs_core::{AppendError, ExpectedVersion, Version};

use super::build::{append, events, exact, one, stream, wrong};
use super::look::{log, of_stream, versions};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// Any of what a writer can believe of a stream with `actual` events is right or wrong as
/// [`ExpectedVersion::matches`] says, and a refusal tells what was expected and what is so.
async fn all_are_judged<F: StoreFactory>(factory: &F, actual: u64, count: u64) -> Verdict {
    let beliefs = [
        ExpectedVersion::Any,
        ExpectedVersion::NoStream,
        ExpectedVersion::StreamExists,
        exact(0),
        exact(1),
        exact(2),
        exact(3),
        exact(u64::MAX),
    ];
    for expected in beliefs {
        let store = factory.make().await;
        let stream = stream("a");
        one(&store, append(&stream, ExpectedVersion::Any, events(actual))).await??;
        let answer = one(&store, append(&stream, expected, events(count))).await?;
        let right = expected.matches(Version::new(actual));
        let what = format!("an append of {count} events that expects {expected} at version {actual}");
        if right {
            let answer = answer.map(|answer| answer.versions);
            want_eq!(answer, Ok(vec![Version::new(actual + count)]), "the answer to {what}");
        } else {
            want_eq!(answer, wrong(&stream, expected, actual), "the answer to {what}");
        }
        let left = actual + if right { count } else { 0 };
        want_eq!(log(&store).await?.len() as u64, left, "the events in the log after {what}");
    }
    Ok(())
}

/// On a stream without events, `Any`, `NoStream` and `Exact(0)` are right, and all else is refused.
pub async fn expectations_of_a_missing_stream<F: StoreFactory>(factory: &F) -> Verdict {
    all_are_judged(factory, 0, 2).await
}

/// On a stream at version 2, `Any`, `StreamExists` and `Exact(2)` are right, and all else is refused.
pub async fn expectations_of_a_stream_with_events<F: StoreFactory>(factory: &F) -> Verdict {
    all_are_judged(factory, 2, 1).await
}

/// The expected version is checked also when there are no events to append.
pub async fn expectations_are_checked_without_events<F: StoreFactory>(factory: &F) -> Verdict {
    all_are_judged(factory, 0, 0).await?;
    all_are_judged(factory, 2, 0).await
}

/// A write without events does not make a stream exist.
pub async fn a_write_without_events_makes_no_stream<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, vec![])).await??;
    let answer = one(&store, append(&stream("a"), ExpectedVersion::StreamExists, vec![])).await?;
    want_eq!(
        answer,
        wrong(&stream("a"), ExpectedVersion::StreamExists, 0),
        "the answer for a stream without events"
    );
    one(&store, append(&stream("a"), ExpectedVersion::NoStream, events(1))).await??;
    Ok(())
}

/// A writer whose knowledge is out of date is refused, and learns the stream's version.
pub async fn a_stale_writer_is_refused<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream("a");
    one(&store, append(&stream, exact(0), events(1))).await??;
    one(&store, append(&stream, exact(1), events(1))).await??;
    let answer = one(&store, append(&stream, exact(1), events(1))).await?;
    want_eq!(answer, wrong(&stream, exact(1), 2), "the answer to the second writer at version 1");
    want_eq!(versions(&of_stream(&store, &stream).await?), vec![1, 2], "the versions in the stream");
    Ok(())
}

/// Of 32 writers who expect the same version at once, exactly one wins, version after version.
pub async fn one_of_racing_writers_wins<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    for version in 0..5 {
        let racers = (0..32).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { one(&*store, append(&stream("a"), exact(version), events(1))).await })
        });
        let mut winners = 0;
        for answer in futures::future::join_all(racers).await {
            match answer.map_err(Violation::new)?? {
                Ok(_) => winners += 1,
                Err(AppendError::WrongExpectedVersion { expected, actual, .. }) => {
                    let told = (expected, actual.as_u64());
                    want_eq!(told, (exact(version), version + 1), "what a loser is told");
                }
                Err(error) => want!(false, "a loser at version {version} must not be told: {error}"),
            }
        }
        want_eq!(winners, 1, "the number of winners at version {version}");
    }
    want_eq!(
        versions(&of_stream(&*store, &stream("a")).await?),
        vec![1, 2, 3, 4, 5],
        "the versions written"
    );
    Ok(())
}
