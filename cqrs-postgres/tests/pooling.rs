//! Through PgBouncer, which gives out connections to the server by the transaction.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;
#[path = "common/rows.rs"]
mod rows;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use common::{Scratch, fresh, one, some};
use cqrs_core::{App, Consistency, EventStore, Projection};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
use cqrs_testing::contract::{handlers, leases, others, receipts, snapshots, steps, tasks};
use cqrs_testing::{Model, StoreFactory};
use rows::{Rows, check};
use tempfile::TempDir;

/// A pooler of a test's own, in front of a database of its own.
struct Pooler {
    process: Child,
    port: u16,
    scratch: Arc<Scratch>,
    _files: TempDir,
}

impl Pooler {
    async fn start() -> Self {
        let scratch = Scratch::shared().await;
        let files = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(process) = run(&scratch, &files, port) {
                return Self { process, port, scratch, _files: files };
            }
            // Somebody else was faster at the port.
        }
        panic!("pgbouncer does not start")
    }

    fn url(&self) -> String {
        format!("postgres://anybody@127.0.0.1:{}/{}", self.port, self.scratch.name())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a pooler, and waits until it takes connections.
fn run(scratch: &Scratch, files: &TempDir, port: u16) -> Option<Child> {
    let config = files.path().join("pgbouncer.ini");
    // Few connections for many clients, so that they are handed on all the time.
    let text = format!(
        "[databases]\n* = {}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n",
        scratch.server_parameters(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("pgbouncer");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        // It does not run as root.
        command.args(["-u", "nobody"]);
    }
    let mut process = command.arg(&config).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
    if !lines.by_ref().any(|line| line.contains("process up")) {
        process.wait().unwrap();
        return None;
    }
    // Somebody must read what it says.
    std::thread::spawn(move || lines.for_each(drop));
    Some(process)
}

#[async_trait]
impl StoreFactory for Pooler {
    type Store = PostgresStore;

    async fn make(&self) -> PostgresStore {
        let options = PostgresOptions::new().schema(fresh("pooled")).transaction_pooling();
        PostgresStore::connect_with(&self.url(), options).await.unwrap()
    }

    async fn again(&self, store: &PostgresStore) -> PostgresStore {
        let options = PostgresOptions::new().schema(store.schema()).transaction_pooling();
        PostgresStore::connect_with(&self.url(), options).await.unwrap()
    }

    async fn reopen(&self, store: PostgresStore) -> PostgresStore {
        store.close().await;
        self.again(&store).await
    }
}

#[test]
#[cfg_attr(not(pooler), ignore = "CQRS_POSTGRES_URL is not set, or there is no pgbouncer")]
fn a_store_behind_a_pooler_answers_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pooler = runtime.block_on(Pooler::start());
    let model = Model::from_env().cases(8);
    model.alone(&pooler).unwrap();
    model.together(&pooler).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(pooler), ignore = "CQRS_POSTGRES_URL is not set, or there is no pgbouncer")]
async fn a_store_behind_a_pooler_keeps_its_contract() {
    let pooler = Pooler::start().await;
    others::an_append_wakes_who_waits_by_another_handle(&pooler).await.unwrap();
    others::positions_are_dense_while_two_handles_write(&pooler).await.unwrap();
    others::one_of_repetitions_racing_by_two_handles_takes_effect(&pooler).await.unwrap();
    receipts::one_of_racing_repetitions_takes_effect(&pooler).await.unwrap();
    snapshots::of_racing_snapshots_the_newest_stays(&pooler).await.unwrap();
    steps::a_step_changes_all_of_its_parts(&pooler).await.unwrap();
    steps::of_two_racing_steps_of_a_task_one_is_fenced(&pooler).await.unwrap();
    tasks::a_thousand_tasks_and_more_are_due_at_once(&pooler).await.unwrap();
    handlers::of_two_racing_handler_steps_one_is_fenced(&pooler).await.unwrap();
    leases::one_of_racing_holders_gets_the_lease(&pooler).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(pooler), ignore = "CQRS_POSTGRES_URL is not set, or there is no pgbouncer")]
async fn without_the_option_a_pooler_is_refused_at_once() {
    let pooler = Pooler::start().await;
    let error = PostgresStore::connect(&pooler.url()).await.unwrap_err();
    let ConnectError::Postgres { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("unsupported startup parameter"), "{source}");
}

/// Statements of projections are prepared by name, and every connection of the server has seen such names before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(pooler), ignore = "CQRS_POSTGRES_URL is not set, or there is no pgbouncer")]
async fn nodes_project_and_rebuild_behind_a_pooler() {
    let pooler = Pooler::start().await;
    let first = pooler.make().await;
    let direct = pooler.scratch.tenant(first.schema()).await;
    let mut nodes = Vec::new();
    for store in [pooler.again(&first).await, pooler.again(&first).await, first] {
        let app = App::builder(store.clone()).projection(Rows, store.read_model());
        nodes.push((app.start().await.unwrap(), store));
    }
    for round in 0..20 {
        let (app, store) = &nodes[round % nodes.len()];
        one(store, some(&round.to_string(), 10)).await.unwrap().unwrap();
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        assert_eq!(check(&direct).await, direct.head().await.unwrap());
        if round % 5 == 4 {
            app.rebuild(Rows::NAME).await.unwrap();
            assert_eq!(check(&direct).await, direct.head().await.unwrap());
        }
    }
    // As the guide has it: in a transaction, with the schema's name, and with nothing prepared by name.
    for (app, store) in &nodes {
        let mut transaction = store.read_model().reader().begin().await.unwrap();
        let sums = sqlx::AssertSqlSafe(format!(
            "SELECT sum(events)::bigint FROM {}.sums WHERE events >= $1",
            store.schema()
        ));
        let sum = sqlx::query_scalar(sums).bind(1_i64).persistent(false).fetch_one(&mut *transaction).await;
        assert_eq!(sum.ok(), Some(200_i64));
        app.shutdown().await;
    }
}
