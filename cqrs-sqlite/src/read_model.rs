//! Read models in tables that projections write with plain `sqlx`.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Position, ReadModel, StepError, StoreError};
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::OwnedMutexGuard;

use crate::connection::Database;
use crate::error::{corrupt, failed, is_fenced};
use crate::file::READ_MODEL;
use crate::read::{clamp, natural};
use crate::{OpenError, SqliteOptions};

const CHECKPOINT: &str = include_str!("sql/projection_checkpoint.sql");
const MOVE: &str = include_str!("sql/projection_move.sql");

/// Read models in one SQLite file: the store's own, or another. A clone is the same.
///
/// What a projection writes is durable with the next append to the same file, or with SQLite's next
/// checkpoint: after a power loss a projection may find itself a little earlier, and goes on from there.
#[derive(Clone, Debug)]
pub struct SqliteReadModel(Arc<Database>);

/// A transaction of a projection. Dropping it rolls it back.
pub struct SqliteTransaction {
    // Dropped in this order: the rollback is on its way before the next writer is let in.
    transaction: Transaction<'static, Sqlite>,
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
        Ok(Self(Arc::new(Database::open(path.as_ref(), &READ_MODEL, &options).await?)))
    }

    pub(crate) fn in_database(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// The file's canonical path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Connections to query with; they cannot write. Each sees what was committed when its statement began.
    pub fn reader(&self) -> &SqlitePool {
        self.0.queries()
    }

    /// Finishes what is under way and lets go of the file. For read models in a store's file this closes the
    /// store's connections too.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
impl ReadModel for SqliteReadModel {
    type Target = SqliteConnection;
    type Transaction = SqliteTransaction;

    async fn begin(&self) -> Result<SqliteTransaction, StoreError> {
        const ACTION: &str = "begin a projection's transaction";
        let gate = self.0.enter(ACTION).await?;
        let transaction = self.0.projections().begin_with("BEGIN IMMEDIATE").await;
        let transaction = transaction.map_err(|error| failed(ACTION, self.0.path(), error))?;
        Ok(SqliteTransaction { transaction, _gate: gate })
    }

    fn target(transaction: &mut SqliteTransaction) -> &mut SqliteConnection {
        &mut transaction.transaction
    }

    async fn checkpoint(&self, projection: &str) -> Result<Position, StoreError> {
        let statement = sqlx::query(CHECKPOINT).bind(projection.to_owned());
        let rows = self.0.read("read a projection's checkpoint", statement).await?;
        match rows.first() {
            None => Ok(Position::ZERO),
            Some(row) => natural(row, 0)
                .map(Position::new)
                .map_err(|error| corrupt(format!("checkpoint of projection {projection}: {error}"))),
        }
    }

    async fn commit(
        &self,
        transaction: SqliteTransaction,
        projection: &str,
        from: Position,
        to: Position,
    ) -> Result<(), StepError> {
        let failed = |error| failed("commit a projection's transaction", self.0.path(), error);
        let SqliteTransaction { mut transaction, _gate } = transaction;
        let moved = sqlx::query(MOVE)
            .bind(projection.to_owned())
            .bind(clamp(from.as_u64()))
            .bind(clamp(to.as_u64()))
            .execute(&mut *transaction)
            .await;
        match moved {
            Ok(_) => Ok(transaction.commit().await.map_err(failed)?),
            Err(error) if is_fenced(&error) => Err(StepError::Fenced),
            Err(error) => Err(failed(error).into()),
        }
    }
}

impl fmt::Debug for SqliteTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTransaction").finish_non_exhaustive()
    }
}
