//! What can be asked for.

use cqrs_core::Command;
use serde::{Deserialize, Serialize};

use crate::Book;

/// Gives a book to a reader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LendBook {
    pub book: String,
    pub reader: String,
}

/// Takes a book back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReturnBook {
    pub book: String,
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
