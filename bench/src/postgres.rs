//! A PostgreSQL server: a database for the time of a run, and in it a schema for each case.

use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::EventStore;
use cqrs_postgres::{PostgresOptions, PostgresStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::Error;
use crate::streams::STREAMS;

/// The server, and the run's own database on it. Dropping it drops the database.
#[derive(Debug)]
pub(crate) struct Server {
    server: PgConnectOptions,
    database: String,
    schemas: AtomicU64,
}

impl Server {
    /// Makes a database of the run's own.
    pub(crate) async fn begin(url: &str) -> Result<Self, Error> {
        let database = format!("cqrs_bench_{}", Uuid::new_v4().simple());
        let server = url.parse::<PgConnectOptions>()?.disable_statement_logging();
        let server = Self { server, database, schemas: AtomicU64::new(0) };
        server.run(format!("CREATE DATABASE {}", server.database)).await?;
        Ok(server)
    }

    /// A name that no other schema of the run has.
    pub(crate) fn schema(&self) -> String {
        format!("case_{}", self.schemas.fetch_add(1, Ordering::Relaxed))
    }

    /// A store in a schema, which is made if it is not there.
    pub(crate) async fn store(&self, schema: &str) -> Result<PostgresStore, Error> {
        let url = self.server.clone().database(&self.database).to_url_lossy();
        Ok(PostgresStore::connect_with(url.as_str(), PostgresOptions::new().schema(schema)).await?)
    }

    /// A plain connection with the tables of a store in a new schema, which have the streams and the event type of the
    /// benchmark.
    pub(crate) async fn raw(&self, schema: &str) -> Result<PgConnection, Error> {
        self.store(schema).await?.close().await;
        let mut connection = self.connect(schema).await?;
        connection.execute("INSERT INTO event_types (category, name) VALUES ('meter', 'Read')").await?;
        sqlx::query("INSERT INTO streams (id, name) SELECT n + 1, 'meter-' || n FROM generate_series(0, $1 - 1) AS n")
            .bind(STREAMS as i64)
            .execute(&mut connection)
            .await?;
        Ok(connection)
    }

    /// A plain connection whose statements mean the tables of a schema.
    pub(crate) async fn connect(&self, schema: &str) -> Result<PgConnection, Error> {
        let server = self.server.clone().database(&self.database);
        Ok(server.options([("search_path", schema)]).connect().await?)
    }

    /// Frees the disk for the next case.
    pub(crate) async fn discard(&self, schema: &str) -> Result<(), Error> {
        let mut connection = self.connect(schema).await?;
        connection.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await?;
        Ok(connection.close().await?)
    }

    /// Runs a statement beside the run's own database.
    async fn run(&self, statement: String) -> Result<(), Error> {
        let mut connection = self.server.connect().await?;
        connection.execute(AssertSqlSafe(statement)).await?;
        Ok(connection.close().await?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let dropped = tokio::runtime::Runtime::new().map_err(Error::from).and_then(|runtime| {
            runtime.block_on(self.run(format!("DROP DATABASE {} WITH (FORCE)", self.database)))
        });
        if let Err(error) = dropped {
            eprintln!("the database {} was not dropped: {error}", self.database);
        }
    }
}
