//! What was written is what is read, to the last bit.

use std::collections::BTreeMap;

use cqrs_core::{
    Append, CausationId, CommandId, CorrelationId, Direction, EventFilter, EventId, EventStore,
    ExpectedVersion, Metadata, NewEvent, Position, RecordedEvent, StreamId, StreamRead, Timestamp, Version,
};
use serde_json::{Value, json as value};
use uuid::Uuid;

use super::build::{append, command, event, json, one, stream, stream_of};
use super::look::{log, of_stream};
use super::violation::want_eq;
use super::{StoreFactory, Verdict};

/// The event that must be read where an event was written.
fn recorded(stream: &StreamId, number: u64, event: &NewEvent, recorded_at: Timestamp) -> RecordedEvent {
    RecordedEvent {
        position: Position::new(number),
        stream: stream.clone(),
        version: Version::new(number),
        id: event.id,
        event_type: event.event_type.clone(),
        data: event.data.clone(),
        metadata: event.metadata.clone(),
        recorded_at,
    }
}

/// Whether events are read as they were written, by every way of reading: as one append, and each alone.
async fn all_come_back<F: StoreFactory>(factory: &F, events: Vec<NewEvent>) -> Verdict {
    let stream = stream("a");
    let batches = [vec![events.clone()], events.iter().map(|event| vec![event.clone()]).collect()];
    for batch in batches {
        let store = factory.make().await;
        let batch = batch.into_iter().map(|events| append(&stream, ExpectedVersion::Any, events));
        let batch: Vec<Append> = batch.collect();
        let at = batch[0].recorded_at;
        for answer in store.append(batch).await? {
            answer?;
        }
        let numbered = (1..).zip(&events);
        let mut wanted: Vec<_> = numbered.map(|(n, event)| recorded(&stream, n, event, at)).collect();
        let mut by_log = log(&store).await?.into_iter();
        for wanted in &wanted {
            want_eq!(by_log.next(), Some(wanted.clone()), "an event of the log");
        }
        want_eq!(by_log.next(), None, "an event of the log after the last");
        want_eq!(of_stream(&store, &stream).await?, wanted, "the stream forward");
        let only = EventFilter::category("rule").and_streams([stream.clone()]);
        want_eq!(
            store.read_log(Position::ZERO, &only, 1000).await?.events,
            wanted,
            "the log of the stream"
        );
        wanted.reverse();
        let read = StreamRead { direction: Direction::Backward, from: Version::new(1000), limit: 1000 };
        want_eq!(store.read_stream(&stream, read).await?, wanted, "the stream backward");
    }
    Ok(())
}

/// Data is read to the byte as it was written: texts, numbers at their limits, nesting, and its very spelling.
pub async fn data_comes_back_to_the_byte<F: StoreFactory>(factory: &F) -> Verdict {
    let texts = [
        "null",
        "true",
        "0",
        "-0",
        "18446744073709551615",
        "-9223372036854775808",
        "340282366920938463463374607431768211456",
        "0.1",
        "0.30000000000000004",
        "1e300",
        "1E+2",
        "1.0",
        "5e-324",
        "1.7976931348623157e308",
        r#""""#,
        r#""e\u0301 é ﬁ ß İ""#,
        "\"e\u{301} é 日本 👩‍👩‍👧‍👦 \u{feff}\u{2028}\u{10ffff}\"",
        r#""\u0000 \ud83e\udd80 \n \t \" \\ \/ \u001f""#,
        r#""'; DROP TABLE events; --""#,
        "{}",
        "[]",
        r#"{"b":1,"a":2,"b":3,"":4}"#,
        r#" { "spaced" : [ 1 , 2 ] } "#,
        r#"{"a":{"b":[[],{},[{"c":[null,false,[[["d"]]]]}]]}}"#,
    ];
    let mut events: Vec<_> =
        texts.iter().map(|text| NewEvent { data: json(text), ..event("Hard", 1) }).collect();
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    events.push(NewEvent { data: json(&deep), ..event("Deep", 1) });
    all_come_back(factory, events).await
}

/// Long data comes back whole.
pub async fn long_data_comes_back_whole<F: StoreFactory>(factory: &F) -> Verdict {
    let long = |text: &str, bytes: usize| {
        let data = json(&format!("\"{}\"", text.repeat(bytes / text.len())));
        NewEvent { data, ..event("Long", 1) }
    };
    let texts = [("x", 100_000), ("🦀", 100_000), ("é", 65_536), (r"\u0000", 60_000), ("0123456789", 4096)];
    all_come_back(factory, texts.map(|(text, bytes)| long(text, bytes)).into()).await
}

/// Event types come back as they were, however alike.
pub async fn event_types_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let types =
        ["A", "a", "CoinMined", " ", "a b", "é", "e\u{301}", "🦀", "'", "\"", "\\", "%", "1", "null"];
    all_come_back(factory, types.map(|name| event(name, 1)).into()).await
}

/// Event ids of any version come back, the lowest and the highest too.
pub async fn event_ids_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let command = command();
    let ids = [
        EventId::new(Uuid::nil()),
        EventId::new(Uuid::max()),
        EventId::new(Uuid::from_u128(1)),
        EventId::new(Uuid::from_u128(1 << 127)),
        EventId::new(command.as_uuid()),
        EventId::derive(command, 0),
        EventId::derive(command, 1),
        EventId::derive(command, 7),
        EventId::derive(command, u32::MAX),
    ];
    all_come_back(factory, ids.map(|id| NewEvent { id, ..event("Named", 1) }).into()).await
}

/// Causes and causal chains come back in all combinations: none, the event's command by its id, the event's own
/// id, one id for both, and ids that have nothing to do with each other.
pub async fn causes_and_chains_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let mut events = Vec::new();
    for index in [0, 1, 5, 70_000] {
        let own = command();
        let id = EventId::derive(own, index);
        let ids = [
            None,
            Some(own.as_uuid()),
            Some(id.as_uuid()),
            Some(id.command(0).as_uuid()),
            Some(Uuid::nil()),
            Some(Uuid::now_v7()),
        ];
        for causation in ids {
            for correlation in ids.into_iter().chain([causation]) {
                let metadata = Metadata {
                    causation_id: causation.map(CausationId::new),
                    correlation_id: correlation.map(CorrelationId::new),
                    ..Metadata::default()
                };
                events.push(NewEvent { id, metadata, ..event("Caused", 1) });
            }
        }
    }
    all_come_back(factory, events).await
}

/// Events as a command emits them come back: ids derived by their index, the command as the cause.
pub async fn events_of_a_command_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let mut events = Vec::new();
    for correlated in [false, true] {
        let command: CommandId = command();
        let correlation: CorrelationId =
            if correlated { CorrelationId::new(Uuid::now_v7()) } else { command.into() };
        events.extend((0..6).map(|index| NewEvent {
            id: EventId::derive(command, index),
            metadata: Metadata {
                causation_id: Some(command.into()),
                correlation_id: Some(correlation),
                ..Metadata::default()
            },
            ..event("Emitted", u64::from(index))
        }));
    }
    all_come_back(factory, events).await
}

/// What the application adds to metadata comes back: keys and values of every kind.
pub async fn additions_to_metadata_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let values = [
        value!(null),
        value!(""),
        value!("👩‍👩‍👧‍👦 e\u{301} \u{0}"),
        value!(u64::MAX),
        value!(i64::MIN),
        value!(0.1),
        value!(1e300),
        value!(5e-324),
        value!(0.123_456_789_012_345_68),
        // A fast parser that is not exact misses these by the last bit.
        value!(31.245_270_191_439_438),
        value!(121.487_919_511_619_45),
        value!(false),
        value!({}),
        value!([]),
        value!({"a": {"b": [1, null, {"causation_id": "c"}]}}),
        value!("x".repeat(100_000)),
    ];
    let keys =
        ["user", "", "é", "causation_id", "correlation_id", "extra", "a.b", "$", "\u{0}", "\"", "🦀", "1"];
    let with = |extra: BTreeMap<String, Value>| NewEvent {
        metadata: Metadata { extra, correlation_id: Some(command().into()), ..Metadata::default() },
        ..event("Annotated", 1)
    };
    let mut events: Vec<_> =
        values.iter().map(|one| with(BTreeMap::from([("value".to_owned(), one.clone())]))).collect();
    events.extend(keys.iter().map(|key| with(BTreeMap::from([((*key).to_owned(), value!(1))]))));
    events.push(with(keys.iter().zip(values).map(|(key, one)| ((*key).to_owned(), one)).collect()));
    all_come_back(factory, events).await
}

/// Times come back to the microsecond, before 1970 too, and each append has its own.
pub async fn times_come_back_to_the_microsecond<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let times = [0, 1, -1, 1_700_000_000_123_456, 1_700_000_000_123_457, -62_135_596_800_000_000, 999_999];
    let times = times.map(Timestamp::from_micros);
    let batch = times.map(|recorded_at| {
        let events = vec![event("Timed", 1), event("Timed", 2)];
        Append { recorded_at, ..append(&stream("a"), ExpectedVersion::Any, events) }
    });
    for answer in store.append(batch.into()).await? {
        answer?;
    }
    let found: Vec<_> =
        of_stream(&store, &stream("a")).await?.iter().map(|event| event.recorded_at).collect();
    let wanted: Vec<_> = times.into_iter().flat_map(|time| [time, time]).collect();
    want_eq!(found, wanted, "the times of the events");
    Ok(())
}

/// Stream names come back as they were, up to the longest.
pub async fn stream_names_come_back<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let longest = "x".repeat(cqrs_core::MAX_STREAM_ID_BYTES - "rule-".len());
    let keys = ["a", "mary-jane/1", " ", "é", "e\u{301}", "🦀", "'", "\"", "\\", "%", "\u{feff}", &longest];
    let mut streams: Vec<_> = keys.iter().map(|key| stream(key)).collect();
    streams.push(stream_of("A_category_1", "key"));
    for stream in &streams {
        one(&store, append(stream, ExpectedVersion::NoStream, vec![event("Counted", 1)])).await??;
    }
    let found: Vec<_> = log(&store).await?.into_iter().map(|event| event.stream).collect();
    want_eq!(found, streams, "the streams of the events in the log");
    Ok(())
}
