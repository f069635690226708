//! What enforces the rules.

use cqrs_core::{Aggregate, Handle};

use crate::{BookEvent, LendBook, ReturnBook};

/// A book, and who has it.
#[derive(Debug, Default)]
pub struct Book {
    reader: Option<String>,
}

/// One book, one reader.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{reader} has the book")]
pub struct AlreadyLent {
    pub reader: String,
}

/// What was not lent does not come back.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("nobody has the book")]
pub struct NotLent;

impl Aggregate for Book {
    type Id = String;
    type Event = BookEvent;

    fn apply(&mut self, event: &BookEvent) {
        self.reader = match event {
            BookEvent::Lent { reader, .. } => Some(reader.clone()),
            BookEvent::Returned { .. } => None,
        };
    }
}

impl Handle<LendBook> for Book {
    type Error = AlreadyLent;

    fn handle(&self, command: &LendBook) -> Result<Vec<BookEvent>, AlreadyLent> {
        if let Some(reader) = &self.reader {
            return Err(AlreadyLent { reader: reader.clone() });
        }
        Ok(vec![BookEvent::Lent { book: command.book.clone(), reader: command.reader.clone() }])
    }
}

impl Handle<ReturnBook> for Book {
    type Error = NotLent;

    fn handle(&self, command: &ReturnBook) -> Result<Vec<BookEvent>, NotLent> {
        let reader = self.reader.clone().ok_or(NotLent)?;
        Ok(vec![BookEvent::Returned { book: command.book.clone(), reader }])
    }
}
