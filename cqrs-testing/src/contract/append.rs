//! One append: that what was appended is there, whole, and is told.

use std::sync::Arc;

use cqrs_core::{Append, Appended, EventStore, ExpectedVersion, Position, StreamRead, Timestamp, Version};

use super::build::{append, event, events, exact, one, stream, together, write, wrong};
use super::look::{log, of_stream, soon, versions};
use super::violation::want_eq;
use super::{StoreFactory, Verdict, Violation};

/// Events of an append are read back from their stream, in order, with versions from 1.
pub async fn an_append_is_read_back_in_order<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = stream("a");
    let events = vec![event("Counted", 1), event("Counted", 2)];
    let appended = one(&store, append(&stream, ExpectedVersion::NoStream, events.clone())).await??;
    want_eq!(appended.versions, vec![Version::new(2)], "the stream's version after two events");
    let found = store.read_stream(&stream, StreamRead::forward(Version::new(1), 10)).await?;
    let found: Vec<_> = found.into_iter().map(|event| (event.version.as_u64(), event.id)).collect();
    want_eq!(found, vec![(1, events[0].id), (2, events[1].id)], "versions and ids in the stream");
    Ok(())
}

/// The versions of a stream are 1, 2, 3 … without a gap, however its events were spread over appends.
pub async fn versions_count_from_one_over_appends<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for count in [1, 3, 2] {
        one(&store, append(&stream("a"), ExpectedVersion::Any, events(count))).await??;
        one(&store, append(&stream("b"), ExpectedVersion::Any, events(1))).await??;
    }
    let found = of_stream(&store, &stream("a")).await?;
    want_eq!(versions(&found), vec![1, 2, 3, 4, 5, 6], "the versions of stream a");
    let found = of_stream(&store, &stream("b")).await?;
    want_eq!(versions(&found), vec![1, 2, 3], "the versions of stream b");
    Ok(())
}

/// The answer tells the stream's version, the position of the last event, and how many events were stored.
pub async fn an_answer_tells_version_position_and_count<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(3))).await??;
    let answer = one(&store, append(&stream("b"), ExpectedVersion::Any, events(2))).await??;
    let position = Position::new(5);
    let wanted = Appended { versions: vec![Version::new(2)], position, events: 2, duplicate: false };
    want_eq!(answer, wanted, "the answer to two events after three of another stream");
    Ok(())
}

/// An append to several streams is stored whole, and tells their versions in the order of the writes.
pub async fn an_append_to_several_streams_is_stored_whole<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("b"), ExpectedVersion::Any, events(1))).await??;
    // Neither the streams nor the versions are in an order, so that an answer that is sorted is seen to be.
    let writes = vec![
        write(&stream("c"), ExpectedVersion::NoStream, events(3)),
        write(&stream("a"), ExpectedVersion::NoStream, events(1)),
        write(&stream("b"), exact(1), events(1)),
    ];
    let answer = one(&store, together(writes)).await??;
    let versions = vec![Version::new(3), Version::new(1), Version::new(2)];
    let wanted = Appended { versions, position: Position::new(6), events: 5, duplicate: false };
    want_eq!(answer, wanted, "the answer to an append to streams c, a and b");
    for (key, count) in [("a", 1), ("b", 2), ("c", 3)] {
        want_eq!(of_stream(&store, &stream(key)).await?.len(), count, "the events of stream {key}");
    }
    Ok(())
}

/// The events of an append to several streams lie in the log one after the other, in the order of the writes.
pub async fn an_append_lies_in_the_log_in_the_order_of_its_writes<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let writes = ["b", "c", "a"].map(|key| write(&stream(key), ExpectedVersion::NoStream, events(2)));
    let wanted: Vec<_> = writes.iter().flat_map(|write| &write.events).map(|event| event.id).collect();
    one(&store, together(writes.into())).await??;
    let found: Vec<_> = log(&store).await?.iter().map(|event| event.id).collect();
    want_eq!(found, wanted, "the ids in the log");
    Ok(())
}

/// An append to several streams is refused whole when one of them is not at its expected version.
pub async fn an_append_to_several_streams_is_refused_whole<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("b"), ExpectedVersion::Any, events(2))).await??;
    for place in 0..3 {
        let mut writes: Vec<_> =
            ["a", "c"].map(|key| write(&stream(key), ExpectedVersion::NoStream, events(1))).into();
        writes.insert(place, write(&stream("b"), exact(1), events(1)));
        let answer = one(&store, together(writes)).await?;
        want_eq!(
            answer,
            wrong(&stream("b"), exact(1), 2),
            "the answer with the wrong write at place {place}"
        );
        want_eq!(log(&store).await?.len(), 2, "the events in the log after the refusal");
        want_eq!(of_stream(&store, &stream("a")).await?, vec![], "stream a after the refusal");
    }
    Ok(())
}

/// A write without events guards an append by its expected version, and leaves its stream as it is.
pub async fn a_write_without_events_guards_the_others<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("guard"), ExpectedVersion::Any, events(2))).await??;
    let guarded = |expected| {
        let guard = write(&stream("guard"), expected, vec![]);
        together(vec![write(&stream("a"), ExpectedVersion::Any, events(1)), guard])
    };
    let answer = one(&store, guarded(exact(1))).await?;
    want_eq!(answer, wrong(&stream("guard"), exact(1), 2), "the answer with a guard that does not hold");
    want_eq!(of_stream(&store, &stream("a")).await?, vec![], "the guarded stream after the refusal");
    let answer = one(&store, guarded(exact(2))).await??;
    want_eq!(
        answer.versions,
        vec![Version::new(1), Version::new(2)],
        "the versions with a guard that holds"
    );
    want_eq!(of_stream(&store, &stream("guard")).await?.len(), 2, "the events of the guarding stream");
    Ok(())
}

/// An append without events stores nothing, and tells the stream's version and the log's head.
pub async fn an_append_without_events_tells_version_and_head<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let answer = one(&store, append(&stream("a"), ExpectedVersion::NoStream, vec![])).await??;
    let nothing =
        Appended { versions: vec![Version::ZERO], position: Position::ZERO, events: 0, duplicate: false };
    want_eq!(answer, nothing, "the answer to an append without events in an empty store");
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(2))).await??;
    one(&store, append(&stream("b"), ExpectedVersion::Any, events(1))).await??;
    let answer = one(&store, append(&stream("a"), exact(2), vec![])).await??;
    let position = Position::new(3);
    let wanted = Appended { versions: vec![Version::new(2)], position, events: 0, duplicate: false };
    want_eq!(answer, wanted, "the answer to an append without events");
    want_eq!(log(&store).await?.len(), 3, "the events in the log");
    Ok(())
}

/// An append that writes no stream stores nothing, and tells the log's head.
pub async fn an_append_without_streams_tells_the_head<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(2))).await??;
    let nothing = Append {
        writes: vec![],
        receipt: None,
        recorded_at: Timestamp::from_micros(0),
        rests_on_previous: false,
    };
    let answer = one(&store, nothing).await??;
    let wanted = Appended { versions: vec![], position: Position::new(2), events: 0, duplicate: false };
    want_eq!(answer, wanted, "the answer to an append that writes no stream");
    want_eq!(store.head().await?, Position::new(2), "the head");
    Ok(())
}

/// Appends that race for the same streams in opposite orders do not block each other, and their events do not
/// mix: those of one append lie together in the log.
pub async fn racing_appends_to_the_same_streams_do_not_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let writers = (0..8_u64).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for n in 0..15 {
                let mut keys = ["a", "b", "c"];
                keys.rotate_left(writer as usize % 3);
                let new = || vec![event("Raced", writer * 100 + n), event("Raced", writer * 100 + n)];
                let writes = keys.map(|key| write(&stream(key), ExpectedVersion::Any, new()));
                one(&*store, together(writes.into())).await??;
            }
            Ok::<_, Violation>(())
        })
    });
    let writers: Vec<_> = writers.collect();
    for writer in writers {
        soon("the end of a writer", writer).await?.map_err(Violation::new)??;
    }
    let all = log(&*store).await?;
    want_eq!(all.len(), 8 * 15 * 6, "the events in the log");
    for (n, events) in all.chunks(6).enumerate() {
        let mixed = events.iter().any(|event| event.data != events[0].data);
        want_eq!(mixed, false, "whether the events of append {n} of the log are mixed with others");
    }
    for key in ["a", "b", "c"] {
        let found = versions(&of_stream(&*store, &stream(key)).await?);
        want_eq!(found, (1..=8 * 15 * 2).collect::<Vec<_>>(), "the versions of stream {key}");
    }
    Ok(())
}
