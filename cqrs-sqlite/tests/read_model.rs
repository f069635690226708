//! Projections write tables and checkpoint in one transaction.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::time::Duration;

use common::{one, place, some};
use cqrs_core::{Checkpoint, EventStore, Position, ReadModel, StepError, StoreError};
use cqrs_sqlite::{SqliteOptions, SqliteReadModel, SqliteStore};
use sqlx::{Connection, Executor, SqliteConnection};

const NAME: &str = "balances";

fn at(position: u64) -> Position {
    Position::new(position)
}

fn checkpoint(position: u64) -> Checkpoint {
    Checkpoint { position: at(position), version: 1 }
}

/// Adds to a counter, and moves the checkpoint; from zero, it makes it.
async fn add(model: &SqliteReadModel, amount: i64, from: u64, to: u64) -> Result<(), StepError> {
    let from = Some(checkpoint(from)).filter(|from| from.position > Position::ZERO);
    let mut transaction = model.begin(NAME, from).await?;
    let target = SqliteReadModel::target(&mut transaction);
    target.execute("CREATE TABLE IF NOT EXISTS counter (total INTEGER)").await.unwrap();
    sqlx::query("INSERT INTO counter VALUES (?)").bind(amount).execute(&mut *target).await.unwrap();
    model.commit(transaction, checkpoint(to)).await
}

async fn total(model: &SqliteReadModel) -> i64 {
    sqlx::query_scalar("SELECT sum(total) FROM counter").fetch_one(model.reader()).await.unwrap()
}

async fn both() -> (tempfile::TempDir, SqliteStore, [SqliteReadModel; 2]) {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let other = SqliteReadModel::open(directory.path().join("model.db")).await.unwrap();
    let same = store.read_model();
    (directory, store, [same, other])
}

#[tokio::test]
async fn each_event_counts_once_and_two_runners_fence_each_other() {
    let (_directory, _store, models) = both().await;
    for model in &models {
        assert_eq!(model.checkpoint(NAME).await.unwrap(), None);
        add(model, 1, 0, 5).await.unwrap();
        for (from, to) in [(0, 5), (0, 6), (4, 6), (6, 7), (6, 6)] {
            assert!(matches!(add(model, 100, from, to).await, Err(StepError::Fenced)), "{from} to {to}");
        }
        add(model, 10, 5, 9).await.unwrap();
        add(model, 1000, 9, 9).await.unwrap();
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(9)));
        assert_eq!(model.checkpoint("other").await.unwrap(), None);
        assert_eq!(total(model).await, 1011);
    }
}

/// A projection that begins with what comes now is at the head of an empty log as well, and has begun.
#[tokio::test]
async fn a_checkpoint_at_zero_differs_from_none() {
    let (_directory, _store, models) = both().await;
    for model in &models {
        assert!(matches!(add(model, 1, 3, 5).await, Err(StepError::Fenced)));
        assert_eq!(model.checkpoint(NAME).await.unwrap(), None);
        add(model, 1, 0, 0).await.unwrap();
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(0)));
        assert!(matches!(add(model, 1, 0, 2).await, Err(StepError::Fenced)));
        let transaction = model.begin(NAME, Some(checkpoint(0))).await.unwrap();
        model.commit(transaction, checkpoint(2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_version_fences() {
    let (_directory, _store, models) = both().await;
    let newer = |position| Checkpoint { version: 2, ..checkpoint(position) };
    for model in &models {
        add(model, 1, 0, 5).await.unwrap();
        for (from, to) in [(newer(5), newer(6)), (newer(5), checkpoint(6))] {
            let mut transaction = model.begin(NAME, Some(from)).await.unwrap();
            let target = SqliteReadModel::target(&mut transaction);
            target.execute("INSERT INTO counter VALUES (100)").await.unwrap();
            let refused = model.commit(transaction, to).await;
            assert!(matches!(refused, Err(StepError::Fenced)));
        }
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(5)));
    }
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_lets_the_next_writer_in() {
    let (_directory, store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        for _ in 0..10 {
            let mut transaction = model.begin(NAME, Some(checkpoint(1))).await.unwrap();
            SqliteReadModel::target(&mut transaction).execute("DELETE FROM counter").await.unwrap();
            drop(transaction);
            one(&store, some("me", 1)).await.unwrap().unwrap();
            assert_eq!(total(model).await, 1);
        }
    }
    assert_eq!(store.head().await.unwrap(), at(20));
}

#[tokio::test]
async fn a_projection_may_nest_transactions_of_its_own() {
    let (_directory, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        let mut transaction = model.begin(NAME, Some(checkpoint(1))).await.unwrap();
        let target: &mut SqliteConnection = SqliteReadModel::target(&mut transaction);
        let mut nested = target.begin().await.unwrap();
        nested.execute("INSERT INTO counter VALUES (10)").await.unwrap();
        nested.rollback().await.unwrap();
        let mut nested = target.begin().await.unwrap();
        nested.execute("INSERT INTO counter VALUES (100)").await.unwrap();
        nested.commit().await.unwrap();
        assert_eq!(total(model).await, 1, "nothing is seen before the commit");
        model.commit(transaction, checkpoint(2)).await.unwrap();
        assert_eq!(total(model).await, 101);
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let (_directory, _store, models) = both().await;
    for model in &models {
        let error = model.reader().execute("DELETE FROM projections").await.unwrap_err();
        assert!(error.to_string().contains("readonly"), "{error}");
    }
}

#[tokio::test]
async fn appends_and_projections_of_one_file_take_turns() {
    let (_directory, store, [model, _]) = both().await;
    add(&model, 0, 0, 1).await.unwrap();
    let appends = async {
        for _ in 0..50 {
            one(&store, some("me", 2)).await.unwrap().unwrap();
        }
    };
    let projections = async {
        for n in 1..=50 {
            add(&model, 1, n, n + 1).await.unwrap();
        }
    };
    tokio::join!(appends, projections);
    assert_eq!((total(&model).await, store.head().await.unwrap()), (50, at(100)));
}

/// A projection that appends to the store whose file it writes would wait for itself.
#[tokio::test]
async fn who_waits_for_itself_is_told_so() {
    let (_directory, path) = place();
    let options = SqliteOptions::new().busy_timeout(Duration::from_secs(3));
    let store = SqliteStore::open_with(&path, options).await.unwrap();
    let transaction = store.read_model().begin(NAME, None).await.unwrap();
    let error = one(&store, some("me", 1)).await.unwrap_err();
    let StoreError::Backend { source, .. } = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("kept the file busy"), "{source}");
    drop(transaction);
    one(&store, some("me", 1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn read_models_survive_closing_and_end_with_the_store() {
    let (directory, store, [same, other]) = both().await;
    add(&same, 1, 0, 1).await.unwrap();
    add(&other, 2, 0, 1).await.unwrap();
    store.close().await;
    other.close().await;
    assert!(matches!(same.begin(NAME, None).await, Err(StepError::Store(StoreError::Closed))));
    assert!(matches!(other.checkpoint(NAME).await, Err(StoreError::Closed)));
    let store = SqliteStore::open(directory.path().join("events.db")).await.unwrap();
    let other = SqliteReadModel::open(directory.path().join("model.db")).await.unwrap();
    assert_eq!((total(&store.read_model()).await, total(&other).await), (1, 2));
    assert_eq!(other.checkpoint(NAME).await.unwrap(), Some(checkpoint(1)));
}
