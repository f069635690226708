//! Projections write tables and checkpoint in one transaction.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::time::Duration;

use common::{Scratch, one, some};
use cqrs_core::{Checkpoint, EventStore, Position, ReadModel, StepError, StoreError, describe};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresReadModel, PostgresStore};
use sqlx::{Connection, Executor, PgConnection};

const NAME: &str = "balances";

fn at(position: u64) -> Position {
    Position::new(position)
}

fn checkpoint(position: u64) -> Checkpoint {
    Checkpoint { position: at(position), version: 1 }
}

/// Adds to a counter, and moves the checkpoint; from zero, it makes it.
async fn add(model: &PostgresReadModel, amount: i64, from: u64, to: u64) -> Result<(), StepError> {
    let from = Some(checkpoint(from)).filter(|from| from.position > Position::ZERO);
    let mut transaction = model.begin(NAME, from).await?;
    let target = PostgresReadModel::target(&mut transaction);
    target.execute("CREATE TABLE IF NOT EXISTS counter (total bigint)").await.unwrap();
    sqlx::query("INSERT INTO counter VALUES ($1)").bind(amount).execute(&mut *target).await.unwrap();
    model.commit(transaction, checkpoint(to)).await
}

async fn total(model: &PostgresReadModel) -> i64 {
    let total = "SELECT sum(total)::bigint FROM counter";
    sqlx::query_scalar(total).fetch_one(model.reader()).await.unwrap()
}

async fn alone(scratch: &Scratch) -> PostgresReadModel {
    let options = PostgresOptions::new().schema("answers");
    PostgresReadModel::connect_with(&scratch.url(), options).await.unwrap()
}

async fn both() -> (Scratch, PostgresStore, [PostgresReadModel; 2]) {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let (same, other) = (store.read_model(), alone(&scratch).await);
    (scratch, store, [same, other])
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn each_event_counts_once_and_two_runners_fence_each_other() {
    let (_scratch, _store, models) = both().await;
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

/// Nodes that start at once make the same tables at once, and go on with the same events at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn of_many_nodes_that_race_one_wins_each_round_and_the_others_are_fenced() {
    let scratch = Scratch::new().await;
    let mut nodes = Vec::new();
    for _ in 0..8 {
        nodes.push(scratch.store().await.read_model());
    }
    for round in 0..10 {
        let racers: Vec<_> = nodes
            .iter()
            .cloned()
            .map(|model| tokio::spawn(async move { add(&model, 1, round, round + 1).await }))
            .collect();
        let mut won = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(()) => won += 1,
                Err(StepError::Fenced) => {}
                Err(error) => panic!("{}", describe(&error)),
            }
        }
        assert_eq!((won, total(&nodes[0]).await), (1, round as i64 + 1));
    }
}

/// A projection that begins with what comes now is at the head of an empty log as well, and has begun.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_checkpoint_at_zero_differs_from_none() {
    let (_scratch, _store, models) = both().await;
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
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_checkpoint_of_another_version_fences() {
    let (_scratch, _store, models) = both().await;
    let newer = |position| Checkpoint { version: 2, ..checkpoint(position) };
    for model in &models {
        add(model, 1, 0, 5).await.unwrap();
        assert!(matches!(model.begin(NAME, Some(newer(5))).await, Err(StepError::Fenced)));
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(5)));
    }
}

/// The lock of the beginning only saves work; here it is as if it had been lost.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_checkpoint_that_was_moved_under_a_transaction_fences_it_at_the_end() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 5).await.unwrap();
        for change in ["UPDATE projections SET position = 6", "UPDATE projections SET version = 2"] {
            let mut transaction = model.begin(NAME, Some(checkpoint(5))).await.unwrap();
            let target = PostgresReadModel::target(&mut transaction);
            target.execute("INSERT INTO counter VALUES (100)").await.unwrap();
            target.execute(change).await.unwrap();
            let refused = model.commit(transaction, checkpoint(7)).await;
            assert!(matches!(refused, Err(StepError::Fenced)));
            assert_eq!(total(model).await, 1);
        }
        let mut transaction = model.begin("other", None).await.unwrap();
        let target = PostgresReadModel::target(&mut transaction);
        target.execute("INSERT INTO projections VALUES ('other', 3, 1)").await.unwrap();
        assert!(matches!(model.commit(transaction, checkpoint(7)).await, Err(StepError::Fenced)));
        assert_eq!(model.checkpoint("other").await.unwrap(), None);
    }
}

/// What a projection does after an error of the server has no effect, and its commit would be none.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn an_error_that_a_projection_passes_over_fails_the_batch() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 5).await.unwrap();
        let mut transaction = model.begin(NAME, Some(checkpoint(5))).await.unwrap();
        let target = PostgresReadModel::target(&mut transaction);
        target.execute("INSERT INTO counter VALUES (100)").await.unwrap();
        target.execute("INSERT INTO nowhere VALUES (100)").await.unwrap_err();
        let failed = model.commit(transaction, checkpoint(6)).await;
        assert!(matches!(failed, Err(StepError::Store(StoreError::Backend { .. }))), "{failed:?}");
        assert_eq!((total(model).await, model.checkpoint(NAME).await.unwrap()), (1, Some(checkpoint(5))));
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_dropped_transaction_leaves_nothing_and_lets_the_next_one_in() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        for position in 1..=10 {
            let mut transaction = model.begin(NAME, Some(checkpoint(position))).await.unwrap();
            PostgresReadModel::target(&mut transaction).execute("DELETE FROM counter").await.unwrap();
            drop(transaction);
            add(model, 1, position, position + 1).await.unwrap();
        }
        assert_eq!(total(model).await, 11);
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_projection_may_nest_transactions_of_its_own() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        let mut transaction = model.begin(NAME, Some(checkpoint(1))).await.unwrap();
        let target: &mut PgConnection = PostgresReadModel::target(&mut transaction);
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
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn readers_cannot_write() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        let error = model.reader().execute("DELETE FROM projections").await.unwrap_err();
        assert!(error.to_string().contains("read-only transaction"), "{error}");
    }
}

/// A projection does not keep appends waiting, nor one projection another.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn appends_and_projections_go_on_while_a_projection_works() {
    let (_scratch, store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        let mut slow = model.begin("slow", None).await.unwrap();
        PostgresReadModel::target(&mut slow).execute("CREATE TABLE slow ()").await.unwrap();
        for position in 1..=5 {
            one(&store, some("me", 1)).await.unwrap().unwrap();
            add(model, 1, position, position + 1).await.unwrap();
        }
        model.commit(slow, checkpoint(1)).await.unwrap();
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn who_waits_for_another_runner_gives_up_in_the_end() {
    let (scratch, _store, [model, _]) = both().await;
    add(&model, 1, 0, 1).await.unwrap();
    let held = model.begin(NAME, Some(checkpoint(1))).await.unwrap();
    let options = PostgresOptions::new().busy_timeout(Duration::from_secs(5));
    let other = PostgresStore::connect_with(&scratch.url(), options).await.unwrap().read_model();
    let Err(StepError::Store(error)) = other.begin(NAME, Some(checkpoint(1))).await else {
        panic!("it was let in")
    };
    assert!(describe(&error).contains("lock timeout"), "{}", describe(&error));
    model.commit(held, checkpoint(2)).await.unwrap();
    assert!(matches!(other.begin(NAME, Some(checkpoint(1))).await, Err(StepError::Fenced)));
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn extensions_and_types_of_the_public_schema_are_at_hand() {
    let (scratch, _store, models) = both().await;
    scratch.outsider().await.execute("CREATE TYPE public.colour AS ENUM ('red')").await.unwrap();
    for model in &models {
        let mut transaction = model.begin(NAME, None).await.unwrap();
        let target = PostgresReadModel::target(&mut transaction);
        target.execute("CREATE TABLE coloured (colour colour)").await.unwrap();
        model.commit(transaction, checkpoint(1)).await.unwrap();
        let schema =
            "SELECT table_schema::text FROM information_schema.tables WHERE table_name = 'coloured'";
        let schema: Vec<String> = sqlx::query_scalar(schema).fetch_all(model.reader()).await.unwrap();
        assert!(schema.contains(&model.schema().to_owned()), "{schema:?}");
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn read_models_survive_closing_and_end_with_the_store() {
    let (scratch, store, [same, other]) = both().await;
    add(&same, 1, 0, 1).await.unwrap();
    add(&other, 2, 0, 1).await.unwrap();
    store.close().await;
    other.close().await;
    assert!(matches!(same.begin(NAME, None).await, Err(StepError::Store(StoreError::Closed))));
    assert!(matches!(same.shadow(NAME).await, Err(StoreError::Closed)));
    assert!(matches!(other.checkpoint(NAME).await, Err(StoreError::Closed)));
    let (store, other) = (scratch.store().await, alone(&scratch).await);
    assert_eq!((total(&store.read_model()).await, total(&other).await), (1, 2));
    assert_eq!(other.checkpoint(NAME).await.unwrap(), Some(checkpoint(1)));
}

/// The server has ended all connections meanwhile, as it does when it is started anew.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn lost_connections_are_made_anew() {
    let (scratch, _store, models) = both().await;
    for model in &models {
        add(model, 1, 0, 1).await.unwrap();
        assert_eq!(total(model).await, 1);
    }
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    scratch.outsider().await.execute(end).await.unwrap();
    for model in &models {
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(1)));
        add(model, 1, 1, 2).await.unwrap();
        assert_eq!(total(model).await, 2);
    }
}

/// Leases are named after it: all nodes must find one name for one place, and no other place may have it.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_place_has_one_name_whatever_the_way_to_it() {
    let (scratch, _store, [same, other]) = both().await;
    let elsewhere = Scratch::new().await;
    let by_another_way = scratch.url().replace("127.0.0.1", "localhost");
    let options = PostgresOptions::new().schema("answers");
    let again = PostgresReadModel::connect_with(&by_another_way, options).await.unwrap();
    assert_eq!(again.place(), other.place());
    let places = [same.place(), other.place(), alone(&elsewhere).await.place()];
    assert!(places.iter().all(Option::is_some));
    assert!(places[0] != places[1] && places[1] != places[2], "{places:?}");
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_schema_with_events_is_none_of_read_models_alone() {
    let (scratch, _store, _) = both().await;
    let error = PostgresReadModel::connect(&scratch.url()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("another kind, event store"), "{error}");
    let options = PostgresOptions::new().schema("answers");
    let error = PostgresStore::connect_with(&scratch.url(), options).await.unwrap_err();
    assert!(error.to_string().contains("another kind, schema of read models"), "{error}");
}
