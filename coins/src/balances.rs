//! What every account has, as a table that queries can ask.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::{AccountEvent, AccountId};

/// Keeps the balance of every account in the table `coins_accounts`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountBalances;

/// What a batch of events changes for one account.
///
/// The sums are exact: a batch has far fewer than 2⁶³ events, and each moves less than 2⁶³ coins.
#[derive(Debug, Default, PartialEq)]
struct Delta {
    mined: i128,
    sent: i128,
    received: i128,
    last_nonce: Option<u64>,
}

/// A [`Delta`] as `upsert.sql` reads it.
#[derive(Serialize)]
struct Row<'a> {
    account_id: &'a AccountId,
    mined: i64,
    sent: i64,
    received: i64,
    // As text: SQLite's integers end at 2⁶³ − 1.
    last_nonce: Option<String>,
}

#[async_trait]
impl Projection for AccountBalances {
    const NAME: &'static str = "account-balances";
    type Event = AccountEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(include_str!("balances/schema.sql")).execute(connection).await?;
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
        let rows = serde_json::to_string(&rows(&fold(events.iter().map(|event| &event.data)))?)?;
        sqlx::query(include_str!("balances/upsert.sql")).bind(rows).execute(connection).await?;
        Ok(())
    }
}

/// Sums up what a batch changes, account by account.
fn fold<'a>(events: impl Iterator<Item = &'a AccountEvent>) -> BTreeMap<&'a AccountId, Delta> {
    let mut deltas: BTreeMap<&AccountId, Delta> = BTreeMap::new();
    for event in events {
        let delta = deltas.entry(event.account_id()).or_default();
        match event {
            AccountEvent::CoinMined { nonce, .. } => {
                delta.mined += 1;
                delta.last_nonce = Some(*nonce);
            }
            AccountEvent::CoinsSent { amount, .. } => delta.sent += i128::from(amount.as_u64()),
            AccountEvent::CoinsReceived { amount, .. } => delta.received += i128::from(amount.as_u64()),
        }
    }
    deltas
}

fn rows<'a>(deltas: &BTreeMap<&'a AccountId, Delta>) -> Result<Vec<Row<'a>>, std::num::TryFromIntError> {
    deltas
        .iter()
        .map(|(account_id, delta)| {
            Ok(Row {
                account_id,
                mined: delta.mined.try_into()?,
                sent: delta.sent.try_into()?,
                received: delta.received.try_into()?,
                last_nonce: delta.last_nonce.map(|nonce| nonce.to_string()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
