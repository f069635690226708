//! Questions, and the answers that read models have for them.

mod accounts;
mod leaderboard;
mod statement;
mod transfers;

pub use accounts::{AccountBalance, AccountCursor, AccountPage, InvalidCursor};
pub use leaderboard::{Leaderboard, Standing};
pub use statement::{StatementEntry, StatementLine};
pub use transfers::{TransferQuery, TransferStatus};

#[cfg(test)]
mod tests;
