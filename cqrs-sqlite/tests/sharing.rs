//! Several stores and several processes on one file, callers that go away, and a file that is full.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::HashMap;
use std::env;
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::{Child, Command};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{append, command, event, everything, one, outsider, place, some};
use cqrs_core::{
    AppendError, EventStore, ExpectedVersion, Position, ReadModel, StoreError, Version, describe,
};
use cqrs_sqlite::{SqliteOptions, SqliteStore, Synchronous};
use sqlx::Executor;

const CHILD_PATH: &str = "CQRS_SQLITE_TEST_CHILD_PATH";
const CHILD_BATCHES: usize = 30;

/// What another process does; nothing when the tests are run as a whole.
#[tokio::test]
async fn child() {
    let Some(path) = env::var_os(CHILD_PATH) else { return };
    // SQLite lets nobody in by his turn, and one of four may wait for all others.
    let options = SqliteOptions::new().busy_timeout(Duration::from_secs(600));
    let store = SqliteStore::open_with(path, options).await.unwrap();
    for _ in 0..CHILD_BATCHES {
        let batch = vec![some("shared", 2), some(&command().to_string(), 1)];
        for answer in store.append(batch).await.unwrap() {
            answer.unwrap();
        }
    }
    store.close().await;
}

fn spawn(path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(CHILD_PATH, path).spawn().unwrap()
}

/// Positions are 1, 2, 3 …, and so are the versions of every stream.
async fn assert_dense(store: &SqliteStore) -> usize {
    let events = everything(store).await;
    let mut versions = HashMap::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, Position::new(position));
        let version = versions.entry(event.stream.clone()).or_insert(0);
        *version += 1;
        assert_eq!(event.version, Version::new(*version));
    }
    events.len()
}

#[tokio::test]
async fn processes_that_create_and_append_at_once_make_one_dense_log() {
    let (_directory, path) = place();
    let children: Vec<_> = (0..4).map(|_| spawn(&path)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(assert_dense(&store).await, 4 * CHILD_BATCHES * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_make_one_dense_log() {
    let (_directory, path) = place();
    let stores = [SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
    let tasks: Vec<_> = (0..20)
        .map(|n: usize| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move {
                let mut won = 0;
                for _ in 0..10 {
                    let head = store.head().await.unwrap().as_u64();
                    let exact = ExpectedVersion::Exact(Version::new(head));
                    match one(&store, append("contended", exact, vec![event("A", "1")])).await.unwrap() {
                        Ok(_) => won += 1,
                        Err(AppendError::WrongExpectedVersion { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += task.await.unwrap();
    }
    assert_eq!(assert_dense(&stores[0]).await, won);
    assert!(won > 0);
}

/// A store judges by what it remembers of its last append; after another one's append that is untrue.
#[tokio::test]
async fn what_a_store_remembers_is_not_believed_once_another_has_written() {
    let (_directory, path) = place();
    let [a, b] = [SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
    let exact = |version| ExpectedVersion::Exact(Version::new(version));
    let add = |version| append("shared", exact(version), vec![event("Counted", "1")]);
    for round in 0..3 {
        let version = round * 4;
        // The second append of each is judged from memory.
        one(&a, add(version)).await.unwrap().unwrap();
        one(&a, add(version + 1)).await.unwrap().unwrap();
        let stale = one(&b, add(version)).await.unwrap().unwrap_err();
        assert!(
            matches!(stale, AppendError::WrongExpectedVersion { actual, .. } if actual == Version::new(version + 2))
        );
        let appended = one(&b, add(version + 2)).await.unwrap().unwrap();
        assert_eq!(appended.position, Position::new(version + 3));
        // As far as `a` remembers, this is as expected.
        let stale = one(&a, add(version + 2)).await.unwrap().unwrap_err();
        assert!(
            matches!(stale, AppendError::WrongExpectedVersion { actual, .. } if actual == Version::new(version + 3))
        );
        let any = append("shared", ExpectedVersion::Any, vec![event("Counted", "1")]);
        assert_eq!(one(&a, any).await.unwrap().unwrap().versions, [Version::new(version + 4)]);
    }
    assert_eq!(assert_dense(&a).await, 12);
}

#[tokio::test]
async fn a_waiter_learns_what_another_store_wrote() {
    let (_directory, path) = place();
    let [reader, writer] =
        [SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
    for n in 0..5 {
        let after = Position::new(n);
        let (found, written) = tokio::join!(reader.wait_beyond(after), one(&writer, some("me", 1)));
        written.unwrap().unwrap();
        assert_eq!(found.unwrap(), after.next());
    }
    assert_eq!(reader.wait_beyond(Position::ZERO).await.unwrap(), Position::new(5));
}

#[tokio::test]
async fn a_waiter_learns_of_this_stores_writes_without_looking_and_of_its_end() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().poll_interval(Duration::from_secs(3600));
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    let waits = futures::future::join_all((0..10).map(|_| store.wait_beyond(Position::ZERO)));
    let (found, written) = tokio::join!(waits, one(&store, some("me", 3)));
    written.unwrap().unwrap();
    assert!(found.into_iter().all(|found| found.unwrap() == Position::new(3)));
    let (ended, ()) = tokio::join!(store.wait_beyond(Position::new(3)), store.close());
    assert!(matches!(ended, Err(StoreError::Closed)));
    assert!(matches!(store.wait_beyond(Position::ZERO).await, Err(StoreError::Closed)));
}

/// Whoever waits looks into the file now and then. A wait that was polled once and then put aside, as `select!` in a loop
/// does, sat on a connection in the middle of a look, and closing waited for it for ever.
#[tokio::test]
async fn a_store_closes_while_somebody_waits_and_is_not_polled() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().busy_timeout(Duration::from_secs(3600));
    // Some number of polls leaves it in the middle of a look.
    for polls in 1..40 {
        let store = SqliteStore::open_with(&path, options.clone()).await.unwrap();
        let mut wait = Box::pin(store.wait_beyond(Position::ZERO));
        for _ in 0..polls {
            assert!(futures::poll!(&mut wait).is_pending());
            store.head().await.unwrap();
        }
        store.close().await;
        assert!(matches!(wait.await, Err(StoreError::Closed)));
    }
}

/// Gives up after it was polled so many times.
struct GivesUp<F>(Pin<Box<F>>, usize);

impl<F: Future> Future for GivesUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.1 == 0 {
            return Poll::Ready(None);
        }
        self.1 -= 1;
        match self.0.as_mut().poll(context) {
            Poll::Pending if self.1 == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_all_or_nothing_and_no_lock() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut outsider = outsider(&path).await;
    let mut gone = 0;
    for round in 0..120 {
        let batch = vec![some(&format!("{round}-a"), 3), some(&format!("{round}-b"), 200)];
        gone += usize::from(GivesUp(Box::pin(store.append(batch)), round % 12).await.is_none());
        // Another process can write although this one does nothing more.
        outsider.execute("BEGIN IMMEDIATE; ROLLBACK").await.unwrap();
        if round % 3 == 0 {
            one(&store, some("steady", 1)).await.unwrap().unwrap();
        }
    }
    assert!(gone >= 20, "only {gone} callers went away");
    assert_dense(&store).await;
    let mut counts = HashMap::new();
    for event in everything(&store).await {
        *counts.entry(event.stream.to_string()).or_insert(0) += 1;
    }
    assert_eq!(counts["account-steady"], 40);
    for round in 0..120 {
        let count = |key| counts.get(&format!("account-{round}-{key}")).copied();
        assert!(matches!((count("a"), count("b")), (None, None) | (Some(3), Some(200))));
    }
}

#[tokio::test]
async fn a_writer_who_waits_too_long_fails_with_nothing_written() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(50));
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    let mut outsider = outsider(&path).await;
    outsider.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = one(&store, some("me", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { action: "append", .. }));
    outsider.execute("ROLLBACK").await.unwrap();
    one(&store, some("me", 1)).await.unwrap().unwrap();
    assert_eq!(assert_dense(&store).await, 1);
}

#[tokio::test]
async fn a_full_file_refuses_whole_batches_and_is_still_read() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().max_bytes(400 << 10);
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    let mut written = 0;
    let error = loop {
        match store.append(vec![some("me", 100), some(&command().to_string(), 100)]).await {
            Ok(answers) => written += answers.len() * 100,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Backend { .. }), "{error:?}");
    let told = describe(&error);
    assert!(told.contains("full") && told.contains("events.db"), "{told}");
    assert!(written > 0);
    assert_eq!(assert_dense(&store).await, written);
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 100)).await.unwrap().unwrap();
    assert_eq!(assert_dense(&store).await, written + 100);
}

/// A commit that fails leaves SQLite's transaction open.
#[tokio::test]
async fn a_failed_commit_leaves_nothing_and_the_next_append_succeeds() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut outsider = outsider(&path).await;
    outsider
        .execute(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER fails_late AFTER INSERT ON events BEGIN INSERT INTO child VALUES (7); END",
        )
        .await
        .unwrap();
    let error = one(&store, some("me", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { .. }), "{error:?}");
    outsider.execute("DROP TRIGGER fails_late").await.unwrap();
    one(&store, some("me", 1)).await.unwrap().unwrap();
    assert_eq!(assert_dense(&store).await, 1);
}

#[tokio::test]
async fn writers_of_one_process_are_let_in_in_the_order_of_their_arrival() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().synchronous(Synchronous::Normal);
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    let mut appends: Vec<_> = (0..30).map(|n| Box::pin(one(&store, some(&n.to_string(), 1)))).collect();
    // Nobody is let in before all have come.
    let first = store.read_model().begin("first", None).await.unwrap();
    for append in &mut appends {
        assert!(futures::poll!(pin!(append)).is_pending());
    }
    drop(first);
    futures::future::join_all(appends).await;
    let keys: Vec<_> = everything(&store).await.iter().map(|event| event.stream.key().to_owned()).collect();
    assert_eq!(keys, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
}
