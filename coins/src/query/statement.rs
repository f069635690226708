//! Questions about statements, answered by the table of [`AccountStatements`](crate::AccountStatements).

use cqrs_core::{Position, StoreError, Timestamp, Version};
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Queries, clamp};
use crate::{AccountId, TransferId};

/// A line of an account's statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatementLine {
    /// Of the account's event.
    pub version: Version,
    /// Of the event in the log.
    pub position: Position,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub entry: StatementEntry,
    /// What came in; below zero what went out.
    pub change: i64,
    /// What the account had afterwards.
    pub balance: u64,
}

/// What a line of a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StatementEntry {
    /// A coin was mined.
    Mined {
        /// What proved the work.
        nonce: u64,
    },
    /// Coins were sent.
    Sent {
        /// Who is to receive them.
        to: AccountId,
        /// Which of the account's transfers.
        transfer_id: TransferId,
    },
    /// Coins arrived.
    Received {
        /// Who sent them.
        from: AccountId,
        /// Which of the sender's transfers.
        transfer_id: TransferId,
    },
}

impl Queries {
    pub(crate) async fn statement(
        &self,
        account: &AccountId,
        before: Option<Version>,
        limit: u64,
    ) -> Result<Vec<StatementLine>, StoreError> {
        let rows = sqlx::query(include_str!("statement.sql"))
            .bind(account.as_str())
            .bind(before.map_or(i64::MAX, |version| clamp(version.as_u64())))
            .bind(clamp(limit))
            .fetch_all(&self.pool)
            .await;
        rows.map_err(failed)?.iter().map(|row| read(account, row)).collect()
    }
}

fn failed(error: sqlx::Error) -> StoreError {
    StoreError::backend("read a statement", error)
}

fn read(account: &AccountId, row: &SqliteRow) -> Result<StatementLine, StoreError> {
    let corrupt =
        |what: &str| StoreError::Corrupt { what: format!("the statement of {account:?} has {what}") };
    let number = |column: &str| {
        let number: i64 = row.try_get(column).map_err(failed)?;
        u64::try_from(number).map_err(|_| corrupt(&format!("{column} {number}")))
    };
    let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(failed);
    let change: i64 = row.try_get("change").map_err(failed)?;
    let entry = match (text("nonce")?, text("other")?, text("transfer_id")?) {
        (Some(nonce), None, None) => StatementEntry::Mined {
            nonce: nonce.parse().map_err(|_| corrupt(&format!("nonce {nonce:?}")))?,
        },
        (None, Some(other), Some(id)) => {
            let other = other.parse().map_err(|_| corrupt("an account id that is none"))?;
            let transfer_id = id.parse().map_err(|_| corrupt(&format!("transfer {id:?}")))?;
            match change < 0 {
                true => StatementEntry::Sent { to: other, transfer_id },
                false => StatementEntry::Received { from: other, transfer_id },
            }
        }
        _ => return Err(corrupt("a line that is neither mined, sent nor received")),
    };
    Ok(StatementLine {
        version: Version::new(number("version")?),
        position: Position::new(number("position")?),
        at: Timestamp::from_micros(row.try_get("at").map_err(failed)?),
        entry,
        change,
        balance: number("balance")?,
    })
}
