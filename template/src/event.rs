//! What can happen.

use cqrs_core::Event;
use serde::{Deserialize, Serialize};

/// A fact about a book. What is stored are the names of variants and fields; `tests/stored.rs` freezes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BookEvent {
    Lent { book: String, reader: String },
    Returned { book: String, reader: String },
}

impl Event for BookEvent {
    const CATEGORY: &'static str = "book";
}
