//! Every transfer, as a table that queries can ask.

use async_trait::async_trait;
use cqrs_core::{BoxError, Position, Projection, RecordedEvent};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::{AccountEvent, AccountId, Amount, TransferId};

/// Keeps every transfer in the table `coins_transfers`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfers;

/// A transfer that begins, as `sent.sql` reads it.
#[derive(Serialize)]
struct Sent<'a> {
    position: Position,
    transfer_id: TransferId,
    from: &'a AccountId,
    to: &'a AccountId,
    amount: Amount,
    at: i64,
}

/// A transfer that ends, as `arrived.sql` reads it.
#[derive(Serialize)]
struct Arrived<'a> {
    transfer_id: TransferId,
    from: &'a AccountId,
    at: i64,
}

#[async_trait]
impl Projection for Transfers {
    const NAME: &'static str = "transfers";
    type Event = AccountEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("transfers/schema.sql")).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    /// What arrives was sent before, so a batch may take all that begins first, and then all that ends.
    async fn project_batch(
        &self,
        events: &[RecordedEvent<AccountEvent>],
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let (mut sent, mut arrived) = (Vec::new(), Vec::new());
        for event in events {
            let at = event.recorded_at.as_micros();
            match &event.data {
                AccountEvent::CoinMined { .. } => {}
                AccountEvent::CoinsSent { account_id: from, to, amount, transfer_id } => {
                    let (position, amount, transfer_id) = (event.position, *amount, *transfer_id);
                    sent.push(Sent { position, transfer_id, from, to, amount, at });
                }
                AccountEvent::CoinsReceived { from, transfer_id, .. } => {
                    arrived.push(Arrived { transfer_id: *transfer_id, from, at });
                }
            }
        }
        if !sent.is_empty() {
            let sent = serde_json::to_string(&sent)?;
            sqlx::query(include_str!("transfers/sent.sql")).bind(sent).execute(&mut *connection).await?;
        }
        if !arrived.is_empty() {
            let arrived = serde_json::to_string(&arrived)?;
            sqlx::query(include_str!("transfers/arrived.sql")).bind(arrived).execute(connection).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
