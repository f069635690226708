//! Each account's history with its balance at every step, as a table that queries can ask.

use async_trait::async_trait;
use cqrs_core::{BoxError, Position, Projection, RecordedEvent, Version};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::{AccountEvent, AccountId, TransferId};

/// Keeps the statement of every account in the table `coins_statements`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountStatements;

/// A line of a statement, as `append.sql` reads it.
#[derive(Serialize)]
struct Row<'a> {
    account_id: &'a AccountId,
    version: Version,
    position: Position,
    at: i64,
    change: i64,
    // As text: SQLite's integers end at 2⁶³ − 1.
    nonce: Option<String>,
    other: Option<&'a AccountId>,
    transfer_id: Option<TransferId>,
}

impl<'a> Row<'a> {
    fn of(event: &'a RecordedEvent<AccountEvent>) -> Result<Self, std::num::TryFromIntError> {
        let (change, nonce, other, transfer_id) = match &event.data {
            AccountEvent::CoinMined { nonce, .. } => (1, Some(nonce.to_string()), None, None),
            AccountEvent::CoinsSent { to, amount, transfer_id, .. } => {
                (-i64::try_from(amount.as_u64())?, None, Some(to), Some(*transfer_id))
            }
            AccountEvent::CoinsReceived { from, amount, transfer_id, .. } => {
                (amount.as_u64().try_into()?, None, Some(from), Some(*transfer_id))
            }
        };
        Ok(Self {
            account_id: event.data.account_id(),
            version: event.version,
            position: event.position,
            at: event.recorded_at.as_micros(),
            change,
            nonce,
            other,
            transfer_id,
        })
    }
}

#[async_trait]
impl Projection for AccountStatements {
    const NAME: &'static str = "account-statements";
    type Event = AccountEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("statements/schema.sql")).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<AccountEvent>],
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let rows = events.iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
        let rows = serde_json::to_string(&rows)?;
        sqlx::query(include_str!("statements/append.sql")).bind(rows).execute(connection).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
