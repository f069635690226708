//! What was stored once can be read for ever. After a change that is meant: `UPDATE_SHAPES=1 cargo test`

use cqrs_testing::PersistedShapes;
use {{crate_name}}::{BookEvent, LendBook, ReturnBook};

#[test]
fn what_was_stored_can_be_read() {
    let (book, reader) = ("Emma".to_owned(), "zoë".to_owned());
    PersistedShapes::in_file("tests/shapes.json")
        .event(&BookEvent::Lent { book: book.clone(), reader: reader.clone() })
        .event(&BookEvent::Returned { book: book.clone(), reader: reader.clone() })
        .command(&LendBook { book: book.clone(), reader })
        .command(&ReturnBook { book })
        .name("projection", "loans")
        .check();
}
