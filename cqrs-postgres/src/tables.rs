//! Connections to the tables of read models, for what users write and ask.

use std::time::Duration;

use cqrs_core::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Postgres, Transaction};

use crate::error::failed;
use crate::options::PostgresOptions;

/// Two pools of connections to one schema. They are sqlx's, because only a pool gives out a transaction that owns its
/// connection. The server plans their statements as it always does.
#[derive(Debug)]
pub(crate) struct Tables {
    /// What begins a transaction of a projection. It brings its settings along, so that nothing rests on the connection.
    begin: String,
    projections: PgPool,
    queries: PgPool,
}

impl Tables {
    pub(crate) fn new(
        server: &PgConnectOptions,
        schema: &str,
        options: &PostgresOptions,
        connections: u32,
    ) -> Self {
        // Extensions are in `public`, and the types and functions of extensions are for projections, too.
        let path = format!("{schema},public");
        let (plain, reading) = match options.transaction_pooling {
            false => {
                let plain = server.clone().options([("search_path", &*path)]);
                (plain.clone(), plain.options([("default_transaction_read_only", "on")]))
            }
            true => {
                let plain = server.clone().extra_float_digits(None).statement_cache_capacity(0);
                (plain.clone(), plain)
            }
        };
        let pool = |server: PgConnectOptions| {
            PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.answer_timeout)
                .connect_lazy_with(server.disable_statement_logging())
        };
        Self { begin: begin(schema, options), projections: pool(plain), queries: pool(reading) }
    }

    /// Begins a transaction of a projection.
    pub(crate) async fn begin(
        &self,
        action: &'static str,
        place: &str,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        match self.projections.begin_with(AssertSqlSafe(self.begin.clone())).await {
            Err(sqlx::Error::PoolClosed) => Err(StoreError::Closed),
            begun => begun.map_err(|error| failed(action, place, error)),
        }
    }

    /// The connections that the application may query with.
    pub(crate) fn queries(&self) -> &PgPool {
        &self.queries
    }

    /// Waits for who writes and reads, but not for ever: somebody may sit on a connection for as long as he likes.
    pub(crate) async fn close(&self, patience: Duration) {
        let both = futures::future::join(self.projections.close(), self.queries.close());
        let _ = tokio::time::timeout(patience, both).await;
    }
}

/// What is written here follows from the log, and can be made again: no commit waits for the disk.
fn begin(schema: &str, options: &PostgresOptions) -> String {
    let busy = options.busy_timeout.as_millis().max(1);
    // What was prepared on the same connection by others is in nobody's way: whoever shares it prepares anew each time.
    let prepared = if options.transaction_pooling { "; DEALLOCATE ALL" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = '{schema}', 'public'; \
         SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = {busy}; \
         SET LOCAL idle_in_transaction_session_timeout = {busy}{prepared}"
    )
}
