//! A few weeks in a library, and what its tables say. `cargo run -p library`

use cqrs_core::{App, BoxError};
use cqrs_sqlite::SqliteStore;
use library::{AcquireBook, Join, LendBook, Popularity, Queries, ReturnBook, Shelf};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::open(directory.path().join("library.db")).await?;
    let app = App::builder(store.clone())
        .projection(Shelf, store.read_model())
        .projection(Popularity, store.read_model())
        .start()
        .await?;

    for (book, title, author) in
        [("1", "Emma", "Austen"), ("2", "Persuasion", "Austen"), ("3", "Walden", "Thoreau")]
    {
        let (book, title, author) = (book.to_owned(), title.to_owned(), author.to_owned());
        app.dispatch(AcquireBook { book, title, author }).await?;
    }
    app.dispatch(Join { member: "z".to_owned(), name: "Zoë".to_owned() }).await?;
    let lend = |book: &str, day| LendBook { book: book.to_owned(), member: "z".to_owned(), day };
    app.dispatch(lend("1", 1)).await?;
    app.dispatch(ReturnBook { book: "1".to_owned(), day: 5 }).await?;
    app.dispatch(lend("1", 6)).await?;
    app.dispatch(lend("3", 4)).strong().await?;

    let queries = Queries::new(store.read_model());
    println!("overdue on day 25:");
    for overdue in queries.overdue(25).await? {
        println!("  {}: {} has had it for {} days too long", overdue.title, overdue.reader, overdue.days);
    }
    println!("lent most:");
    for book in queries.popular(10).await? {
        let place = if book.here { "on the shelf" } else { "lent" };
        println!("  {} of {}: {} times, {place}", book.title, book.author, book.times);
    }
    app.shutdown().await;
    Ok(())
}
