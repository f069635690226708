//! Limits: what breaks one is refused alone, and says which.

use std::collections::BTreeMap;

use cqrs_core::{
    Append, AppendError, EventStore, ExpectedVersion, InvalidAppend, MAX_EVENT_BYTES, MAX_EVENT_TYPE_BYTES,
    MAX_EVENTS_PER_APPEND, Metadata, NewEvent, Position, Version,
};
use serde_json::Value;

use super::build::{append, event, events, one, stream, together, write};
use super::look::{log, of_stream, positions};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// An event with so many bytes of data.
fn heavy(bytes: usize) -> NewEvent {
    NewEvent { data: super::build::json(&format!("\"{}\"", "x".repeat(bytes - 2))), ..event("Heavy", 1) }
}

/// An event with so many bytes of data and metadata together, half of them in the metadata.
fn annotated(bytes: usize) -> NewEvent {
    let data = heavy(bytes / 2);
    let value = Value::String("x".repeat(bytes - bytes / 2 - "key".len() - 2));
    let metadata = Metadata { extra: BTreeMap::from([("key".to_owned(), value)]), ..Metadata::default() };
    NewEvent { metadata, ..data }
}

/// Whether an append is refused for its limit alone, in the midst of a batch, with nothing of it stored.
async fn refused_alone<F: StoreFactory>(factory: &F, bad: Append, why: InvalidAppend) -> Verdict {
    let store = factory.make().await;
    let before = append(&stream("before"), ExpectedVersion::NoStream, events(1));
    let after = append(&stream("after"), ExpectedVersion::NoStream, events(2));
    let answers = store.append(vec![before, bad, after]).await?;
    let told: Vec<_> = answers.into_iter().map(|answer| answer.map(|answer| answer.position)).collect();
    let wanted = vec![Ok(Position::new(1)), Err(AppendError::Invalid(why)), Ok(Position::new(3))];
    want_eq!(told, wanted, "the answers to a batch with an invalid append");
    let found = log(&store).await?;
    want_eq!(positions(&found), vec![1, 2, 3], "the positions in the log");
    let streams: Vec<_> = found.iter().map(|event| event.stream.key()).collect();
    want_eq!(streams, vec!["before", "after", "after"], "the streams in the log");
    Ok(())
}

/// Whether an append is accepted, and all of its events are stored.
async fn accepted<F: StoreFactory>(factory: &F, good: Append) -> Verdict {
    let store = factory.make().await;
    let wanted: Vec<_> = good.writes.iter().flat_map(|write| &write.events).cloned().collect();
    let answer = one(&store, good).await??;
    want_eq!(answer.events, wanted.len() as u64, "the count of events at the limit");
    let found = log(&store).await?;
    want_eq!(found.len(), wanted.len(), "the events in the log");
    for (found, wanted) in found.into_iter().zip(wanted) {
        let same = (found.id, &found.event_type) == (wanted.id, &wanted.event_type)
            && found.data == wanted.data
            && found.metadata == wanted.metadata;
        want_eq!(same, true, "whether event {} at the limit comes back as it was", found.position);
    }
    Ok(())
}

/// An event of more than [`MAX_EVENT_BYTES`] is refused, its metadata counted; one of as many is stored.
pub async fn an_event_has_a_largest_size<F: StoreFactory>(factory: &F) -> Verdict {
    let a = stream("a");
    for sized in [heavy, annotated] {
        let bytes = MAX_EVENT_BYTES + 1;
        let bad = append(&a, ExpectedVersion::Any, vec![event("Counted", 1), sized(bytes)]);
        let event_type = "Heavy".to_owned();
        refused_alone(factory, bad, InvalidAppend::EventTooLarge { stream: a.clone(), event_type, bytes })
            .await?;
        accepted(factory, append(&a, ExpectedVersion::Any, vec![sized(MAX_EVENT_BYTES)])).await?;
    }
    Ok(())
}

/// An event type that is empty, too long or has a control character is refused; the longest is stored.
pub async fn an_event_type_has_its_limits<F: StoreFactory>(factory: &F) -> Verdict {
    let a = stream("a");
    let too_long = ["x".repeat(MAX_EVENT_TYPE_BYTES + 1), "é".repeat(MAX_EVENT_TYPE_BYTES / 2 + 1)];
    let bad = ["", "a\0", "\n", "a\tb", "\u{7f}", "\u{85}", &too_long[0], &too_long[1]];
    for event_type in bad {
        let bad = append(&a, ExpectedVersion::Any, vec![event("Counted", 1), event(event_type, 2)]);
        let (stream, event_type) = (a.clone(), event_type.to_owned());
        refused_alone(factory, bad, InvalidAppend::EventType { stream, event_type }).await?;
    }
    let longest = ["x".repeat(MAX_EVENT_TYPE_BYTES), "é".repeat(MAX_EVENT_TYPE_BYTES / 2)];
    let good = longest.iter().map(|longest| event(longest, 1)).collect();
    accepted(factory, append(&a, ExpectedVersion::Any, good)).await
}

/// An append of more than [`MAX_EVENTS_PER_APPEND`] events is refused, over all its streams; one of as many
/// is stored.
pub async fn an_append_has_a_most_of_events<F: StoreFactory>(factory: &F) -> Verdict {
    let most = MAX_EVENTS_PER_APPEND as u64;
    let over = |extra| {
        let half = write(&stream("a"), ExpectedVersion::Any, events(most / 2));
        together(vec![half, write(&stream("b"), ExpectedVersion::Any, events(most - most / 2 + extra))])
    };
    let why = InvalidAppend::TooManyEvents(MAX_EVENTS_PER_APPEND + 1);
    let alone = append(&stream("a"), ExpectedVersion::Any, events(most + 1));
    refused_alone(factory, alone, why.clone()).await?;
    refused_alone(factory, over(1), why).await?;
    accepted(factory, over(0)).await
}

/// An append that writes one stream twice is refused.
pub async fn an_append_writes_a_stream_once<F: StoreFactory>(factory: &F) -> Verdict {
    for count in [0, 1] {
        let writes = ["a", "b", "a"].map(|key| write(&stream(key), ExpectedVersion::Any, events(count)));
        refused_alone(factory, together(writes.into()), InvalidAppend::StreamTwice(stream("a"))).await?;
    }
    Ok(())
}

/// A stream that an invalid append was for is as if it had never been tried.
pub async fn an_invalid_append_leaves_its_stream<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let batch = vec![
        append(&stream("a"), ExpectedVersion::NoStream, vec![event("Counted", 1), event("", 2)]),
        append(&stream("a"), ExpectedVersion::NoStream, events(1)),
    ];
    let answers = store.append(batch).await?;
    want_eq!(answers[0].is_err(), true, "whether the invalid append is refused");
    let second = answers[1].clone().map(|answer| answer.versions);
    want_eq!(second, Ok(vec![Version::new(1)]), "the answer after an invalid append to the same stream");
    want_eq!(of_stream(&store, &stream("a")).await?.len(), 1, "the events of the stream");
    Ok(())
}
