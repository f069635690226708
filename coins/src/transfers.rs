//! Every transfer, as a table that queries can ask.

use cqrs_core::{BoxError, Position, RecordedEvent};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::database::{Sql, sql};
use crate::table::{Change, Keeps, Table};
use crate::{AccountEvent, AccountId, Amount, TransferId};

/// Keeps every transfer in the table `coins_transfers`.
pub type Transfers<C = SqliteConnection> = Keeps<AllTransfers, C>;

/// The table `coins_transfers`: every transfer, with what became of it.
#[derive(Clone, Copy, Debug)]
pub enum AllTransfers {}

/// A transfer that begins, as `sent` reads it.
#[derive(Serialize)]
struct Sent<'a> {
    position: Position,
    transfer_id: TransferId,
    from: &'a AccountId,
    to: &'a AccountId,
    amount: Amount,
    at: i64,
}

/// A transfer that ends, as `arrived` reads it.
#[derive(Serialize)]
struct Arrived<'a> {
    transfer_id: TransferId,
    from: &'a AccountId,
    at: i64,
}

impl Table for AllTransfers {
    const NAME: &'static str = "transfers";
    const VERSION: u32 = 1;
    const SCHEMA: Sql = sql!("transfers/schema");

    /// What arrives was sent before, so a batch may take all that begins first, and then all that ends.
    fn changes(events: &[RecordedEvent<AccountEvent>]) -> Result<Vec<Change>, BoxError> {
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
        let sent = Change::of(sql!("transfers/sent"), &sent)?;
        let arrived = Change::of(sql!("transfers/arrived"), &arrived)?;
        Ok(sent.into_iter().chain(arrived).collect())
    }
}

#[cfg(test)]
mod tests;
