//! The application behind one face.

use std::path::Path;

use cqrs_core::{
    App, Consistency, LogCommands, MeasureCommands, Projection, ReadModel, Rebuild, Router, StartError,
    Store, StoreError, SubscriberStatus,
};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
use cqrs_sqlite::SqliteStore;
use futures::stream::Stream;

use crate::database::{Reader, Tables};
use crate::dispatch::PATIENCE;
use crate::{
    AccountBalances, AccountStatements, DatabaseAddress, MineCoin, ReceiveCoins, SendCoins,
    SendCoinsProcess, Transfers,
};

/// The whole application on one database: an SQLite file, or PostgreSQL for many nodes. Cheap to clone.
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
    reader: Reader,
}

/// Why a database cannot be opened. No message has a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file, or the application has never been in that PostgreSQL database.
    #[error("there is no database {0}")]
    Missing(DatabaseAddress),
    /// The store cannot use the file.
    #[error(transparent)]
    Sqlite(#[from] cqrs_sqlite::OpenError),
    /// The store cannot use the PostgreSQL database.
    #[error(transparent)]
    Postgres(#[from] ConnectError),
    /// The application does not start on it.
    #[error("cannot start on the database {database}")]
    Start {
        /// The database.
        database: DatabaseAddress,
        /// What does not fit.
        source: StartError,
    },
}

impl Coins {
    /// Opens a database, and makes what it needs when that is not there. Transfers that were cut short go on at once.
    ///
    /// It is the path of an SQLite file, or the URL of a PostgreSQL database, `postgres://user@host:port/database`. There
    /// everything is in the schema `cqrs`, and any number of nodes may open it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when it is no database of this application, or cannot be written.
    pub async fn open(database: impl AsRef<Path>) -> Result<Self, OpenError> {
        match DatabaseAddress::of(database) {
            DatabaseAddress::File(path) => {
                let store = SqliteStore::open(&path).await?;
                Self::on_sqlite(store, DatabaseAddress::File(path)).await
            }
            DatabaseAddress::Postgres(url) => {
                let store = PostgresStore::connect(&url).await?;
                Self::on_postgres(store, DatabaseAddress::Postgres(url)).await
            }
        }
    }

    /// Opens a database that is there already.
    ///
    /// # Errors
    ///
    /// [`OpenError::Missing`] when it is not; otherwise as [`Coins::open`].
    pub async fn open_existing(database: impl AsRef<Path>) -> Result<Self, OpenError> {
        let address = DatabaseAddress::of(&database);
        match &address {
            // A path that cannot even be looked at fails with the store's own words.
            DatabaseAddress::File(path) if matches!(path.try_exists(), Ok(false)) => {
                Err(OpenError::Missing(address))
            }
            DatabaseAddress::Postgres(url) => {
                let options = PostgresOptions::new().without_migrations();
                match PostgresStore::connect_with(url, options).await {
                    Err(ConnectError::NotMigrated { found: 0, .. }) => Err(OpenError::Missing(address)),
                    // It is there, and old.
                    Err(ConnectError::NotMigrated { .. }) => Self::open(database).await,
                    connected => Self::on_postgres(connected?, address).await,
                }
            }
            DatabaseAddress::File(_) => Self::open(database).await,
        }
    }

    async fn on_sqlite(store: SqliteStore, address: DatabaseAddress) -> Result<Self, OpenError> {
        let read_model = store.read_model();
        let reader = Reader::Sqlite(read_model.reader().clone());
        Self::start(store, read_model, reader, address).await
    }

    async fn on_postgres(store: PostgresStore, address: DatabaseAddress) -> Result<Self, OpenError> {
        let read_model = store.read_model();
        let reader = Reader::Postgres(read_model.reader().clone());
        Self::start(store, read_model, reader, address).await
    }

    async fn start<R>(
        store: impl Store,
        read_model: R,
        reader: Reader,
        database: DatabaseAddress,
    ) -> Result<Self, OpenError>
    where
        R: ReadModel<Target: Tables> + Clone,
    {
        let app = App::builder(store)
            .router(Router::new().route::<MineCoin>().route::<SendCoins>().route::<ReceiveCoins>())
            .projection(AccountBalances::default(), read_model.clone())
            .projection(Transfers::default(), read_model.clone())
            .projection(AccountStatements::default(), read_model)
            .process_manager::<SendCoinsProcess>()
            .middleware(LogCommands)
            .middleware(MeasureCommands::new())
            .start()
            .await;
        match app {
            Ok(app) => {
                tracing::debug!(%database, "the database is open");
                Ok(Self { app, reader })
            }
            Err(source) => Err(OpenError::Start { database, source }),
        }
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

    /// How projections and process managers are doing.
    pub fn status(&self) -> Vec<SubscriberStatus> {
        self.app.status()
    }

    /// How projections and process managers are doing, one after the other, and then whatever changes, until the
    /// application ends.
    pub fn watch_status(&self) -> impl Stream<Item = SubscriberStatus> + Send + Unpin + use<> {
        self.app.watch()
    }

    /// The names of the read models.
    pub fn projections(&self) -> impl Iterator<Item = &'static str> {
        [<AccountBalances>::NAME, <Transfers>::NAME, <AccountStatements>::NAME].into_iter()
    }

    /// Makes a read model anew from the log, beside the old one, while that is in use.
    pub fn rebuild(&self, projection: &str) -> Rebuild {
        self.app.rebuild(projection)
    }

    /// Finishes the commands under way and lets go of the database.
    pub async fn close(&self) {
        self.app.shutdown().await;
        tracing::debug!("the database is closed");
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }
}
