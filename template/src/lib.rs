//! Books that are lent and come back: a domain to begin with. Replace its words by yours, file by file.

mod book;
mod command;
mod event;
mod loans;

pub use book::{AlreadyLent, Book, NotLent};
pub use command::{LendBook, ReturnBook};
pub use event::BookEvent;
pub use loans::{Loans, LoansProjection};
