//! Questions about transfers, answered by the table of [`Transfers`](crate::Transfers).

use std::time::Duration;

use cqrs_core::{Position, Projection, StoreError, Timestamp};
use futures::stream::{self, Stream};
use serde::Serialize;

use crate::database::{Argument, Reader, Row, corrupt, sql};
use crate::{AccountId, Amount, Coins, TransferId, Transfers};

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
///
/// ```
/// use coins::{Coins, TransferQuery};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let coins = Coins::open(directory.path().join("coins.db")).await?;
///
/// # let (me, you) = ("me".parse()?, "you".parse()?);
/// # coins.mine_coin(&me, 190).await?;
/// # coins.send_coins(&me, &you, "1".parse()?).await?;
/// let under_way = TransferQuery { under_way: true, ..TransferQuery::default() };
/// assert!(coins.transfers(&under_way, 10).await?.is_empty());
/// let mine = TransferQuery { account: Some("me".parse()?), ..TransferQuery::default() };
/// assert_eq!(coins.transfers(&mine, 10).await?[0].to.as_str(), "you");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferQuery {
    /// Only those from or to this account.
    pub account: Option<AccountId>,
    /// Only those that have not arrived.
    pub under_way: bool,
    /// Only those that were sent before the one with this position; the next page after one that ends there.
    pub before: Option<Position>,
}

impl Coins {
    /// Transfers, the newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn transfers(
        &self,
        query: &TransferQuery,
        limit: u64,
    ) -> Result<Vec<TransferStatus>, StoreError> {
        transfers(self.reader(), query, limit).await
    }

    /// Transfers as [`Coins::transfers`] tells them, again whenever that answer changes, whoever changes it, until the
    /// application ends. The stream ends after its first error.
    pub fn watch_transfers(
        &self,
        query: TransferQuery,
        limit: u64,
    ) -> impl Stream<Item = Result<Vec<TransferStatus>, StoreError>> + Send + use<> {
        let (reader, status) = (self.reader().clone(), self.app().watch_status(<Transfers>::NAME));
        stream::try_unfold((status, None), move |(status, told)| {
            let (reader, query) = (reader.clone(), query.clone());
            async move {
                let Some(mut status) = status else { return Ok(None) };
                loop {
                    // What changes while the table is read is seen in the next round.
                    if status.borrow_and_update().state.is_stopped() {
                        return Ok(None);
                    }
                    let found = transfers(&reader, &query, limit).await?;
                    if told.as_ref() != Some(&found) {
                        return Ok(Some((found.clone(), (Some(status), Some(found)))));
                    }
                    if status.changed().await.is_err() {
                        return Ok(None);
                    }
                }
            }
        })
    }

    /// The transfers with an id: one, or none, unless several senders have used the same id.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn transfer(&self, id: TransferId) -> Result<Vec<TransferStatus>, StoreError> {
        let id = Argument::Text(Some(id.to_string()));
        let rows = self.reader().fetch("read a transfer", sql!("transfer"), [id]).await?;
        rows.iter().map(read).collect()
    }
}

async fn transfers(
    reader: &Reader,
    query: &TransferQuery,
    limit: u64,
) -> Result<Vec<TransferStatus>, StoreError> {
    let TransferQuery { account, under_way, before } = query;
    let arguments: [Argument; 4] = [
        Argument::Text(account.as_ref().map(ToString::to_string)),
        before.map_or(u64::MAX, Position::as_u64).into(),
        Argument::Flag(*under_way),
        limit.into(),
    ];
    let rows = reader.fetch("read the transfers", sql!("transfers"), arguments).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<TransferStatus, StoreError> {
    let sent_at = row.integer("sent_at")?.ok_or_else(|| corrupt("sent_at", &"nothing"))?;
    let amount = row.number("amount")?;
    Ok(TransferStatus {
        position: Position::new(row.number("position")?),
        transfer_id: row.parsed("transfer_id")?,
        from: row.parsed("sender")?,
        to: row.parsed("receiver")?,
        amount: amount.try_into().map_err(|_| corrupt("amount", &amount))?,
        sent_at: Timestamp::from_micros(sent_at),
        arrived_at: row.integer("arrived_at")?.map(Timestamp::from_micros),
    })
}
