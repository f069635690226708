//! Read models in tables that projections write with plain `sqlx`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Checkpoint, Position, ReadModel, StepError, StoreError};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::connection::Database;
use crate::error::{corrupt, failed, not_written};
use crate::read::{clamp, natural};
use crate::replace::replace;
use crate::schema::READ_MODEL;
use crate::shadow::Shadow;
use crate::tables::Tables;
use crate::{ConnectError, PostgresOptions};

const CHECKPOINT: &str = include_str!("sql/projection_checkpoint.sql");
const HOLD: &str = include_str!("sql/projection_hold.sql");
const LOCK: &str = include_str!("sql/projection_lock.sql");
const BEGIN: &str = include_str!("sql/projection_begin.sql");
const MOVE: &str = include_str!("sql/projection_move.sql");

/// Read models in one schema of a PostgreSQL database: the store's own, or another. A clone is the same.
///
/// A table belongs to one projection. What a projection's setup makes, by names without a schema before them, is what a
/// rebuild replaces: tables with their indexes and sequences, views, types, functions. It is made anew in a schema of its
/// own, `cqrs_shadow_…`, and moved from there in one transaction, which takes no longer for a large table than for a small
/// one; for that, the role must be allowed to create schemas in the database. What others may do with a table is granted
/// anew. A table that a new version no longer makes stays as it is; its setup may drop it. While something outside
/// depends on a table, such as a view in another schema, it is not replaced: the rebuild fails and says so.
///
/// Who is reading a table keeps it from being replaced; readers who come then wait a moment. A rebuild tries again for as
/// long as [`PostgresOptions::busy_timeout`] says.
///
/// What a projection writes is durable with the next append to the same database, or some hundred milliseconds later: after
/// a crash of the server a projection may find itself a little earlier, and goes on from there.
///
/// ```no_run
/// use cqrs_postgres::PostgresReadModel;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tables = PostgresReadModel::connect("postgres://reports@localhost/reports").await?;
/// // `App::builder(store).projection(MyProjection, tables.clone())` writes; queries go to a pool that cannot.
/// let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(tables.reader()).await?;
/// assert_eq!(one, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresReadModel {
    database: Arc<Database>,
    shadow: Option<Arc<Shadow>>,
}

/// A transaction of a projection. Dropping it rolls it back.
pub struct PostgresTransaction {
    transaction: Transaction<'static, Postgres>,
    projection: String,
    from: Option<Checkpoint>,
}

impl PostgresReadModel {
    /// Connects to a schema that holds read models alone, with the default options, and creates it if there is none. See
    /// [`PostgresStore::connect`](crate::PostgresStore::connect) for the URL.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names the database and the schema. A schema of another program, or one with events, is not touched.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// Connects to a schema that holds read models alone, with options of one's own.
    ///
    /// # Errors
    ///
    /// As [`PostgresReadModel::connect`].
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self, ConnectError> {
        Ok(Self::in_database(Arc::new(Database::connect(url, &READ_MODEL, &options).await?)))
    }

    pub(crate) fn in_database(database: Arc<Database>) -> Self {
        Self { database, shadow: None }
    }

    /// The schema that it is in.
    pub fn schema(&self) -> &str {
        match &self.shadow {
            Some(shadow) => shadow.schema(),
            None => &self.database.options().schema,
        }
    }

    /// Connections to query with; they cannot write. Each statement sees what was committed when it began.
    ///
    /// Name the columns that you want: after a rebuild by a new version, a `SELECT *` of a connection that knows the old
    /// ones fails. With [`PostgresOptions::transaction_pooling`] nothing is set on these connections, and nothing may be
    /// prepared on them: begin a transaction, say `persistent(false)` of each query, name the schema as well, and write with
    /// care.
    pub fn reader(&self) -> &PgPool {
        self.tables().queries()
    }

    /// Finishes what is under way and closes all connections. For read models in a store's schema this closes the store's
    /// connections too.
    pub async fn close(&self) {
        self.database.close().await;
    }

    fn tables(&self) -> &Tables {
        match &self.shadow {
            Some(shadow) => shadow.tables(),
            None => self.database.tables(),
        }
    }

    async fn enter(&self, action: &'static str) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.tables().begin(action, self.database.place()).await
    }
}

#[async_trait]
impl ReadModel for PostgresReadModel {
    type Target = PgConnection;
    type Transaction = PostgresTransaction;

    /// Waits for another runner who is about to move the checkpoint, and is fenced when he has.
    async fn begin(
        &self,
        projection: &str,
        from: Option<Checkpoint>,
    ) -> Result<PostgresTransaction, StepError> {
        const ACTION: &str = "begin a projection's transaction";
        let failed = |error| failed(ACTION, self.database.place(), error);
        let mut transaction = self.enter(ACTION).await?;
        if from.is_none() {
            sqlx::query(LOCK).bind(projection).execute(&mut *transaction).await.map_err(failed)?;
        }
        let row = sqlx::query(HOLD).bind(projection).fetch_optional(&mut *transaction).await;
        if row.map_err(failed)?.as_ref().map(checkpoint).transpose().map_err(failed)? != from {
            return Err(StepError::Fenced);
        }
        Ok(PostgresTransaction { transaction, projection: projection.to_owned(), from })
    }

    fn target(transaction: &mut PostgresTransaction) -> &mut PgConnection {
        &mut transaction.transaction
    }

    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError> {
        const ACTION: &str = "read a projection's checkpoint";
        let row = match &self.shadow {
            None => {
                let rows = self.database.read(ACTION, || sqlx::query(CHECKPOINT).bind(projection)).await?;
                rows.into_iter().next()
            }
            Some(_) => {
                let mut transaction = self.enter(ACTION).await?;
                let row = sqlx::query(CHECKPOINT).bind(projection).fetch_optional(&mut *transaction).await;
                row.map_err(|error| failed(ACTION, self.database.place(), error))?
            }
        };
        let found = row.as_ref().map(checkpoint).transpose();
        found.map_err(|error| corrupt(format!("checkpoint of projection {projection}: {error}")))
    }

    async fn commit(&self, transaction: PostgresTransaction, to: Checkpoint) -> Result<(), StepError> {
        let failed = |error| not_written("commit a projection's transaction", self.database.place(), error);
        let PostgresTransaction { mut transaction, projection, from } = transaction;
        let statement = match from {
            None => sqlx::query(BEGIN).bind(projection),
            Some(from) => sqlx::query(MOVE)
                .bind(projection)
                .bind(clamp(from.position.as_u64()))
                .bind(i64::from(from.version)),
        };
        let statement = statement.bind(clamp(to.position.as_u64())).bind(i64::from(to.version));
        let moved = statement.execute(&mut *transaction).await.map_err(failed)?;
        if moved.rows_affected() == 0 {
            return Err(StepError::Fenced);
        }
        Ok(transaction.commit().await.map_err(failed)?)
    }

    async fn shadow(&self, projection: &str) -> Result<Self, StoreError> {
        let shadow = Shadow::make(&self.database, projection).await?;
        Ok(Self { database: Arc::clone(&self.database), shadow: Some(Arc::new(shadow)) })
    }

    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError> {
        replace(&self.database, projection, shadow.schema(), up_to).await
    }

    /// A schema is in every node's reach; a shadow is this one's.
    fn place(&self) -> Option<String> {
        self.shadow.is_none().then(|| self.database.identity().to_owned())
    }
}

/// Reads a row of `projection_checkpoint.sql`.
pub(crate) fn checkpoint(row: &PgRow) -> Result<Checkpoint, sqlx::Error> {
    let version = u32::try_from(natural(row, 1)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Checkpoint { position: Position::new(natural(row, 0)?), version })
}

impl fmt::Debug for PostgresTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTransaction").finish_non_exhaustive()
    }
}
