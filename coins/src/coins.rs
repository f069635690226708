//! The application behind one face.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cqrs_core::{
    App, Consistency, DispatchError, Dispatched, Projection, Router, StartError, StoreError,
    SubscriberState, Version,
};
use cqrs_sqlite::SqliteStore;
use futures::stream::{self, Stream};

use crate::query::Queries;
use crate::{
    AccountBalance, AccountBalances, AccountId, AccountStatements, Amount, MineCoin, MineCoinError,
    ReceiveCoins, SendCoins, SendCoinsError, SendCoinsProcess, StatementLine, TransferId, TransferQuery,
    TransferStatus, Transfers,
};

/// How long a command may take, with all that follows from it, before its caller is told that it is under
/// way: far longer than a healthy disk needs, and short enough for somebody who waits at a terminal.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole application on one SQLite file. Cheap to clone.
///
/// ```
/// use coins::Coins;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("coins.db");
/// let coins = Coins::open(path).await?;
/// let (me, you) = ("me".parse()?, "you".parse()?);
///
/// coins.mine_coin(&me, 190).await?;
/// coins.send_coins(&me, &you, "1".parse()?).await?;
///
/// let richest = coins.richest().await?.ok_or("nobody")?;
/// assert_eq!((richest.account_id, richest.balance), (you, 1));
/// coins.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Coins {
    app: App,
    queries: Queries,
}

/// Why a file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error("there is no database {}", .0.display())]
    Missing(PathBuf),
    /// The store cannot use the file.
    #[error(transparent)]
    Store(#[from] cqrs_sqlite::OpenError),
    /// The application does not start on it.
    #[error("cannot start on the database {}", path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: StartError,
    },
}

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

impl Coins {
    /// Opens a database, and makes it when there is none. Transfers that were cut short go on at once.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when the file is no database of this application, or cannot be written.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let store = SqliteStore::open(path).await?;
        let read_model = store.read_model();
        let queries = Queries::on(read_model.reader());
        let app = App::builder(store)
            .router(Router::new().route::<MineCoin>().route::<SendCoins>().route::<ReceiveCoins>())
            .projection(AccountBalances, read_model.clone())
            .projection(Transfers, read_model.clone())
            .projection(AccountStatements, read_model)
            .process_manager::<SendCoinsProcess>()
            .start()
            .await
            .map_err(|source| OpenError::Start { path: path.to_owned(), source })?;
        tracing::debug!(path = %path.display(), "the database is open");
        Ok(Self { app, queries })
    }

    /// Opens a database that is there already.
    ///
    /// # Errors
    ///
    /// [`OpenError::Missing`] when it is not; otherwise as [`Coins::open`].
    pub async fn open_existing(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        // A path that cannot even be looked at fails with the store's own words.
        if let Ok(false) = path.as_ref().try_exists() {
            return Err(OpenError::Missing(path.as_ref().to_owned()));
        }
        Self::open(path).await
    }

    /// Claims a coin with a proof of work. When this returns, queries know of the coin, unless the
    /// outcome's `consistency` says that they lag behind.
    ///
    /// # Errors
    ///
    /// [`MineCoinError`] when the nonce was used, or proves no work.
    pub async fn mine_coin(
        &self,
        account: &AccountId,
        nonce: u64,
    ) -> Result<Dispatched, DispatchError<MineCoinError>> {
        let command = MineCoin { account_id: account.clone(), nonce };
        self.app.dispatch(command).strong().timeout(PATIENCE).await
    }

    /// Sends coins. When this returns they have arrived, unless [`Transfer::arrived`] says otherwise.
    ///
    /// # Errors
    ///
    /// [`SendCoinsError`] when the sender has not enough.
    pub async fn send_coins(
        &self,
        from: &AccountId,
        to: &AccountId,
        amount: Amount,
    ) -> Result<Transfer, DispatchError<SendCoinsError>> {
        let transfer_id = TransferId::random();
        let command = SendCoins { account_id: from.clone(), to: to.clone(), amount, transfer_id };
        let sent = self.app.dispatch(command).settled().timeout(PATIENCE).await?;
        Ok(Transfer { transfer_id, sent })
    }

    /// Who has most coins; among equals the smallest account id. `None` when nobody has an account.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn richest(&self) -> Result<Option<AccountBalance>, StoreError> {
        Ok(self.accounts(1).await?.pop())
    }

    /// One account, or `None` when nothing ever happened to it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn account(&self, id: &AccountId) -> Result<Option<AccountBalance>, StoreError> {
        self.queries.account(id).await
    }

    /// The accounts with most coins, in the order of [`Coins::richest`], at most `top`.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn accounts(&self, top: u64) -> Result<Vec<AccountBalance>, StoreError> {
        self.queries.top(top).await
    }

    /// An account's history with its balance at every step, the newest line first: at most `limit` lines, before a
    /// version when one is given.
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
        self.queries.statement(account, before, limit).await
    }

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
        self.queries.transfers(query, limit).await
    }

    /// Transfers as [`Coins::transfers`] tells them, again whenever that answer changes, whoever changes it, until the
    /// application ends. The stream ends after its first error.
    pub fn watch_transfers(
        &self,
        query: TransferQuery,
        limit: u64,
    ) -> impl Stream<Item = Result<Vec<TransferStatus>, StoreError>> + Send + use<> {
        let (queries, status) = (self.queries.clone(), self.app.watch_status(Transfers::NAME));
        stream::try_unfold((status, None), move |(status, told)| {
            let (queries, query) = (queries.clone(), query.clone());
            async move {
                let Some(mut status) = status else { return Ok(None) };
                loop {
                    // What changes while the table is read is seen in the next round.
                    if status.borrow_and_update().state == SubscriberState::Stopped {
                        return Ok(None);
                    }
                    let found = queries.transfers(&query, limit).await?;
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
        self.queries.transfer(id).await
    }

    /// Waits until all that has happened so far, whoever did it, is finished: coins under way have
    /// arrived, and queries know of everything. Whether that is so, or why not, is the answer.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn settle(&self) -> Result<Consistency, StoreError> {
        tokio::time::timeout(PATIENCE, self.app.settle()).await.unwrap_or(Ok(Consistency::TimedOut))
    }

    /// Finishes the commands under way and lets go of the file.
    pub async fn close(&self) {
        self.app.shutdown().await;
        tracing::debug!("the database is closed");
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }
}
