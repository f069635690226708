use cqrs_core::{App, BoxError};
use cqrs_memory::InMemory;
use cqrs_sqlite::SqliteStore;
use {{crate_name}}::{LendBook, Loans, LoansProjection, ReturnBook};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let loans = InMemory::<Loans>::default();
    let app = App::builder(SqliteStore::open("{{project-name}}.db").await?)
        .projection(LoansProjection, loans.clone())
        .start()
        .await?;

    let book = || "Emma".to_owned();
    app.dispatch(LendBook { book: book(), reader: "zoë".to_owned() }).strong().await?;
    println!("lent: {:?}", loans.read(|loans| loans.0.clone()).await);
    if let Err(refused) = app.dispatch(LendBook { book: book(), reader: "tom".to_owned() }).await {
        println!("refused: {refused}");
    }
    app.dispatch(ReturnBook { book: book() }).strong().await?;
    println!("lent: {:?}", loans.read(|loans| loans.0.clone()).await);
    app.shutdown().await;
    Ok(())
}
