//! Commands on their way: what their caller may ask for.

use std::future::IntoFuture;
use std::time::Duration;

use cqrs_core::{CommandId, Consistency, DispatchError, Dispatched, StoreError};
use futures::future::{BoxFuture, FutureExt};

use crate::{
    AccountEvent, AccountId, Amount, Coins, MineCoin, MineCoinError, SendCoins, SendCoinsError, TransferId,
};

/// How long a command may take, with all that follows from it, before its caller is told that it is under
/// way: far longer than a healthy disk needs, and short enough for somebody who waits at a terminal.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A transfer that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which of the sender's transfers.
    pub transfer_id: TransferId,
    /// What became of the command that sent the coins.
    pub sent: Dispatched,
}

impl Transfer {
    /// Whether the coins have arrived, and queries know of it. If not, they are under way, and arrive
    /// whatever happens meanwhile.
    pub fn arrived(&self) -> bool {
        self.sent.consistency == Consistency::Reached
    }
}

/// A coin about to be claimed. See [`Coins::mine_coin`].
#[derive(Debug)]
#[must_use = "nothing happens until this is awaited"]
pub struct MineCoinDispatch<'a> {
    coins: &'a Coins,
    command: MineCoin,
    command_id: Option<CommandId>,
}

/// Coins about to be sent. See [`Coins::send_coins`].
#[derive(Debug)]
#[must_use = "nothing happens until this is awaited"]
pub struct SendCoinsDispatch<'a> {
    coins: &'a Coins,
    command: SendCoins,
    command_id: Option<CommandId>,
    wait: bool,
}

impl Coins {
    /// Claims a coin with a proof of work: await what is returned. By then queries know of the coin, unless the
    /// outcome's `consistency` says that they lag behind.
    ///
    /// ```
    /// use coins::{Coins, MineCoinError};
    /// use cqrs_core::DispatchError;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// let me = "me".parse()?;
    /// coins.mine_coin(&me, 190).await?;
    /// let again = coins.mine_coin(&me, 190).await;
    /// assert!(matches!(again, Err(DispatchError::Rejected(MineCoinError::UsedNonce { .. }))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MineCoinError`] when the nonce was used, or proves no work.
    pub fn mine_coin(&self, account: &AccountId, nonce: u64) -> MineCoinDispatch<'_> {
        let command = MineCoin { account_id: account.clone(), nonce };
        MineCoinDispatch { coins: self, command, command_id: None }
    }

    /// Sends coins: await what is returned. By then they have arrived, unless [`Transfer::arrived`] says otherwise.
    ///
    /// ```
    /// use coins::{Coins, SendCoinsError};
    /// use cqrs_core::{CommandId, DispatchError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// let (me, you) = ("me".parse()?, "you".parse()?);
    /// coins.mine_coin(&me, 190).await?;
    ///
    /// let id = CommandId::new("019a2b6e-52d8-7f3a-9c55-0c1f6a7d8e90".parse()?);
    /// let transfer = coins.send_coins(&me, &you, "1".parse()?).command_id(id).await?;
    /// assert!(transfer.arrived());
    /// // Whoever missed the answer asks again, and sends nothing twice.
    /// let again = coins.send_coins(&me, &you, "1".parse()?).command_id(id).await?;
    /// assert!(again.sent.duplicate);
    ///
    /// let refused = coins.send_coins(&me, &you, "1".parse()?).await;
    /// assert!(matches!(refused, Err(DispatchError::Rejected(SendCoinsError::NotEnoughCoins { .. }))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendCoinsError`] when the sender has not enough.
    pub fn send_coins(&self, from: &AccountId, to: &AccountId, amount: Amount) -> SendCoinsDispatch<'_> {
        let transfer_id = TransferId::random();
        let command = SendCoins { account_id: from.clone(), to: to.clone(), amount, transfer_id };
        SendCoinsDispatch { coins: self, command, command_id: None, wait: true }
    }

    /// Whether what a command came to, whose id was used before, is what it came to then: the first one was the same.
    async fn is_repetition(
        &self,
        dispatched: &Dispatched,
        event: &AccountEvent,
    ) -> Result<bool, StoreError> {
        let before = self.event_at(dispatched.position).await?;
        Ok(dispatched.events == 1 && before.is_some_and(|before| before.data == *event))
    }
}

impl MineCoinDispatch<'_> {
    /// Gives the command an id of the caller's own: the same command with the same id again changes nothing, and is
    /// answered with the first outcome, as a `duplicate`. Another command with that id is refused.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.command_id = Some(id);
        self
    }

    async fn run(self) -> Result<Dispatched, DispatchError<MineCoinError>> {
        let Self { coins, command, command_id } = self;
        let MineCoin { account_id, nonce } = command.clone();
        let dispatch = coins.app().dispatch(command).strong().timeout(PATIENCE);
        let dispatched = match command_id {
            Some(id) => dispatch.command_id(id).await?,
            None => dispatch.await?,
        };
        let event = AccountEvent::CoinMined { account_id, nonce };
        if dispatched.duplicate && !coins.is_repetition(&dispatched, &event).await.map_err(read_failed)? {
            let command_id = dispatched.command_id;
            return Err(DispatchError::Rejected(MineCoinError::UsedCommandId { command_id }));
        }
        Ok(dispatched)
    }
}

impl SendCoinsDispatch<'_> {
    /// Gives the command an id of the caller's own, and the transfer the same: the same command with the same id again
    /// changes nothing, and is answered with the first outcome, as a `duplicate`. Another command with that id is refused.
    pub fn command_id(mut self, id: CommandId) -> Self {
        self.command_id = Some(id);
        self.command.transfer_id = TransferId::new(id.as_uuid());
        self
    }

    /// Returns as soon as the coins are sent, and does not wait for them to arrive.
    pub fn without_waiting(mut self) -> Self {
        self.wait = false;
        self
    }

    async fn run(self) -> Result<Transfer, DispatchError<SendCoinsError>> {
        let Self { coins, command, command_id, wait } = self;
        let SendCoins { account_id, to, amount, transfer_id } = command.clone();
        let mut dispatch = coins.app().dispatch(command).timeout(PATIENCE);
        if wait {
            dispatch = dispatch.settled();
        }
        let sent = match command_id {
            Some(id) => dispatch.command_id(id).await?,
            None => dispatch.await?,
        };
        let event = AccountEvent::CoinsSent { account_id, to, amount, transfer_id };
        if sent.duplicate && !coins.is_repetition(&sent, &event).await.map_err(read_failed)? {
            let command_id = sent.command_id;
            return Err(DispatchError::Rejected(SendCoinsError::UsedCommandId { command_id }));
        }
        Ok(Transfer { transfer_id, sent })
    }
}

/// Nothing was changed by a command whose id was used before.
fn read_failed<E>(error: StoreError) -> DispatchError<E> {
    DispatchError::Store(error.into())
}

impl<'a> IntoFuture for MineCoinDispatch<'a> {
    type Output = Result<Dispatched, DispatchError<MineCoinError>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

impl<'a> IntoFuture for SendCoinsDispatch<'a> {
    type Output = Result<Transfer, DispatchError<SendCoinsError>>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}
