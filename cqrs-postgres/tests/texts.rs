//! Texts of every kind are read as they were written.

mod common;

use common::{Scratch, append, event, everything, one, stream};
use cqrs_core::{
    EventId, EventPart, ExpectedVersion, HandlerCheckpoint, HandlerStep, HandlerStore, ParkedEvent,
    ParkedMark, ParkedQuery, ParkedSet, ParkedState, Position, Timestamp,
};
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn data_that_jsonb_would_change_or_refuse_comes_back_to_the_byte() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let half_a_pair = ["\"\\u", "d83d\""].concat();
    let texts = [
        r#""\u0000""#,
        &half_a_pair,
        r#"{"b":1,"a":2,"b":3}"#,
        r#"  { "spaces" : 1.10e+2 }  "#,
        "1e999",
        "\"🦀 \u{7f} \u{10FFFF}\"",
        &format!("\"{}\"", "ä".repeat(400_000)),
        &format!("{}1{}", "[".repeat(120), "]".repeat(120)),
    ];
    let mut events: Vec<_> = texts.iter().map(|text| event("CoinMined", text)).collect();
    events[0].metadata.extra.insert("nul \0".to_owned(), json!("\0\\0"));
    one(&store, append("me", ExpectedVersion::NoStream, events.clone())).await.unwrap().unwrap();
    let log = everything(&store).await;
    assert_eq!(log.len(), events.len());
    for (read, written) in log.iter().zip(&events) {
        assert_eq!((&read.data, &read.metadata), (&written.data, &written.metadata));
        assert_eq!(read.stream, stream("me"));
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn keys_and_errors_may_be_any_text() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let texts = ["\0", "\\0", "a\\\0b", "", "🦀", &"long".repeat(100_000)];
    let parked: Vec<_> = (1..)
        .zip(texts)
        .map(|(position, text)| ParkedEvent {
            part: EventPart { position: Position::new(position), part: 0 },
            event: EventId::new(Uuid::from_u128(position.into())),
            key: text.to_owned(),
            attempts: 1,
            last_error: Some(text.to_owned()),
            at: Timestamp::from_micros(1),
            state: ParkedState::Parked,
        })
        .collect();
    let checkpoint = HandlerCheckpoint { revision: 1, ..HandlerCheckpoint::default() };
    let handler = "mail".to_owned();
    let step = HandlerStep { handler, checkpoint, parked: parked.clone(), released: Vec::new() };
    store.commit_handler(step).await.unwrap();
    let all = store.parked_events("mail", &ParkedQuery::Heads, EventPart::ZERO, 10).await.unwrap();
    assert_eq!(all, parked);
    for event in &parked {
        let query = ParkedQuery::Key(event.key.clone());
        let found = store.parked_events("mail", &query, EventPart::ZERO, 10).await.unwrap();
        assert_eq!(found, std::slice::from_ref(event));
        let set = ParkedSet::Key(event.key.clone());
        assert_eq!(store.mark_parked("mail", &set, ParkedMark::Retry).await.unwrap(), 1);
    }
}
