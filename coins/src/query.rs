//! Questions about accounts, answered by the table of [`AccountBalances`](crate::AccountBalances), and about what is
//! in the other tables.

mod statement;
mod transfer;

use cqrs_core::StoreError;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::AccountId;

pub use statement::{StatementEntry, StatementLine};
pub use transfer::{TransferQuery, TransferStatus};

/// What an account has, as of the last event that the projection has worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountBalance {
    /// Whose.
    pub account_id: AccountId,
    /// How many coins it has: `mined - sent + received`.
    pub balance: u64,
    /// How many coins it mined, ever.
    pub mined: u64,
    /// How many coins it sent, ever.
    pub sent: u64,
    /// How many coins it received, ever.
    pub received: u64,
    /// The nonce of the coin that it mined last.
    pub last_nonce: Option<u64>,
}

/// Connections that only read, so that a question never waits for a writer.
#[derive(Clone, Debug)]
pub(crate) struct Queries {
    pool: SqlitePool,
}

impl Queries {
    pub(crate) fn on(readers: &SqlitePool) -> Self {
        Self { pool: readers.clone() }
    }

    /// The richest accounts, at most `limit`.
    pub(crate) async fn top(&self, limit: u64) -> Result<Vec<AccountBalance>, StoreError> {
        let rows =
            sqlx::query(include_str!("query/top.sql")).bind(clamp(limit)).fetch_all(&self.pool).await;
        rows.map_err(failed)?.iter().map(read).collect()
    }

    /// One account.
    pub(crate) async fn account(&self, id: &AccountId) -> Result<Option<AccountBalance>, StoreError> {
        let sql = include_str!("query/account.sql");
        let row = sqlx::query(sql).bind(id.as_str()).fetch_optional(&self.pool).await.map_err(failed)?;
        row.as_ref().map(read).transpose()
    }
}

/// A number as SQLite has it: its integers end at 2⁶³ − 1, and nothing is counted beyond.
fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn failed(error: sqlx::Error) -> StoreError {
    StoreError::backend("read the accounts", error)
}

fn read(row: &SqliteRow) -> Result<AccountBalance, StoreError> {
    let id: String = row.try_get("account_id").map_err(failed)?;
    let corrupt = |what: &str| StoreError::Corrupt { what: format!("account {id:?} has {what}") };
    let coins = |column: &str| {
        let coins: i64 = row.try_get(column).map_err(failed)?;
        u64::try_from(coins).map_err(|_| corrupt(&format!("{column} {coins}")))
    };
    let last_nonce: Option<String> = row.try_get("last_nonce").map_err(failed)?;
    Ok(AccountBalance {
        account_id: id.parse().map_err(|_| corrupt("an id that no account can have"))?,
        balance: coins("balance")?,
        mined: coins("mined")?,
        sent: coins("sent")?,
        received: coins("received")?,
        last_nonce: last_nonce
            .map(|nonce| nonce.parse().map_err(|_| corrupt(&format!("last nonce {nonce:?}"))))
            .transpose()?,
    })
}
