//! What the programs of former days have written.

use cqrs_core::{
    Aggregate, Append, BoxError, EventId, EventStore, ExpectedVersion, Json, Metadata, NewEvent,
    StreamWrite, Timestamp,
};
use uuid::Uuid;

use crate::Account;

/// The first events of an account: stored names and fields, as they stand in the file.
pub const EVENTS: [(&str, &str); 5] = [
    ("Created", r#"{"owner":"zoë"}"#),
    ("Deposited", r#"{"euros":120.0}"#),
    ("Deposited", r#"{"euros":0.29}"#),
    ("StatementPrinted", r#"{"pages":2}"#),
    ("PaidOut", r#"{"amount":5000,"fee":35}"#),
];

/// Writes them as those programs did.
///
/// # Errors
///
/// When the account has events, or the store cannot be written.
pub async fn write(store: &dyn EventStore, account: &str) -> Result<(), BoxError> {
    let events = EVENTS.map(|(event_type, data)| {
        Ok(NewEvent {
            id: EventId::new(Uuid::now_v7()),
            event_type: event_type.into(),
            data: Json::parse(data)?,
            metadata: Metadata::default(),
        })
    });
    let append = Append {
        writes: vec![StreamWrite {
            stream: Account::stream(&account.to_owned())?,
            expected: ExpectedVersion::NoStream,
            events: events.into_iter().collect::<Result<_, serde_json::Error>>()?,
        }],
        receipt: None,
        recorded_at: Timestamp::from_micros(1_234_567_890_000_000),
        rests_on_previous: false,
    };
    for answer in store.append(vec![append]).await? {
        answer?;
    }
    Ok(())
}
