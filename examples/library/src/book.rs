//! A book, and who has it.

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

/// What can happen to a book. Days are counted from any day that the library likes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum BookEvent {
    Acquired { book: String, title: String, author: String },
    Lent { book: String, member: String, day: u32 },
    Returned { book: String, member: String, day: u32 },
}

impl Event for BookEvent {
    const CATEGORY: &'static str = "book";
}

/// A book that the library has, or does not have.
#[derive(Debug, Default)]
pub struct Book {
    acquired: bool,
    reader: Option<String>,
}

impl Aggregate for Book {
    type Id = String;
    type Event = BookEvent;

    fn apply(&mut self, event: &BookEvent) {
        match event {
            BookEvent::Acquired { .. } => self.acquired = true,
            BookEvent::Lent { member, .. } => self.reader = Some(member.clone()),
            BookEvent::Returned { .. } => self.reader = None,
        }
    }
}

/// Puts a book on the shelf.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct AcquireBook {
    pub book: String,
    pub title: String,
    pub author: String,
}

/// Gives a book to a member. The day is a field: an aggregate has no calendar.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct LendBook {
    pub book: String,
    pub member: String,
    pub day: u32,
}

/// Takes a book back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ReturnBook {
    pub book: String,
    pub day: u32,
}

/// One id, one book.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the library has this book already")]
pub struct AcquiredBefore;

/// Why a book is not lent.
#[derive(Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum NotLendable {
    #[error("the library does not have this book")]
    NotHere,
    #[error("{reader} has the book")]
    Lent { reader: String },
}

/// What was not lent does not come back.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("nobody has the book")]
pub struct NotLent;

impl Command for AcquireBook {
    const NAME: &'static str = "AcquireBook";
    type Aggregate = Book;

    fn aggregate_id(&self) -> &String {
        &self.book
    }
}

impl Command for LendBook {
    const NAME: &'static str = "LendBook";
    type Aggregate = Book;

    fn aggregate_id(&self) -> &String {
        &self.book
    }
}

impl Command for ReturnBook {
    const NAME: &'static str = "ReturnBook";
    type Aggregate = Book;

    fn aggregate_id(&self) -> &String {
        &self.book
    }
}

impl Handle<AcquireBook> for Book {
    type Error = AcquiredBefore;

    fn handle(&self, command: &AcquireBook) -> Result<Vec<BookEvent>, AcquiredBefore> {
        if self.acquired {
            return Err(AcquiredBefore);
        }
        let AcquireBook { book, title, author } = command.clone();
        Ok(vec![BookEvent::Acquired { book, title, author }])
    }
}

impl Handle<LendBook> for Book {
    type Error = NotLendable;

    fn handle(&self, command: &LendBook) -> Result<Vec<BookEvent>, NotLendable> {
        if !self.acquired {
            return Err(NotLendable::NotHere);
        }
        if let Some(reader) = &self.reader {
            return Err(NotLendable::Lent { reader: reader.clone() });
        }
        let LendBook { book, member, day } = command.clone();
        Ok(vec![BookEvent::Lent { book, member, day }])
    }
}

impl Handle<ReturnBook> for Book {
    type Error = NotLent;

    fn handle(&self, command: &ReturnBook) -> Result<Vec<BookEvent>, NotLent> {
        let member = self.reader.clone().ok_or(NotLent)?;
        Ok(vec![BookEvent::Returned { book: command.book.clone(), member, day: command.day }])
    }
}
