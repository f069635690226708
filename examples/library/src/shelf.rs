//! What is on the shelf, who is a member, and who has what: three tables of one projection.

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent, event_set};
use sqlx::SqliteConnection;

use crate::{BookEvent, MemberEvent};

/// For how many days a book is lent.
pub const LENDING_DAYS: u32 = 14;

event_set! {
    /// All that happens in the library.
    #[derive(Debug)]
    #[expect(missing_docs, reason = "the variants say it")]
    pub enum LibraryEvent { Book(BookEvent), Member(MemberEvent) }
}

/// Keeps the tables `books`, `members` and `loans`. They are of one position, so a query that joins them sees the library as
/// it was at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shelf;

#[async_trait]
impl Projection for Shelf {
    const NAME: &'static str = "shelf";
    /// Version 1 had no `due` in `loans`.
    const VERSION: u32 = 2;
    type Event = LibraryEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("shelf/schema.sql")).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<LibraryEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let statement = match &event.data {
            LibraryEvent::Member(MemberEvent::Joined { member, name }) => {
                sqlx::query(include_str!("shelf/joined.sql")).bind(member.clone()).bind(name.clone())
            }
            LibraryEvent::Book(BookEvent::Acquired { book, title, author }) => {
                let acquired = sqlx::query(include_str!("shelf/acquired.sql"));
                acquired.bind(book.clone()).bind(title.clone()).bind(author.clone())
            }
            LibraryEvent::Book(BookEvent::Lent { book, member, day }) => {
                let (lent, due) = (
                    sqlx::query(include_str!("shelf/lent.sql")),
                    i64::from(*day) + i64::from(LENDING_DAYS),
                );
                lent.bind(book.clone()).bind(member.clone()).bind(due)
            }
            LibraryEvent::Book(BookEvent::Returned { book, .. }) => {
                sqlx::query(include_str!("shelf/returned.sql")).bind(book.clone())
            }
        };
        statement.execute(connection).await?;
        Ok(())
    }
}
