//! Processes that are killed while they project, rebuild and swap: the read model is the fold of the log every time.
//!
//! `KILLS` says how many of each kind there are.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use common::{everything, one, place, some};
use cqrs_core::{
    App, BoxError, Consistency, Event, EventStore, Position, Projection, ReadModel, RecordedEvent,
    SubscribeOptions, SubscriberState,
};
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use sqlx::{Executor, SqliteConnection};

const PATH: &str = "CQRS_SQLITE_TEST_KILLED_PATH";
const WHAT: &str = "CQRS_SQLITE_TEST_KILLED_WHAT";

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    CoinMined(u64),
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

/// Keeps a row for each event, and sums in another table. Tells of each batch, for whoever wants to kill it there.
struct Rows;

#[async_trait]
impl Projection for Rows {
    const NAME: &'static str = "rows";
    type Event = AccountEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        let schema = "CREATE TABLE IF NOT EXISTS rows (position INTEGER PRIMARY KEY, stream TEXT, text TEXT);
                      CREATE INDEX IF NOT EXISTS rows_by_stream ON rows (stream);
                      CREATE TABLE IF NOT EXISTS sums (stream TEXT PRIMARY KEY, events INTEGER) WITHOUT ROWID";
        connection.execute(schema).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let AccountEvent::CoinMined(nonce) = &event.data;
        let (position, stream) = (event.position.as_u64() as i64, event.stream.key().to_owned());
        sqlx::query("INSERT INTO rows VALUES (?1, ?2, printf('%.200c', ?3))")
            .bind(position)
            .bind(&stream)
            .bind(nonce.to_string())
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO sums VALUES (?1, 1) ON CONFLICT (stream) DO UPDATE SET events = events + 1",
        )
        .bind(&stream)
        .execute(&mut *connection)
        .await?;
        if position % 50 == 0 {
            println!("at {position}");
        }
        Ok(())
    }
}

async fn start(path: &Path) -> (SqliteStore, App) {
    let store = SqliteStore::open(path).await.unwrap();
    let mut options = SubscribeOptions::default();
    options.batch_events = 100;
    // Longer than any test: who goes on does not because it has ended.
    options.lease = Duration::from_secs(3_600);
    let builder = App::builder(store.clone()).projection_with(Rows, store.read_model(), options);
    (store, builder.start().await.unwrap())
}

/// What is killed; nothing when the tests are run as a whole.
#[tokio::test]
async fn child() {
    let Some(path) = env::var_os(PATH) else { return };
    let (store, app) = start(Path::new(&path)).await;
    let what = env::var(WHAT).unwrap();
    loop {
        one(&store, some("written by the child", 1)).await.unwrap().unwrap();
        match &*what {
            "projection" => app.reset("rows").await.unwrap(),
            _ => drop(app.rebuild("rows").await.unwrap()),
        }
        println!("again");
        app.settle().await.unwrap();
    }
}

/// What is in the tables, and what the log comes to, up to the checkpoint.
async fn check(store: &SqliteStore) -> Position {
    let model = store.read_model();
    let at = model.checkpoint("rows").await.unwrap().map_or(Position::ZERO, |at| at.position);
    let mut wanted = BTreeMap::new();
    for event in everything(store).await.into_iter().filter(|event| event.position <= at) {
        *wanted.entry(event.stream.key().to_owned()).or_insert(0_i64) += 1;
    }
    let sums: Vec<(String, i64)> =
        sqlx::query_as("SELECT * FROM sums ORDER BY stream").fetch_all(model.reader()).await.unwrap();
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT stream, count(*) FROM rows GROUP BY stream ORDER BY stream")
            .fetch_all(model.reader())
            .await
            .unwrap();
    let wanted: Vec<_> = wanted.into_iter().collect();
    assert_eq!(sums, wanted, "at {at}");
    assert_eq!(rows, wanted, "at {at}");
    at
}

async fn kills(what: &str) {
    let kills = env::var("KILLS").map_or(10, |kills| kills.parse().unwrap());
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    for n in 0..20 {
        one(&store, some(&n.to_string(), 100)).await.unwrap().unwrap();
    }
    store.close().await;
    for kill in 0..kills {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture"]).env(PATH, &path).env(WHAT, what);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // A swap begins after the last line of a rebuild; so every other kill comes after that line.
        let wanted =
            if kill % 2 == 0 { format!("at {}", 50 * (1 + 7 * kill % 40)) } else { "at 2000".into() };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let found =
            lines.by_ref().map(Result::unwrap).filter(|line| *line == wanted).nth(1 + kill as usize % 2);
        assert!(found.is_some(), "the child has ended by itself");
        // Anywhere in what comes then.
        std::thread::sleep(Duration::from_micros(kill * 37 % 23 * 400));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        check(&store).await;
        store.close().await;
        let (store, app) = start(&path).await;
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        assert_eq!(check(&store).await, store.head().await.unwrap(), "kill {kill}");
        if kill % 5 == 0 {
            app.rebuild("rows").await.unwrap();
            check(&store).await;
        }
        app.shutdown().await;
        let left: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().path()).collect();
        let locks = left.iter().filter(|path| path.display().to_string().contains("-open-"));
        assert_eq!(locks.count(), 0, "a dead holder is noticed: {left:?}");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_projects_leaves_the_fold_of_the_log() {
    kills("projection").await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_rebuilds_or_swaps_leaves_the_fold_of_the_log() {
    kills("rebuild").await;
}

/// Two applications on one file: one works, the other follows it, and takes over when it has ended.
#[tokio::test]
async fn one_of_two_runners_works_and_the_other_follows_and_takes_over() {
    let (_directory, path) = place();
    let (store, first) = start(&path).await;
    one(&store, some("a", 5)).await.unwrap().unwrap();
    first.settle().await.unwrap();
    let (other, second) = start(&path).await;
    let mut waiting = second.watch_status("rows").unwrap();
    waiting.wait_for(|it| matches!(it.state, SubscriberState::Waiting { .. })).await.unwrap();
    let done = one(&other, some("b", 5)).await.unwrap().unwrap();
    assert_eq!(second.settle().await.unwrap(), Consistency::Reached, "it sees what the other has done");
    assert_eq!(check(&other).await, done.position);
    assert!(matches!(waiting.borrow().state, SubscriberState::Waiting { .. }));
    first.shutdown().await;
    waiting.wait_for(|it| it.state == SubscriberState::Running).await.unwrap();
    one(&other, some("c", 5)).await.unwrap().unwrap();
    assert_eq!(second.settle().await.unwrap(), Consistency::Reached);
    check(&other).await;
}

/// A killed process does not keep others waiting for the rest of its lease.
#[tokio::test]
async fn the_lease_of_a_killed_process_is_free_at_once() {
    let (_directory, path) = place();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(PATH, &path).env(WHAT, "rebuild");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "again"));
    let (store, app) = start(&path).await;
    let mut status = app.watch_status("rows").unwrap();
    status.wait_for(|it| matches!(it.state, SubscriberState::Waiting { .. })).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    status.wait_for(|it| it.state == SubscriberState::Running).await.unwrap();
    app.settle().await.unwrap();
    check(&store).await;
}
