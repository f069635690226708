//! A library whose questions are answered by SQL: which books are overdue, and who has them; what is read most.
//!
//! Two aggregates decide, [`Book`] and [`Member`]. Two projections write tables into one file, with plain `sqlx`:
//! [`Shelf`] has three tables from the events of both aggregates, and [`Popularity`] counts. [`Queries`] joins them.
//!
//! - Tables that must agree with each other belong to one projection: a loan and its book are of one position.
//! - Tables of two projections may be joined as well. One may be a moment behind the other, and the query has to live
//!   with that: see `queries/popular.sql`.
//! - Tables change by a new [`VERSION`](cqrs_core::Projection::VERSION), and not by a migration: they are made anew from the
//!   events, beside the old ones, which answer until then. `tests/new_version.rs` plays a release.

mod book;
mod member;
mod popularity;
mod queries;
mod shelf;

pub use book::{AcquireBook, AcquiredBefore, Book, BookEvent, LendBook, NotLendable, NotLent, ReturnBook};
pub use member::{Join, JoinedBefore, Member, MemberEvent};
pub use popularity::Popularity;
pub use queries::{Overdue, Popular, Queries};
pub use shelf::{LENDING_DAYS, LibraryEvent, Shelf};
