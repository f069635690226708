//! Read models in tables that projections write with plain `sqlx`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Checkpoint, Position, ReadModel, StepError, StoreError};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::OwnedMutexGuard;

use crate::connection::Database;
use crate::error::{corrupt, failed, is_fenced};
use crate::file::READ_MODEL;
use crate::read::{clamp, natural};
use crate::replace::replace;
use crate::shadow::{self, ShadowFile};
use crate::{OpenError, SqliteOptions};

const CHECKPOINT: &str = include_str!("sql/projection_checkpoint.sql");
const BEGIN: &str = include_str!("sql/projection_begin.sql");
const MOVE: &str = include_str!("sql/projection_move.sql");

/// Read models in one SQLite file: the store's own, or another. A clone is the same.
///
/// A table belongs to one projection. What a projection's setup makes, by names without a schema before them, is what a
/// rebuild replaces: tables, indexes, views and triggers. It is made anew in a file beside, `…-rebuild-…`, without
/// keeping anybody from writing, and copied from there in one transaction. A table that a new version no longer
/// makes stays as it is; its setup may drop it.
///
/// What a projection writes is durable with the next append to the same file, or with SQLite's next
/// checkpoint: after a power loss a projection may find itself a little earlier, and goes on from there.
///
/// ```
/// use cqrs_sqlite::SqliteReadModel;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let tables = SqliteReadModel::open(directory.path().join("answers.db")).await?;
/// // `App::builder(store).projection(MyProjection, tables.clone())` writes; queries go to a pool that cannot.
/// let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(tables.reader()).await?;
/// assert_eq!(one, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteReadModel {
    // Dropped in this order: a shadow's file is removed after its connections are closed.
    database: Arc<Database>,
    shadow: Option<Arc<ShadowFile>>,
}

/// A transaction of a projection. Dropping it rolls it back.
pub struct SqliteTransaction {
    // Dropped in this order: the rollback is on its way before the next writer is let in.
    transaction: Transaction<'static, Sqlite>,
    projection: String,
    from: Option<Checkpoint>,
    _gate: OwnedMutexGuard<()>,
}

impl SqliteReadModel {
    /// Opens a file that holds read models alone, with the default options, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file. A file of another program, or one with events, is not touched.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteOptions::default()).await
    }

    /// Opens a file that holds read models alone, with options of one's own.
    ///
    /// # Errors
    ///
    /// As [`SqliteReadModel::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        Ok(Self::in_database(Arc::new(Database::open(path.as_ref(), &READ_MODEL, &options).await?)))
    }

    pub(crate) fn in_database(database: Arc<Database>) -> Self {
        Self { database, shadow: None }
    }

    /// The file's canonical path.
    pub fn path(&self) -> &Path {
        self.database.path()
    }

    /// Connections to query with; they cannot write. Each sees what was committed when its statement began.
    pub fn reader(&self) -> &SqlitePool {
        self.database.queries()
    }

    /// Finishes what is under way and lets go of the file. For read models in a store's file this closes the
    /// store's connections too.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

#[async_trait]
impl ReadModel for SqliteReadModel {
    type Target = SqliteConnection;
    type Transaction = SqliteTransaction;

    /// Another runner is found out at the commit, which asks anyway.
    async fn begin(
        &self,
        projection: &str,
        from: Option<Checkpoint>,
    ) -> Result<SqliteTransaction, StepError> {
        const ACTION: &str = "begin a projection's transaction";
        let gate = self.database.enter(ACTION).await?;
        let transaction = self.database.projections().begin_with("BEGIN IMMEDIATE").await;
        let transaction = transaction.map_err(|error| failed(ACTION, self.database.path(), error))?;
        Ok(SqliteTransaction { transaction, projection: projection.to_owned(), from, _gate: gate })
    }

    fn target(transaction: &mut SqliteTransaction) -> &mut SqliteConnection {
        &mut transaction.transaction
    }

    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError> {
        let statement = sqlx::query(CHECKPOINT).bind(projection.to_owned());
        let rows = self.database.read("read a projection's checkpoint", statement).await?;
        let found = rows.first().map(checkpoint).transpose();
        found.map_err(|error| corrupt(format!("checkpoint of projection {projection}: {error}")))
    }

    async fn commit(&self, transaction: SqliteTransaction, to: Checkpoint) -> Result<(), StepError> {
        let failed = |error| failed("commit a projection's transaction", self.database.path(), error);
        let SqliteTransaction { mut transaction, projection, from, _gate } = transaction;
        let statement = match from {
            None => sqlx::query(BEGIN).bind(projection),
            Some(from) => sqlx::query(MOVE)
                .bind(projection)
                .bind(clamp(from.position.as_u64()))
                .bind(i64::from(from.version)),
        };
        let statement = statement.bind(clamp(to.position.as_u64())).bind(i64::from(to.version));
        match statement.execute(&mut *transaction).await {
            Ok(_) => Ok(transaction.commit().await.map_err(failed)?),
            Err(error) if is_fenced(&error) => Err(StepError::Fenced),
            Err(error) => Err(failed(error).into()),
        }
    }

    async fn shadow(&self, projection: &str) -> Result<Self, StoreError> {
        let (database, file) = shadow::make(&self.database, projection).await?;
        Ok(Self { database, shadow: Some(Arc::new(file)) })
    }

    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError> {
        replace(&self.database, projection, shadow.path(), up_to).await
    }

    /// A file is in every process's reach; a shadow is this one's.
    fn place(&self) -> Option<String> {
        self.shadow.is_none().then(|| self.path().display().to_string())
    }
}

/// Reads a row of `projection_checkpoint.sql`.
fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, sqlx::Error> {
    let version = u32::try_from(natural(row, 1)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Checkpoint { position: Position::new(natural(row, 0)?), version })
}

impl fmt::Debug for SqliteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTransaction").finish_non_exhaustive()
    }
}
