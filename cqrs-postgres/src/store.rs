//! The store: one schema of a database, connected.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use cqrs_core::{
    Append, AppendError, Appended, CommandId, EventFilter, EventStore, LogPage, Position, RecordedEvent,
    StoreError, StreamId, StreamRead,
};
use tokio::task::AbortHandle;

use crate::connection::Database;
use crate::head::Head;
use crate::listen::Bell;
use crate::schema::EVENT_STORE;
use crate::{ConnectError, PostgresOptions, PostgresReadModel, append, read};

/// Events, and what process managers know, in one schema of a PostgreSQL database. A clone is the same store.
///
/// ```no_run
/// use cqrs_core::App;
/// use cqrs_postgres::PostgresStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://coins@localhost/coins").await?;
/// // The events, and beside them the tables of projections.
/// let tables = store.read_model();
/// // The same on each node: who of them runs a projection or a process manager, they settle among themselves.
/// let app = App::builder(store).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Arc<Database>,
    head: Arc<Head>,
    bell: Arc<Bell>,
    /// What tells other nodes, and what listens to them, once somebody waits for them.
    tells: AbortHandle,
    listens: OnceLock<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.fall_silent();
    }
}

impl Inner {
    /// Ends what tells and what listens.
    fn fall_silent(&self) {
        self.tells.abort();
        if let Some(listens) = self.listens.get() {
            listens.abort();
        }
    }
}

impl PostgresStore {
    /// Connects with the default options, and creates or migrates the schema as needed.
    ///
    /// The URL is `postgres://user:password@host:port/database`. `sslmode` is one of its parameters: `prefer`, which is the
    /// default, `require`, `verify-ca`, `verify-full` or `disable`; so are `sslrootcert`, `sslcert` and `sslkey`.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the database and the schema. A schema with tables of another program is not touched.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// Connects with options of one's own.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        let database = Arc::new(Database::connect(url, &EVENT_STORE, &options).await?);
        let head = Arc::new(Head::new(options.poll_interval));
        let bell = Arc::new(Bell::new());
        let tells = tokio::spawn(Arc::clone(&bell).tell(Arc::clone(&database), Arc::clone(&head)));
        let tells = tells.abort_handle();
        Ok(Self(Arc::new(Inner { database, head, bell, tells, listens: OnceLock::new() })))
    }

    /// The schema that it is in.
    pub fn schema(&self) -> &str {
        &self.database().options().schema
    }

    /// Read models in the same schema.
    pub fn read_model(&self) -> PostgresReadModel {
        PostgresReadModel::in_database(Arc::clone(&self.0.database))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, batch: Vec<Append>) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
        append::append(self.database(), &self.0.head, &self.0.bell, batch).await
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
        let Inner { database, head, bell, listens, .. } = &*self.0;
        if !database.options().transaction_pooling {
            listens.get_or_init(|| {
                tokio::spawn(Arc::clone(bell).listen(Arc::clone(database), Arc::clone(head))).abort_handle()
            });
        }
        head.wait_beyond(database, after).await
    }

    /// Finishes what is under way and closes all connections of this store, those of its read models too.
    async fn close(&self) {
        self.0.fall_silent();
        self.0.head.close();
        self.database().close().await;
    }
}
