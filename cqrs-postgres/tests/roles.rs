//! What nobody may do to events, and the roles of the guide.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy lets only the tests themselves unwrap"
)]

mod common;

use common::{Scratch, everything, fresh, one, some};
use cqrs_core::{
    EventPart, EventStore, HandlerCheckpoint, HandlerStep, HandlerStore, Json, LeaseStore, Position,
    ProcessStep, ProcessStore, Snapshot, SnapshotStore, StepCause, Timestamp, Version,
};
use cqrs_postgres::{ConnectError, PostgresOptions, PostgresStore};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use uuid::Uuid;

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn events_are_never_changed_not_even_by_their_owner() {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    one(&store, some("me", 2)).await.unwrap().unwrap();
    let mut owner = scratch.outsider().await;
    for attempt in [
        "UPDATE events SET data = '2'",
        "UPDATE events SET data = '2' WHERE false",
        "DELETE FROM events WHERE position = 1",
        "TRUNCATE events",
        "TRUNCATE events, streams",
        "SET session_replication_role = replica; DELETE FROM events",
    ] {
        let error = owner.execute(attempt).await.expect_err(attempt).to_string();
        assert!(error.contains("events are never changed"), "{attempt}: {error}");
    }
    assert_eq!(everything(&store).await.len(), 2);
}

/// The statements of the guide, as they are there.
fn guide() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/stores.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let blocks = guide.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.filter(|block| block.contains("coins_app")).collect()
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn the_role_of_the_guide_can_do_its_work_and_no_more() {
    let scratch = Scratch::new().await;
    scratch.store().await.close().await;
    let mut owner = scratch.outsider().await;
    // Roles belong to the server, and other tests run on it.
    let role = fresh(&format!("cqrs_test_app_{}", Uuid::new_v4().simple()));
    let guide = guide().replace("coins_app", &role);
    assert!(guide.contains(&role));
    owner.execute(AssertSqlSafe(guide)).await.unwrap();

    let result = work_as(&scratch, &role).await;
    owner.execute(AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}"))).await.unwrap();
    result.unwrap();
}

async fn work_as(scratch: &Scratch, role: &str) -> Result<(), Box<dyn std::error::Error>> {
    let options = PostgresOptions::new().without_migrations();
    let store = PostgresStore::connect_with(&scratch.url_as(role), options).await?;
    let appended = one(&store, some("me", 2)).await??;
    assert_eq!(everything(&store).await.len(), 2);
    let stream = common::stream("me");
    let snapshot =
        Snapshot { stream, version: Version::new(2), schema_version: 1, state: Json::parse("1")? };
    assert!(store.save_snapshot(snapshot).await?);
    let now = Timestamp::from_micros(1);
    store.acquire_lease("l", Uuid::nil(), now, now).await?;
    store.release_lease("l", Uuid::nil()).await?;
    let checkpoint =
        HandlerCheckpoint { revision: 1, read_to: appended.position, watermarks: vec![appended.position] };
    let step = HandlerStep {
        handler: "h".to_owned(),
        checkpoint,
        parked: Vec::new(),
        released: vec![EventPart::ZERO],
    };
    store.commit_handler(step).await?;
    let step = ProcessStep {
        process: "p".to_owned(),
        cause: StepCause::Events { from: Position::ZERO, to: appended.position },
        instances: Vec::new(),
        tasks: Vec::new(),
        cancels: Vec::new(),
        at: now,
    };
    store.commit_step(step).await?;
    assert_eq!(store.prune_tasks(now).await?, 0);
    store.close().await;

    let server: sqlx::postgres::PgConnectOptions = scratch.url_as(role).parse()?;
    let mut application = server.options([("search_path", "cqrs")]).connect().await?;
    for attempt in [
        "UPDATE events SET data = '2'",
        "DELETE FROM events",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DROP TABLE events",
        "UPDATE streams SET name = 'x'",
        "DELETE FROM receipts",
        "CREATE TABLE cqrs.mine (id int)",
        "UPDATE cqrs_schema SET version = 0",
    ] {
        let error = application.execute(attempt).await.expect_err(attempt).to_string();
        assert!(
            error.contains("permission denied") || error.contains("must be owner"),
            "{attempt}: {error}"
        );
    }
    Ok(())
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn who_may_not_create_a_schema_is_told_so_at_once() {
    let scratch = Scratch::new().await;
    let role = fresh(&format!("cqrs_test_nobody_{}", Uuid::new_v4().simple()));
    let mut owner = scratch.outsider().await;
    owner.execute(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN PASSWORD 'postgres'"))).await.unwrap();
    let error = PostgresStore::connect(&scratch.url_as(&role)).await.unwrap_err();
    owner.execute(AssertSqlSafe(format!("DROP ROLE {role}"))).await.unwrap();
    let ConnectError::Postgres { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("permission denied for database"), "{source}");
}
