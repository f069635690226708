//! A projection whose tables follow from the log, and whether they do.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Event, Position, Projection, ReadModel, RecordedEvent};
use cqrs_postgres::PostgresStore;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::common::everything;

#[derive(Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    CoinMined(u64),
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

/// Keeps a row for each event, and sums in another table. Tells of each batch, for whoever wants to kill it there.
pub(crate) struct Rows;

#[async_trait]
impl Projection for Rows {
    const NAME: &'static str = "rows";
    type Event = AccountEvent;
    type Target = PgConnection;

    async fn setup(&self, connection: &mut PgConnection) -> Result<(), BoxError> {
        let schema =
            "CREATE TABLE IF NOT EXISTS rows (position bigint PRIMARY KEY, stream text, nonce bigint);
                      CREATE INDEX IF NOT EXISTS rows_by_stream ON rows (stream);
                      CREATE TABLE IF NOT EXISTS sums (stream text PRIMARY KEY, events bigint)";
        sqlx::raw_sql(schema).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut PgConnection,
    ) -> Result<(), BoxError> {
        let AccountEvent::CoinMined(nonce) = &event.data;
        let (position, stream) = (event.position.as_u64() as i64, event.stream.key().to_owned());
        sqlx::query("INSERT INTO rows VALUES ($1, $2, $3)")
            .bind(position)
            .bind(&stream)
            .bind(*nonce as i64)
            .execute(&mut *connection)
            .await?;
        let count =
            "INSERT INTO sums VALUES ($1, 1) ON CONFLICT (stream) DO UPDATE SET events = sums.events + 1";
        sqlx::query(count).bind(&stream).execute(&mut *connection).await?;
        if position % 50 == 0 {
            println!("at {position}");
        }
        Ok(())
    }
}

/// What is in the tables, and what the log comes to, up to the checkpoint.
pub(crate) async fn check(store: &PostgresStore) -> Position {
    let model = store.read_model();
    let at = model.checkpoint("rows").await.unwrap().map_or(Position::ZERO, |at| at.position);
    let mut wanted = BTreeMap::new();
    for event in everything(store).await.into_iter().filter(|event| event.position <= at) {
        *wanted.entry(event.stream.key().to_owned()).or_insert(0_i64) += 1;
    }
    let wanted: Vec<_> = wanted.into_iter().collect();
    for found in [
        "SELECT stream, events FROM sums ORDER BY stream COLLATE \"C\"",
        "SELECT stream, count(*) FROM rows GROUP BY stream ORDER BY stream COLLATE \"C\"",
    ] {
        let found: Vec<(String, i64)> = sqlx::query_as(found).fetch_all(model.reader()).await.unwrap();
        assert_eq!(found, wanted, "at {at}");
    }
    at
}
