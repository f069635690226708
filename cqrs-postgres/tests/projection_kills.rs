//! Processes that are killed while they project, rebuild and swap: the read model is the fold of the log every time.
//!
//! `KILLS` says how many of each kind there are.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;
#[path = "common/rows.rs"]
mod rows;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Scratch, one, some};
use cqrs_core::{App, Consistency, EventStore, SubscribeOptions};
use cqrs_postgres::PostgresStore;
use rows::{Rows, check};

const URL: &str = "CQRS_POSTGRES_TEST_KILLED_URL";
const WHAT: &str = "CQRS_POSTGRES_TEST_KILLED_WHAT";

async fn start(url: &str) -> (PostgresStore, App) {
    let store = PostgresStore::connect(url).await.unwrap();
    let mut options = SubscribeOptions::default();
    options.batch_events = 100;
    // So long is the one who comes after a killed one kept waiting.
    options.lease = Duration::from_secs(1);
    let builder = App::builder(store.clone()).projection_with(Rows, store.read_model(), options);
    (store, builder.start().await.unwrap())
}

/// What is killed; nothing when the tests are run as a whole.
#[tokio::test]
async fn child() {
    let Ok(url) = env::var(URL) else { return };
    let (store, app) = start(&url).await;
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

async fn kills(what: &str) {
    let kills = env::var("KILLS").map_or(4, |kills| kills.parse().unwrap());
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    for n in 0..20 {
        one(&store, some(&n.to_string(), 100)).await.unwrap().unwrap();
    }
    store.close().await;
    for kill in 0..kills {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture"]).env(URL, scratch.url()).env(WHAT, what);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        // A swap begins after the last line of a rebuild; so every other kill comes after that line.
        let wanted =
            if kill % 2 == 0 { format!("at {}", 50 * (1 + 7 * kill % 40)) } else { "at 2000".into() };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let found =
            lines.by_ref().map(Result::unwrap).filter(|line| *line == wanted).nth(1 + kill as usize % 2);
        assert!(found.is_some(), "the child has ended by itself");
        // Anywhere in what comes then.
        std::thread::sleep(Duration::from_micros(kill * 37 % 23 * 1_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = scratch.store().await;
        check(&store).await;
        store.close().await;
        let (store, app) = start(&scratch.url()).await;
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        assert_eq!(check(&store).await, store.head().await.unwrap(), "kill {kill}");
        app.rebuild("rows").await.unwrap();
        check(&store).await;
        app.shutdown().await;
        let left = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'cqrs\\_%'";
        let left: Vec<String> =
            sqlx::query_scalar(left).fetch_all(&mut scratch.outsider().await).await.unwrap();
        assert!(left.is_empty(), "what a killed one has left is thrown away: {left:?}");
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_process_that_is_killed_while_it_projects_leaves_the_fold_of_the_log() {
    kills("projection").await;
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_process_that_is_killed_while_it_rebuilds_or_swaps_leaves_the_fold_of_the_log() {
    kills("rebuild").await;
}
