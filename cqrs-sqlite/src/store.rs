//! The store: one file, opened.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventStore, LogPage, Position, RecordedEvent,
    StoreError, StreamId, StreamRead,
};

use crate::connection::Database;
use crate::file::EVENT_STORE;
use crate::head::Head;
use crate::leases::Presence;
use crate::{OpenError, SqliteOptions, SqliteReadModel, append, read};

/// Events, and what process managers know, in one SQLite file. A clone is the same store.
///
/// ```
/// use cqrs_core::{App, EventStore};
/// use cqrs_sqlite::SqliteStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("coins.db");
/// let store = SqliteStore::open(&path).await?;
/// // The events, and beside them the tables of projections.
/// let tables = store.read_model();
/// let app = App::builder(store).start().await?;
/// app.shutdown().await;
///
/// // The file is closed, and is opened as often as you like.
/// let again = SqliteStore::open(&path).await?;
/// assert_eq!(again.head().await?.as_u64(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Arc<Database>,
    head: Arc<Head>,
    presence: Presence,
}

impl SqliteStore {
    /// Opens a file with the default options, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file. A file of another program is not touched.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens a file with options of one's own.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let database = Arc::new(Database::open(path.as_ref(), &EVENT_STORE, &options).await?);
        let head = Arc::new(Head::new(options.poll_interval));
        Ok(Self(Arc::new(Inner { database, head, presence: Presence::new() })))
    }

    /// The file's canonical path.
    pub fn path(&self) -> &Path {
        self.database().path()
    }

    /// Read models in the same file. What projections write there waits at the same gate as appends.
    pub fn read_model(&self) -> SqliteReadModel {
        SqliteReadModel::in_database(Arc::clone(&self.0.database))
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.0.presence
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        append::append(self.database(), &self.0.head, batch).await
    }

    async fn receipts(&self, commands: &[CommandId]) -> Result<Vec<Option<Appended>>, StoreError> {
        read::receipts(self.database(), commands).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        read: StreamRead,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        read::stream(self.database(), stream, read).await
    }

    async fn read_log(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        read::log(self.database(), after, filter, limit).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        read::head(self.database()).await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        self.0.head.wait_beyond(&self.0.database, after).await
    }

    /// Ends everything that uses the file through this store, its read models too. All of it is in the main
    /// file afterwards, unless another process has it open.
    async fn close(&self) {
        self.0.head.close();
        self.database().close().await;
        self.0.presence.end();
    }
}
