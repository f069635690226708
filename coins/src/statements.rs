//! Each account's history with its balance at every step, as a table that queries can ask.

use std::collections::BTreeSet;

use cqrs_core::{BoxError, Position, RecordedEvent, Version};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::database::{Sql, sql};
use crate::table::{Change, Keeps, Table};
use crate::{AccountEvent, AccountId, TransferId};

/// Keeps the statement of every account in the table `coins_statements`.
pub type AccountStatements<C = SqliteConnection> = Keeps<Statements, C>;

/// The table `coins_statements`: each account's history, with what it had at every step.
#[derive(Clone, Copy, Debug)]
pub enum Statements {}

/// The longest leaderboard of the past.
pub(crate) const LONGEST_LEADERBOARD: u64 = 1_000;

/// How often it is kept who is richest, in positions of the log. A leaderboard costs as much as what has happened since the
/// last time, so that more often makes it faster, and the table larger.
const EVERY: u64 = 4_000;

/// How many events are written at once. It is kept who is richest between two such writes, and so at most so many events later
/// than wanted.
const AT_ONCE: usize = 1_000;

/// How many accounts are kept then: whatever happens until the next time happens to fewer than `EVERY + AT_ONCE` of them, and
/// the richest of the others are as many as a leaderboard shows.
const MOST: u64 = LONGEST_LEADERBOARD + EVERY + AT_ONCE as u64;

/// Where the log is, as `top` reads it.
#[derive(Serialize)]
struct Top {
    position: Position,
    every: u64,
    most: u64,
}

/// A line of a statement, as `append` reads it.
#[derive(Serialize)]
struct Row<'a> {
    account_id: &'a AccountId,
    version: Version,
    position: Position,
    at: i64,
    change: i64,
    // As text: integers of databases end at 2⁶³ − 1.
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

impl Table for Statements {
    const NAME: &'static str = "account-statements";
    // 2: indexes for the leaderboard of any position. 3: who was richest at some of them.
    const VERSION: u32 = 3;
    const SCHEMA: Sql = sql!("statements/schema");

    fn changes(events: &[RecordedEvent<AccountEvent>]) -> Result<Vec<Change>, BoxError> {
        let mut changes = Vec::new();
        for events in events.chunks(AT_ONCE) {
            changes.extend(written_at_once(events, EVERY, MOST)?);
        }
        Ok(changes)
    }
}

/// Lines of statements, and what follows from them.
fn written_at_once(
    events: &[RecordedEvent<AccountEvent>],
    every: u64,
    most: u64,
) -> Result<impl Iterator<Item = Change>, BoxError> {
    let rows = events.iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
    let accounts: BTreeSet<_> = rows.iter().map(|row| row.account_id).collect();
    let accounts: Vec<_> = accounts.into_iter().collect();
    let top: Vec<_> =
        rows.last().map(|row| Top { position: row.position, every, most }).into_iter().collect();
    let changes = [
        Change::of(sql!("statements/append"), &rows)?,
        Change::of(sql!("statements/standings"), &accounts)?,
        Change::of(sql!("statements/top"), &top)?,
    ];
    Ok(changes.into_iter().flatten())
}

#[cfg(test)]
mod tests;
