//! What happened, in order.

use cqrs_core::{
    Aggregate, Event, EventFilter, Position, RecordedEvent, StartFrom, StoreError, StreamId, StreamRead,
    Version,
};
use futures::stream::Stream;

use crate::{Account, AccountEvent, AccountId, Coins};

/// An account's event with all that is known of it.
pub type RecordedAccountEvent = RecordedEvent<AccountEvent>;

/// A page of the history of all accounts.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountEvents {
    /// The events, in order of position.
    pub events: Vec<RecordedAccountEvent>,
    /// Where the next page begins; as far as was asked for already when there is nothing more.
    pub scanned_to: Position,
}

impl Coins {
    /// A page of one account's history, old to new: at most `limit` events after a version.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or an event in it.
    pub async fn events(
        &self,
        account: &AccountId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedAccountEvent>, StoreError> {
        let read = StreamRead::forward(after.next(), limit);
        let events = self.app().store().read_stream(&stream_of(account), read).await?;
        decode(events)
    }

    /// A page of the history of all accounts, old to new: at most `limit` events after a position.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or an event in it.
    pub async fn all_events(&self, after: Position, limit: usize) -> Result<AccountEvents, StoreError> {
        let filter = EventFilter::category(AccountEvent::CATEGORY);
        let page = self.app().store().read_log(after, &filter, limit).await?;
        Ok(AccountEvents { events: decode(page.events)?, scanned_to: page.scanned_to })
    }

    /// Where the log ends: the position of the last event.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn head(&self) -> Result<Position, StoreError> {
        self.app().store().head().await
    }

    /// The event at a position, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or the event.
    pub async fn event_at(&self, position: Position) -> Result<Option<RecordedAccountEvent>, StoreError> {
        let Some(before) = position.as_u64().checked_sub(1) else { return Ok(None) };
        let mut page = self.all_events(Position::new(before), 1).await?;
        Ok(page.events.pop().filter(|event| event.position == position))
    }

    /// The history of one account or of all, from a position on and without end: what is there, then what
    /// comes, without gap or duplicate, also when other processes write.
    ///
    /// The stream ends after its first error, and when the database is closed.
    ///
    /// ```
    /// use coins::{AccountEvent, Coins};
    /// use cqrs_core::Position;
    /// use futures::StreamExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// let me = "me".parse()?;
    /// coins.mine_coin(&me, 190).await?;
    /// let mut history = coins.follow(Some(&me), Position::ZERO);
    /// let first = history.next().await.ok_or("it goes on")??;
    /// assert_eq!(first.data, AccountEvent::CoinMined { account_id: me, nonce: 190 });
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow(
        &self,
        account: Option<&AccountId>,
        after: Position,
    ) -> impl Stream<Item = Result<RecordedAccountEvent, StoreError>> + Send + use<> {
        let mut filter = EventFilter::category(AccountEvent::CATEGORY);
        if let Some(account) = account {
            filter = filter.and_streams([stream_of(account)]);
        }
        self.app().subscribe_within(StartFrom::Position(after), filter)
    }
}

#[expect(
    clippy::expect_used,
    reason = "every account id can be a stream's key, which a property test shows"
)]
fn stream_of(account: &AccountId) -> StreamId {
    Account::stream(account).expect("an account id is a stream's key")
}

fn decode(events: Vec<RecordedEvent>) -> Result<Vec<RecordedAccountEvent>, StoreError> {
    Ok(RecordedEvent::decode_all(events)?)
}
