//! The rules, and what queries see.

use std::collections::BTreeMap;

use cqrs_core::App;
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{ProjectionScenario, Scenario, TestApp};
use serde_json::json;
use {{crate_name}}::{AlreadyLent, Book, BookEvent, LendBook, Loans, LoansProjection, NotLent, ReturnBook};

fn lend(reader: &str) -> LendBook {
    LendBook { book: "Emma".to_owned(), reader: reader.to_owned() }
}

fn give_back() -> ReturnBook {
    ReturnBook { book: "Emma".to_owned() }
}

fn lent(reader: &str) -> BookEvent {
    BookEvent::Lent { book: "Emma".to_owned(), reader: reader.to_owned() }
}

fn returned(reader: &str) -> BookEvent {
    BookEvent::Returned { book: "Emma".to_owned(), reader: reader.to_owned() }
}

#[test]
fn a_book_is_lent_to_one_reader_at_a_time() {
    Scenario::<Book>::given([lent("zoë")])
        .when(lend("tom"))
        .then_err(AlreadyLent { reader: "zoë".to_owned() })
        .when(give_back())
        .then([returned("zoë")])
        .when(lend("tom"))
        .then([lent("tom")]);
}

#[test]
fn what_was_not_lent_does_not_come_back() {
    Scenario::<Book>::given([lent("zoë"), returned("zoë")]).when(give_back()).then_err(NotLent);
}

#[tokio::test]
async fn the_loans_are_what_has_not_come_back() {
    ProjectionScenario::new(LoansProjection)
        .given([lent("zoë"), returned("zoë"), lent("tom")])
        .then_target(Loans(BTreeMap::from([("Emma".to_owned(), "tom".to_owned())])))
        .await;
}

#[tokio::test]
async fn the_application_stores_what_was_decided() {
    let builder = App::builder(MemoryStore::new()).projection(LoansProjection, InMemory::<Loans>::default());
    let app = TestApp::start(builder).await;
    app.dispatch(lend("zoë")).await.expect("nobody has it");
    app.dispatch(lend("tom")).await.expect_err("zoë has it");
    app.settled().await;
    assert_eq!(app.stream("book-Emma").await, [("Lent", json!({ "book": "Emma", "reader": "zoë" }))]);
}
