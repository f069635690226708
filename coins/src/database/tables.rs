//! Writing tables, whatever the database.

use async_trait::async_trait;
use cqrs_core::BoxError;
use sqlx::{PgConnection, SqliteConnection};

use super::Sql;

/// A connection on which a projection makes and fills its tables.
#[async_trait]
pub trait Tables: Send + 'static {
    /// Runs statements without parameters.
    ///
    /// # Errors
    ///
    /// What the database says.
    async fn make(&mut self, sql: Sql) -> Result<(), BoxError>;

    /// Runs a statement whose one parameter is a JSON array of rows.
    ///
    /// # Errors
    ///
    /// What the database says.
    async fn write(&mut self, sql: Sql, rows: String) -> Result<(), BoxError>;
}

#[async_trait]
impl Tables for SqliteConnection {
    async fn make(&mut self, sql: Sql) -> Result<(), BoxError> {
        sqlx::raw_sql(sql.sqlite).execute(self).await?;
        Ok(())
    }

    async fn write(&mut self, sql: Sql, rows: String) -> Result<(), BoxError> {
        sqlx::query(sql.sqlite).bind(rows).execute(self).await?;
        Ok(())
    }
}

#[async_trait]
impl Tables for PgConnection {
    async fn make(&mut self, sql: Sql) -> Result<(), BoxError> {
        sqlx::raw_sql(sql.postgres).execute(self).await?;
        Ok(())
    }

    async fn write(&mut self, sql: Sql, rows: String) -> Result<(), BoxError> {
        sqlx::query(sql.postgres).bind(rows).execute(self).await?;
        Ok(())
    }
}
