//! An account that is older than the program: its first events were written in shapes that no enum has any more.
//!
//! Three ideas, a file each: [`AccountEvent`] reads events of former days, [`Account`] is kept in snapshots, and
//! [`Tellers`] says who may do what.

mod account;
mod cents;
mod command;
mod event;
pub mod past;
mod tellers;

pub use account::Account;
pub use cents::Cents;
pub use command::{Deposit, NotEnough, NotMoved, Open, OpenAlready, Withdraw};
pub use event::AccountEvent;
pub use tellers::{NoTeller, Tellers};
