//! How often each book was lent.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, EventFilter, Projection, RecordedEvent};
use sqlx::SqliteConnection;

use crate::BookEvent;

/// Counts in the table `lendings`, a batch of events in one statement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Popularity;

#[async_trait]
impl Projection for Popularity {
    const NAME: &'static str = "popularity";
    type Event = BookEvent;
    type Target = SqliteConnection;

    /// Nothing else counts, so the store need not read it.
    fn filter(&self) -> EventFilter {
        EventFilter::category("book").and_event_types(["Lent"])
    }

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("popularity/schema.sql")).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<BookEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<BookEvent>],
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let mut lendings = BTreeMap::<&str, u32>::new();
        for event in events {
            if let BookEvent::Lent { book, .. } = &event.data {
                *lendings.entry(book).or_default() += 1;
            }
        }
        let lendings = serde_json::to_string(&lendings)?;
        sqlx::query(include_str!("popularity/add.sql")).bind(lendings).execute(connection).await?;
        Ok(())
    }
}
