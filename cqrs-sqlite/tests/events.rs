//! What goes into the file comes out of it.

mod common;

use std::collections::BTreeMap;

use common::{append, command, event, everything, one, outsider, place, some, stream};
use cqrs_core::{
    AppendError, CausationId, CorrelationId, EventFilter, EventId, EventStore, ExpectedVersion, Json,
    Metadata, Position, StoreError, StreamRead, Version,
};
use cqrs_sqlite::SqliteStore;
use serde_json::json;
use sqlx::Executor;
use uuid::Uuid;

#[tokio::test]
async fn events_survive_closing_and_opening() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 3)).await.unwrap().unwrap();
    let mut written = some("you", 2);
    written.receipt = Some(command());
    let first = one(&store, written.clone()).await.unwrap().unwrap();
    let before = everything(&store).await;
    store.close().await;
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(matches!(store.append(vec![some("me", 1)]).await, Err(StoreError::Closed)));
    assert!(!path.with_extension("db-wal").exists(), "the file stands alone");

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(everything(&store).await, before);
    let again = one(&store, written).await.unwrap().unwrap();
    assert!(again.duplicate);
    assert_eq!(
        (again.versions, again.position, again.events),
        (first.versions, first.position, first.events)
    );
    assert_eq!(store.head().await.unwrap(), Position::new(5));
}

#[tokio::test]
async fn every_combination_of_ids_makes_the_round_trip() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut events = Vec::new();
    for index in [0, 1, 7] {
        let cause = command();
        let other = Uuid::new_v4();
        let causations =
            [None, Some(cause.into()), Some(CausationId::new(other)), Some(CausationId::new(Uuid::nil()))];
        for causation_id in causations {
            let same = causation_id.map(|id| CorrelationId::new(id.as_uuid()));
            for correlation_id in [None, same, Some(cause.into()), Some(CorrelationId::new(Uuid::new_v4()))]
            {
                let id = EventId::derive(cause, index);
                let metadata = Metadata { causation_id, correlation_id, extra: BTreeMap::new() };
                events.push(cqrs_core::NewEvent { id, metadata, ..event("CoinMined", "null") });
            }
        }
    }
    one(&store, append("me", ExpectedVersion::NoStream, events.clone())).await.unwrap().unwrap();
    let read = store.read_stream(&stream("me"), StreamRead::forward(Version::new(1), 1000)).await.unwrap();
    assert_eq!(read.len(), events.len());
    for (read, written) in read.iter().zip(&events) {
        assert_eq!((read.id, &read.metadata), (written.id, &written.metadata));
    }
}

#[tokio::test]
async fn what_can_be_derived_takes_no_room() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 1)).await.unwrap().unwrap();
    let mut outsider = outsider(&path).await;
    let derived: bool = sqlx::query_scalar(
        "SELECT causation IS NULL AND correlation IS NULL AND metadata IS NULL FROM events",
    )
    .fetch_one(&mut outsider)
    .await
    .unwrap();
    assert!(derived);
}

#[tokio::test]
async fn hard_json_is_kept_to_the_byte() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let hard = [
        r#""\u0000""#,
        r#"{"\u0000":"a\u0000b"}"#,
        r#""\ud83e\udd80 🦀 é \\ \" \/ ' \u2028 \ud800""#,
        "1e400",
        "-0.0",
        "123456789012345678901234567890.000000000000000000001",
        "18446744073709551615",
        "-9223372036854775808",
        " { \"a\" :\t[ 1 ,\r\n 2 ] } ",
        r#"{"a":1,"a":2}"#,
        "null",
        r#"[[],{},"",0]"#,
        "\"\u{fffd}\u{10ffff}\u{7f}\"",
        &deep,
    ];
    let events = hard.iter().map(|data| event("Hard", data)).collect();
    one(&store, append("me", ExpectedVersion::Any, events)).await.unwrap().unwrap();
    for (read, written) in everything(&store).await.iter().zip(hard) {
        assert_eq!(read.data.as_str(), written);
    }
}

#[tokio::test]
async fn metadata_is_kept_to_the_last_bit() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let extra = BTreeMap::from([
        ("\0 'key' 🦀".to_owned(), json!("a\u{0}b\u{1f} \\ \" 🦀")),
        ("numbers".to_owned(), json!([u64::MAX, i64::MIN, 0.1, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0])),
        ("hard to read back".to_owned(), json!([2.638_344_616_030_823e-256, 7.038_531e-26, 1.0e23])),
        ("nested".to_owned(), json!({"a": [null, true, {"b": ""}]})),
        (String::new(), json!(null)),
    ]);
    let mut event = event("CoinMined", "null");
    event.metadata.extra = extra.clone();
    one(&store, append("me", ExpectedVersion::Any, vec![event])).await.unwrap().unwrap();
    assert_eq!(everything(&store).await[0].metadata.extra, extra);
}

#[tokio::test]
async fn events_are_neither_changed_nor_deleted() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 2)).await.unwrap().unwrap();
    let mut outsider = outsider(&path).await;
    for sql in
        ["UPDATE events SET data = '0'", "DELETE FROM events", "DELETE FROM events WHERE position = 2"]
    {
        let error = outsider.execute(sql).await.unwrap_err().to_string();
        assert!(error.contains("events are never"), "{sql}: {error}");
    }
    assert_eq!(everything(&store).await.len(), 2);
}

#[tokio::test]
async fn an_unreadable_event_is_named() {
    let damages = [
        ("id = x'00'", "its id"),
        ("data = '{'", "its data"),
        ("causation = x'0102'", "its causation"),
        ("correlation = x'0102'", "its correlation"),
        ("metadata = '[]'", "its metadata"),
        ("stream = 77", "its stream"),
        ("type = 77", "its type"),
        ("version = -1", "its version"),
    ];
    for (damage, what) in damages {
        let (_directory, path) = place();
        let store = SqliteStore::open(&path).await.unwrap();
        one(&store, some("me", 3)).await.unwrap().unwrap();
        let mut outsider = outsider(&path).await;
        outsider.execute("DROP TRIGGER events_are_not_updated").await.unwrap();
        let sql = format!("UPDATE events SET {damage} WHERE position = 2");
        outsider.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let error = store.read_log(Position::ZERO, &EventFilter::all(), 10).await.unwrap_err();
        let StoreError::Corrupt { what: found } = error else { panic!("{damage}: {error:?}") };
        assert!(found.contains("position 2") && found.contains(what), "{damage}: {found}");
        let page = store.read_log(Position::new(2), &EventFilter::all(), 10).await.unwrap();
        assert_eq!(page.events.len(), 1, "the rest is readable");
    }
}

#[tokio::test]
async fn a_filter_in_sql_means_what_the_core_says() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..60 {
        let stream = cqrs_core::StreamId::new(["account", "Account", "order_1"][n % 3], n % 4).unwrap();
        let mut append = append("x", ExpectedVersion::Any, vec![event(["A", "B", "a"][n % 5 % 3], "1")]);
        append.writes[0].stream = stream;
        one(&store, append).await.unwrap().unwrap();
    }
    let all = everything(&store).await;
    let streams = || [all[3].stream.clone(), all[4].stream.clone(), stream("missing")];
    let filters = [
        EventFilter::all(),
        EventFilter::category("account"),
        EventFilter::categories_of(["account", "order_1"]),
        EventFilter::categories_of([]),
        EventFilter::category("account%"),
        EventFilter::all().and_event_types(["a"]),
        EventFilter::all().and_streams(streams()),
        EventFilter::category("account").and_event_types(["A", "B"]).and_streams(streams()),
        EventFilter::category("missing"),
    ];
    for filter in filters {
        let wanted: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
        for limit in [1, 7, 100] {
            let (mut found, mut after) = (Vec::new(), Position::ZERO);
            loop {
                let page = store.read_log(after, &filter, limit).await.unwrap();
                assert!(page.events.len() <= limit);
                if page.events.is_empty() && page.scanned_to == after {
                    break;
                }
                assert!(page.scanned_to > after);
                (after, found) = (page.scanned_to, [found, page.events].concat());
            }
            assert_eq!(found, wanted, "{filter:?} by {limit}");
            assert_eq!(after, Position::new(60));
        }
    }
}

#[tokio::test]
async fn numbers_beyond_what_sqlite_counts_do_no_harm() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 3)).await.unwrap().unwrap();
    let last = Version::new(u64::MAX);
    let back = store.read_stream(&stream("me"), StreamRead::backward(last, usize::MAX)).await.unwrap();
    assert_eq!(back.iter().map(|event| event.version.as_u64()).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(store.read_stream(&stream("me"), StreamRead::forward(last, 1)).await.unwrap().is_empty());
    let far = Position::new(u64::MAX);
    let page = store.read_log(far, &EventFilter::all(), usize::MAX).await.unwrap();
    assert_eq!((page.events.len(), page.scanned_to), (0, far));
    let answer = one(&store, append("me", ExpectedVersion::Exact(last), vec![])).await.unwrap();
    assert!(matches!(answer, Err(AppendError::WrongExpectedVersion { .. })));
    let data = Json::parse("1").unwrap();
    assert_eq!(everything(&store).await.iter().filter(|event| event.data == data).count(), 1);
}
