//! Events that a faulty disk or another program has spoiled: what cannot be read is an error that names it, never
//! skipped and never made up.

use cqrs_core::{
    EventFilter, EventStore, ExpectedVersion, Position, RecordedEvent, StoreError, StreamRead, Version,
};

use super::build::{append, events, exact, one, stream};
use super::look::versions;
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// Which of the events is spoiled: the second one of stream a, in the middle of it.
const SPOILED: Position = Position::new(3);

/// A store whose log is a, b, a, a, with the third event spoiled.
async fn damaged<F: StoreFactory>(factory: &F) -> Result<F::Store, Violation> {
    let store = factory.make().await;
    for key in ["a", "b", "a", "a"] {
        one(&store, append(&stream(key), ExpectedVersion::Any, events(1))).await??;
    }
    factory.damage(&store, SPOILED).await;
    Ok(store)
}

/// The reads that have the spoiled event, each with its name.
async fn reads(store: &impl EventStore) -> Vec<(&'static str, Result<Vec<RecordedEvent>, StoreError>)> {
    let forward = |from, limit| StreamRead::forward(Version::new(from), limit);
    let backward = |from, limit| StreamRead::backward(Version::new(from), limit);
    let log = async |after, filter: EventFilter, limit| {
        store.read_log(Position::new(after), &filter, limit).await.map(|page| page.events)
    };
    vec![
        ("the stream forward", store.read_stream(&stream("a"), forward(1, 10)).await),
        ("the stream forward, that event alone", store.read_stream(&stream("a"), forward(2, 1)).await),
        ("the stream backward", store.read_stream(&stream("a"), backward(u64::MAX, 10)).await),
        ("the stream backward, that event alone", store.read_stream(&stream("a"), backward(2, 1)).await),
        ("the log", log(0, EventFilter::all(), 10).await),
        ("the log, that event alone", log(2, EventFilter::all(), 1).await),
        ("the log of the stream", log(0, EventFilter::all().and_streams([stream("a")]), 10).await),
    ]
}

/// Every read that has a spoiled event fails: it is not left out, and nothing takes its place.
pub async fn a_spoiled_event_fails_every_read_that_has_it<F: StoreFactory>(factory: &F) -> Verdict {
    let store = damaged(factory).await?;
    for (what, read) in reads(&store).await {
        if let Ok(found) = read {
            let found = versions(&found);
            return Err(Violation::new(format_args!(
                "reading {what} must fail, and found versions {found:?}"
            )));
        }
    }
    Ok(())
}

/// The error names the event: by its position, or by its stream and its version.
pub async fn a_spoiled_event_is_named<F: StoreFactory>(factory: &F) -> Verdict {
    let store = damaged(factory).await?;
    for (what, read) in reads(&store).await {
        let Err(error) = read else { continue };
        let text = cqrs_core::describe(&error);
        let named = text.contains("position 3")
            || text.contains("version 2") && text.contains(stream("a").as_str());
        want!(named, "the error of reading {what} must name the event at position 3, and says {text:?}");
    }
    Ok(())
}

/// What does not have the spoiled event is read as before, also in its stream and behind it in the log.
pub async fn a_spoiled_event_leaves_the_others_readable<F: StoreFactory>(factory: &F) -> Verdict {
    let store = damaged(factory).await?;
    let found = store.read_stream(&stream("a"), StreamRead::forward(Version::new(1), 1)).await?;
    want_eq!(versions(&found), vec![1], "the versions before the spoiled event");
    let found = store.read_stream(&stream("a"), StreamRead::forward(Version::new(3), 10)).await?;
    want_eq!(versions(&found), vec![3], "the versions after the spoiled event");
    let found = store.read_stream(&stream("b"), StreamRead::forward(Version::new(1), 10)).await?;
    want_eq!(versions(&found), vec![1], "the versions of the other stream");
    let page = store.read_log(SPOILED, &EventFilter::all(), 10).await?;
    want_eq!(page.events.len(), 1, "the events behind the spoiled one");
    want_eq!(page.scanned_to, Position::new(4), "where the page behind it leads to");
    Ok(())
}

/// A spoiled event is still there for who appends: its stream has its version, and the log its head.
pub async fn a_spoiled_event_still_counts<F: StoreFactory>(factory: &F) -> Verdict {
    let store = damaged(factory).await?;
    want_eq!(store.head().await?, Position::new(4), "the head");
    let answer = one(&store, append(&stream("a"), exact(3), events(1))).await??;
    want_eq!(answer.versions, vec![Version::new(4)], "the version after another event");
    want_eq!(answer.position, Position::new(5), "the position of another event");
    Ok(())
}
