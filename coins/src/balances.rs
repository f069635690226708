//! What every account has, as a table that queries can ask.

use std::collections::BTreeMap;

use cqrs_core::{BoxError, RecordedEvent};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::database::{Sql, sql};
use crate::table::{Change, Keeps, Table};
use crate::{AccountEvent, AccountId};

/// Keeps the balance of every account in the table `coins_accounts`.
pub type AccountBalances<C = SqliteConnection> = Keeps<Balances, C>;

/// The table `coins_accounts`: what every account has.
#[derive(Clone, Copy, Debug)]
pub enum Balances {}

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

/// A [`Delta`] as `upsert` reads it.
#[derive(Serialize)]
struct Row<'a> {
    account_id: &'a AccountId,
    mined: i64,
    sent: i64,
    received: i64,
    // As text: integers of databases end at 2⁶³ − 1.
    last_nonce: Option<String>,
}

impl Table for Balances {
    const NAME: &'static str = "account-balances";
    const VERSION: u32 = 1;
    const SCHEMA: Sql = sql!("balances/schema");

    fn changes(events: &[RecordedEvent<AccountEvent>]) -> Result<Vec<Change>, BoxError> {
        let rows = rows(&fold(events.iter().map(|event| &event.data)))?;
        Ok(Change::of(sql!("balances/upsert"), &rows)?.into_iter().collect())
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
