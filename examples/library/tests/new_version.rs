//! A release that changes the tables: they are made anew from the events, and answer all the time.

use async_trait::async_trait;
use cqrs_core::{App, BoxError, Projection, RecordedEvent, StartError};
use cqrs_sqlite::SqliteStore;
use library::{AcquireBook, BookEvent, LendBook, LibraryEvent, Overdue, Queries, Shelf};
use sqlx::SqliteConnection;

/// The shelf of former days. It did not know when a book is due.
struct ShelfOfVersion1;

#[async_trait]
impl Projection for ShelfOfVersion1 {
    const NAME: &'static str = Shelf::NAME;
    type Event = LibraryEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        let loans = "CREATE TABLE IF NOT EXISTS loans (book TEXT PRIMARY KEY, member TEXT) STRICT";
        sqlx::query(loans).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<LibraryEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        if let LibraryEvent::Book(BookEvent::Lent { book, member, .. }) = &event.data {
            let lent = sqlx::query("INSERT INTO loans VALUES (?, ?)");
            lent.bind(book.clone()).bind(member.clone()).execute(connection).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_new_version_makes_its_tables_from_the_events_of_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path().join("library.db")).await.expect("a new file");
    let before = App::builder(store.clone()).projection(ShelfOfVersion1, store.read_model());
    let before = before.start().await.expect("a new file");
    let (book, title, author) = ("1".to_owned(), "Emma".to_owned(), "Austen".to_owned());
    before.dispatch(AcquireBook { book: book.clone(), title, author }).await.expect("it is new");
    before.dispatch(LendBook { book, member: "z".to_owned(), day: 1 }).strong().await.expect("it is there");
    before.shutdown().await;

    let store = SqliteStore::open(directory.path().join("library.db")).await.expect("the same file");
    let after = App::builder(store.clone()).projection(Shelf, store.read_model());
    let after = after.start().await.expect("the old tables are not in the way");
    after.settle().await.expect("the store is there");
    let overdue = Queries::new(store.read_model()).overdue(20).await.expect("it is read");
    assert_eq!(overdue, [Overdue { title: "Emma".to_owned(), reader: "z".to_owned(), days: 5 }]);

    // Whoever starts the old release by mistake is told.
    let back = App::builder(store.clone()).projection(ShelfOfVersion1, store.read_model()).start().await;
    assert!(
        matches!(back, Err(StartError::Newer { projection: "shelf", stored: 2, known: 1 })),
        "{back:?}"
    );
    after.shutdown().await;
}
