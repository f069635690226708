//! What can be chosen when a store is connected.

use std::time::Duration;

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// What the server's `synchronous_commit` says, and a power loss at least: `off` becomes `on`.
    #[default]
    Full,
    /// A crash of the node, and not of the server: a crash of the server may take the newest commits, of some
    /// hundred milliseconds.
    Normal,
}

/// How a store is connected and used. The defaults are right for most programs.
///
/// ```no_run
/// use std::time::Duration;
///
/// use cqrs_postgres::{PostgresOptions, PostgresStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = PostgresOptions::new()
///     .schema("shop")
///     .without_migrations() // a role that may create tables has made them
///     .busy_timeout(Duration::from_secs(2));
/// let store = PostgresStore::connect_with("postgres://shop@db.internal/shop?sslmode=verify-full", options).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    pub(crate) schema: String,
    pub(crate) migrates: bool,
    pub(crate) synchronous: Synchronous,
    pub(crate) busy_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    pub(crate) connections: u32,
    pub(crate) poll_interval: Duration,
    pub(crate) transaction_pooling: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "cqrs".to_owned(),
            migrates: true,
            synchronous: Synchronous::Full,
            busy_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(60),
            connections: 4,
            poll_interval: Duration::from_millis(100),
            transaction_pooling: false,
        }
    }
}

impl PostgresOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The schema that everything is in; `cqrs` by default. Stores in different schemas of a database have nothing
    /// to do with each other: a schema for each tenant keeps them apart.
    ///
    /// Its name is made of lower-case ASCII letters, digits and `_`, at most 63 of them, and begins with a letter.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Creates nothing and changes no table: the schema must be there, and as new as this program. For nodes whose
    /// role may not create tables.
    #[must_use]
    pub fn without_migrations(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// What an acknowledged append survives; a power loss by default.
    #[must_use]
    pub fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// How long a writer waits for those of other nodes, before it fails with nothing written; 10 seconds by
    /// default. The server also gives up on a node that keeps others waiting for so long and does nothing.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        // The server counts milliseconds in 31 bits, and zero would be for ever.
        self.busy_timeout = timeout.clamp(Duration::from_millis(1), Duration::from_millis(i32::MAX as u64));
        self
    }

    /// How long the server may take to answer before the connection is given up; a minute by default. It finds
    /// a server, or a way to it, that has died without a word.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = timeout;
        self
    }

    /// How many calls go on at once, besides the appends, which have a connection of their own; 4 by default, at
    /// least 1.
    #[must_use]
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How soon events of other nodes are noticed when no notification tells of them; 100 milliseconds by
    /// default, at least one. Events of this node are noticed at once.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// For a pooler between here and the server that gives out connections by the transaction, such as PgBouncer: nothing
    /// is kept on a connection, neither settings nor prepared statements, and no notifications are listened to.
    /// Each call is a transaction of its own, and takes three turns instead of one.
    #[must_use]
    pub fn transaction_pooling(mut self) -> Self {
        self.transaction_pooling = true;
        self
    }
}
