//! Questions about transfers, answered by the table of [`Transfers`](crate::Transfers).

use std::time::Duration;

use cqrs_core::{Position, StoreError, Timestamp};
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Queries, clamp};
use crate::{AccountId, Amount, TransferId};

/// A transfer, as of the last event that the projection has worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransferStatus {
    /// Of the event that the coins were sent; where the next page begins.
    pub position: Position,
    /// Which of the sender's transfers.
    pub transfer_id: TransferId,
    /// Who sent.
    pub from: AccountId,
    /// Who is to receive.
    pub to: AccountId,
    /// How many coins.
    pub amount: Amount,
    /// When they were sent.
    pub sent_at: Timestamp,
    /// When they arrived; `None` while they are under way.
    pub arrived_at: Option<Timestamp>,
}

impl TransferStatus {
    /// How long the coins were under way; `None` while they are.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.arrived_at?.since(self.sent_at))
    }
}

/// Which transfers are asked for. [`TransferQuery::default`] is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferQuery {
    /// Only those from or to this account.
    pub account: Option<AccountId>,
    /// Only those that have not arrived.
    pub under_way: bool,
    /// Only those that were sent before the one with this position; the next page after one that ends there.
    pub before: Option<Position>,
}

impl Queries {
    pub(crate) async fn transfers(
        &self,
        query: &TransferQuery,
        limit: u64,
    ) -> Result<Vec<TransferStatus>, StoreError> {
        let before = query.before.map_or(i64::MAX, |position| clamp(position.as_u64()));
        let rows = sqlx::query(include_str!("transfers.sql"))
            .bind(query.account.as_ref().map(AccountId::as_str))
            .bind(before)
            .bind(query.under_way)
            .bind(clamp(limit))
            .fetch_all(&self.pool)
            .await;
        rows.map_err(failed)?.iter().map(read).collect()
    }

    pub(crate) async fn transfer(&self, id: TransferId) -> Result<Vec<TransferStatus>, StoreError> {
        let statement = sqlx::query(include_str!("transfer.sql")).bind(id.to_string());
        statement.fetch_all(&self.pool).await.map_err(failed)?.iter().map(read).collect()
    }
}

fn failed(error: sqlx::Error) -> StoreError {
    StoreError::backend("read the transfers", error)
}

fn read(row: &SqliteRow) -> Result<TransferStatus, StoreError> {
    let id: String = row.try_get("transfer_id").map_err(failed)?;
    let corrupt = |what: &str| StoreError::Corrupt { what: format!("transfer {id} has {what}") };
    let account = |column: &str| {
        let account: String = row.try_get(column).map_err(failed)?;
        account.parse().map_err(|_| corrupt(&format!("a {column} that is no account id")))
    };
    let number = |column: &str| {
        let number: i64 = row.try_get(column).map_err(failed)?;
        u64::try_from(number).map_err(|_| corrupt(&format!("{column} {number}")))
    };
    let arrived_at: Option<i64> = row.try_get("arrived_at").map_err(failed)?;
    Ok(TransferStatus {
        position: Position::new(number("position")?),
        transfer_id: id.parse().map_err(|_| corrupt("an id that is none"))?,
        from: account("sender")?,
        to: account("receiver")?,
        amount: number("amount")?.try_into().map_err(|_| corrupt("an amount that is none"))?,
        sent_at: Timestamp::from_micros(row.try_get("sent_at").map_err(failed)?),
        arrived_at: arrived_at.map(Timestamp::from_micros),
    })
}
