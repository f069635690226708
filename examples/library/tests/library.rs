//! The rules, and what the tables say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use cqrs_core::App;
use cqrs_sqlite::{SqliteReadModel, SqliteStore};
use cqrs_testing::{ProjectionScenario, Scenario};
use library::{
    AcquireBook, Book, BookEvent, Join, LendBook, NotLendable, NotLent, Overdue, Popular, Popularity,
    Queries, ReturnBook, Shelf,
};

fn acquire(book: &str, title: &str) -> AcquireBook {
    AcquireBook { book: book.to_owned(), title: title.to_owned(), author: "Austen".to_owned() }
}

fn lend(book: &str, member: &str, day: u32) -> LendBook {
    LendBook { book: book.to_owned(), member: member.to_owned(), day }
}

fn give_back(book: &str, day: u32) -> ReturnBook {
    ReturnBook { book: book.to_owned(), day }
}

fn lent(book: &str, member: &str, day: u32) -> BookEvent {
    BookEvent::Lent { book: book.to_owned(), member: member.to_owned(), day }
}

fn popular(title: &str, times: u32, here: bool) -> Popular {
    Popular { title: title.to_owned(), author: "Austen".to_owned(), times, here }
}

#[test]
fn a_book_that_is_there_is_lent_to_one_member_at_a_time() {
    let (book, title, author) = ("1".to_owned(), "Emma".to_owned(), "Austen".to_owned());
    Scenario::<Book>::given([])
        .when(lend("1", "z", 1))
        .then_err(NotLendable::NotHere)
        .when(acquire("1", "Emma"))
        .then([BookEvent::Acquired { book, title, author }])
        .when(give_back("1", 1))
        .then_err(NotLent)
        .when(lend("1", "z", 1))
        .then([lent("1", "z", 1)])
        .when(lend("1", "t", 2))
        .then_err(NotLendable::Lent { reader: "z".to_owned() });
}

#[tokio::test]
async fn a_query_joins_the_events_of_books_and_members() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path().join("library.db")).await.expect("a new file");
    let app = App::builder(store.clone())
        .projection(Shelf, store.read_model())
        .projection(Popularity, store.read_model())
        .start()
        .await
        .expect("a new file");
    for (book, title) in [("1", "Emma"), ("2", "Persuasion")] {
        app.dispatch(acquire(book, title)).await.expect("it is new");
    }
    app.dispatch(lend("1", "z", 1)).await.expect("it is there");
    app.dispatch(lend("2", "z", 3)).await.expect("it is there");
    app.dispatch(give_back("2", 4)).strong().await.expect("it was lent");

    let queries = Queries::new(store.read_model());
    assert_eq!(queries.overdue(15).await.expect("it is read"), [], "the fifteenth day is the last one");
    let overdue = |reader: &str| Overdue { title: "Emma".to_owned(), reader: reader.to_owned(), days: 1 };
    assert_eq!(queries.overdue(16).await.expect("it is read"), [overdue("z")]);
    // The name comes late, and is there from then on.
    app.dispatch(Join { member: "z".to_owned(), name: "Zoë".to_owned() })
        .strong()
        .await
        .expect("it is new");
    assert_eq!(queries.overdue(16).await.expect("it is read"), [overdue("Zoë")]);
    let all = queries.popular(10).await.expect("it is read");
    assert_eq!(all, [popular("Emma", 1, false), popular("Persuasion", 1, true)]);
    app.shutdown().await;
}

#[tokio::test]
async fn a_batch_in_one_statement_counts_like_one_event_after_the_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = AtomicU32::new(0);
    let fresh = async || {
        let file = directory.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        SqliteReadModel::open(file).await.expect("a new file")
    };
    let rows = async |model: &SqliteReadModel| -> BTreeMap<String, i64> {
        let all = sqlx::query_as("SELECT book, times FROM lendings").fetch_all(model.reader()).await;
        all.expect("it is read").into_iter().collect()
    };
    ProjectionScenario::new(Popularity)
        .given([lent("1", "z", 1), lent("2", "z", 1), lent("1", "t", 9), lent("1", "z", 12)])
        .on(fresh, rows)
        .then(BTreeMap::from([("1".to_owned(), 3), ("2".to_owned(), 1)]))
        .await;
}
