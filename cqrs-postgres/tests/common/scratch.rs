//! A PostgreSQL database of a test's own.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "clippy lets only the tests themselves unwrap")]

use std::sync::{Arc, Weak};

use cqrs_postgres::{PostgresOptions, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::Mutex;
use uuid::Uuid;

/// A database of a test's own. It is dropped with this, whoever is connected to it.
pub(crate) struct Scratch {
    server: PgConnectOptions,
    name: String,
}

impl Scratch {
    /// Makes a database on the server that `CQRS_POSTGRES_URL` names.
    pub(crate) async fn new() -> Self {
        Self::encoded("UTF8").await
    }

    /// One that the tests of a process share while any of them runs. Each needs names of its own.
    pub(crate) async fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Scratch>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(scratch) = shared.upgrade() {
            return scratch;
        }
        let scratch = Arc::new(Self::new().await);
        *shared = Arc::downgrade(&scratch);
        scratch
    }

    /// As [`Scratch::new`], in an encoding.
    pub(crate) async fn encoded(encoding: &str) -> Self {
        let url = std::env::var("CQRS_POSTGRES_URL").expect("CQRS_POSTGRES_URL names the server");
        let server: PgConnectOptions = url.parse().expect("CQRS_POSTGRES_URL is the URL of a server");
        let server = server.disable_statement_logging();
        let name = format!("cqrs_test_{}", Uuid::new_v4().simple());
        let mut administrator = server.connect().await.expect("the server of CQRS_POSTGRES_URL");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'");
        administrator.execute(AssertSqlSafe(create)).await.unwrap();
        administrator.close().await.unwrap();
        Self { server, name }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.url_as(self.server.get_username())
    }

    /// Its URL for another user.
    pub(crate) fn url_as(&self, user: &str) -> String {
        let url = std::env::var("CQRS_POSTGRES_URL").unwrap();
        let rest = url.split_once("://").unwrap().1;
        let authority = rest.split(['/', '?']).next().unwrap();
        let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let query = rest.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        let login = match login.split_once(':') {
            Some((_, password)) => format!("{user}:{password}"),
            None => user.to_owned(),
        };
        format!("postgres://{login}@{host}/{}{query}", self.name)
    }

    /// How a pooler reaches the server.
    pub(crate) fn server_parameters(&self) -> String {
        let (host, port) = (self.server.get_host(), self.server.get_port());
        let url = std::env::var("CQRS_POSTGRES_URL").unwrap();
        let login = url.split_once("://").unwrap().1.rsplit_once('@').map_or("", |(login, _)| login);
        let password = login.split_once(':').map(|(_, password)| format!(" password={password}"));
        let user = self.server.get_username();
        format!("host={host} port={port} user={user}{}", password.unwrap_or_default())
    }

    /// A store in it.
    pub(crate) async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.url()).await.unwrap()
    }

    /// A store in a schema of it.
    pub(crate) async fn tenant(&self, schema: &str) -> PostgresStore {
        PostgresStore::connect_with(&self.url(), PostgresOptions::new().schema(schema)).await.unwrap()
    }

    /// A connection of another program, which finds our tables by their names.
    pub(crate) async fn outsider(&self) -> PgConnection {
        self.server.clone().database(&self.name).options([("search_path", "cqrs")]).connect().await.unwrap()
    }
}

impl Drop for Scratch {
    /// On a thread and a runtime of its own: it may be dropped where one cannot wait.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut administrator = server.connect().await?;
                administrator
                    .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
                    .await?;
                administrator.close().await
            })
        });
        // A test that fails should tell why it does, and not that its database is still there.
        let _ = dropping.join();
    }
}
