//! Who was richest at any moment, answered by the table of [`AccountStatements`](crate::AccountStatements).

use std::time::Duration;

use cqrs_core::{EventFilter, Position, Projection, StoreError, Timestamp};
use serde::Serialize;

use crate::database::sql;
use crate::statements::LONGEST_LEADERBOARD;
use crate::{AccountId, AccountStatements, Coins};

/// How long a question waits for the read model to have seen what it is about: a healthy projection needs
/// milliseconds, and whoever moves a slider wants an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The richest accounts as they were when the log ended at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaderboard {
    /// Where the log ended. It lies below what was asked for where the log, or the read model, does not reach so far.
    pub position: Position,
    /// Where the log ended when the question was asked.
    pub head: Position,
    /// When the last of those events happened; `None` before the first one.
    pub at: Option<Timestamp>,
    /// The accounts, in the order of [`Coins::richest`].
    pub accounts: Vec<Standing>,
}

/// What an account had at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Whose.
    pub account_id: AccountId,
    /// How many coins it had.
    pub balance: u64,
}

impl Coins {
    /// The leaderboard as it was when the log ended at a position, or as it is: the `limit` accounts with most coins, at most
    /// 1,000, in the order of [`Coins::richest`].
    ///
    /// It costs a look at a few thousand rows, however many accounts and events there are.
    ///
    /// ```
    /// use coins::Coins;
    /// use cqrs_core::Position;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// let (me, you) = ("me".parse()?, "you".parse()?);
    /// coins.mine_coin(&me, 190).await?;
    /// coins.send_coins(&me, &you, "1".parse()?).await?;
    ///
    /// let now = coins.leaderboard(None, 10).await?;
    /// assert_eq!((&now.accounts[0].account_id, now.position), (&you, Position::new(3)));
    /// let then = coins.leaderboard(Some(Position::new(1)), 10).await?;
    /// assert_eq!(&then.accounts[0].account_id, &me);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn leaderboard(&self, at: Option<Position>, limit: u64) -> Result<Leaderboard, StoreError> {
        let head = self.head().await?;
        let position = self.known_to_statements(at.unwrap_or(head).min(head)).await;
        let arguments = [position.as_u64().into(), limit.min(LONGEST_LEADERBOARD).into()];
        let rows = self.reader().fetch("read the leaderboard", sql!("leaderboard"), arguments).await?;
        let standing = |row: &crate::database::Row| {
            Ok(Standing { account_id: row.parsed("account_id")?, balance: row.number("balance")? })
        };
        let accounts = rows.iter().map(standing).collect::<Result<_, StoreError>>()?;
        Ok(Leaderboard { position, head, at: self.time_of(position).await?, accounts })
    }

    /// As far as a position as the statements have come, when they are given a moment for it.
    async fn known_to_statements(&self, position: Position) -> Position {
        let Some(mut status) = self.app().watch_status(<AccountStatements>::NAME) else {
            return Position::ZERO;
        };
        let there = status.wait_for(|status| status.position >= position || status.state.is_stopped());
        let _ = tokio::time::timeout(PATIENCE, there).await;
        status.borrow().position.min(position)
    }

    /// When the event at a position happened.
    async fn time_of(&self, position: Position) -> Result<Option<Timestamp>, StoreError> {
        let Some(before) = position.as_u64().checked_sub(1).map(Position::new) else { return Ok(None) };
        let page = self.app().store().read_log(before, &EventFilter::all(), 1).await?;
        Ok(page.events.first().map(|event| event.recorded_at))
    }
}
