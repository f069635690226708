//! Questions about statements, answered by the table of [`AccountStatements`](crate::AccountStatements).

use cqrs_core::{Position, StoreError, Timestamp, Version};
use serde::Serialize;

use crate::database::{Argument, Row, corrupt, sql};
use crate::{AccountId, Coins, TransferId};

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

impl Coins {
    /// An account's history with its balance at every step, the newest line first: at most `limit` lines, before a
    /// version when one is given.
    ///
    /// ```
    /// use coins::{Coins, StatementEntry};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// # let (me, you) = ("me".parse()?, "you".parse()?);
    /// # coins.mine_coin(&me, 190).await?;
    /// # coins.send_coins(&me, &you, "1".parse()?).await?;
    /// let lines = coins.statement(&me, None, 10).await?;
    /// assert_eq!((lines[0].change, lines[0].balance), (-1, 0));
    /// assert_eq!((&lines[1].entry, lines[1].balance), (&StatementEntry::Mined { nonce: 190 }, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn statement(
        &self,
        account: &AccountId,
        before: Option<Version>,
        limit: u64,
    ) -> Result<Vec<StatementLine>, StoreError> {
        let before = before.map_or(u64::MAX, Version::as_u64);
        let arguments: [Argument; 3] = [account.into(), before.into(), limit.into()];
        let rows = self.reader().fetch("read a statement", sql!("statement"), arguments).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<StatementLine, StoreError> {
    let signed = |column| row.integer(column)?.ok_or_else(|| corrupt(column, &"nothing"));
    let change = signed("change")?;
    let entry = match (row.parsed_if("nonce")?, row.parsed_if("other")?, row.parsed_if("transfer_id")?) {
        (Some(nonce), None, None) => StatementEntry::Mined { nonce },
        (None, Some(to), Some(transfer_id)) if change < 0 => StatementEntry::Sent { to, transfer_id },
        (None, Some(from), Some(transfer_id)) => StatementEntry::Received { from, transfer_id },
        _ => return Err(corrupt("a line", &"neither what was mined, nor sent, nor received")),
    };
    Ok(StatementLine {
        version: Version::new(row.number("version")?),
        position: Position::new(row.number("position")?),
        at: Timestamp::from_micros(signed("at")?),
        entry,
        change,
        balance: row.number("balance")?,
    })
}
