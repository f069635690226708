//! Rebuilds in a file beside: everything that a projection makes is replaced, in one transaction.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::fs;
use std::path::Path;

use async_trait::async_trait;
use common::{one, place, some};
use cqrs_core::{
    App, BoxError, Consistency, Event, EventStore, Position, Projection, ReadModel, RebuildError,
    RecordedEvent, StartFrom, StepError, SubscribeOptions, SubscriberState, describe,
};
use cqrs_sqlite::{SqliteReadModel, SqliteStore};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, SqliteConnection};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    CoinMined(u64),
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

/// Makes one of each thing that a schema can have; a version has a column of its own.
struct Everything<const V: u32>;

#[async_trait]
impl<const V: u32> Projection for Everything<V> {
    const NAME: &'static str = "every/thing";
    const VERSION: u32 = V;
    type Event = AccountEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        let schema = format!(
            "CREATE TABLE IF NOT EXISTS mined (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, nonce INTEGER NOT NULL, v{V} INTEGER DEFAULT {V},
                 twice INTEGER GENERATED ALWAYS AS (2 * nonce) STORED, parent INTEGER REFERENCES mined (id));
             CREATE UNIQUE INDEX IF NOT EXISTS mined_twice ON mined (twice, id);
             CREATE TABLE IF NOT EXISTS \"a \"\"log\"\"\" (nonce INTEGER) STRICT;
             CREATE VIEW IF NOT EXISTS totals AS SELECT count(*) AS count, sum(twice) AS twice FROM mined;
             CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (word);
             CREATE TRIGGER IF NOT EXISTS mined_is_logged AFTER INSERT ON mined
             BEGIN INSERT INTO \"a \"\"log\"\"\" VALUES (NEW.nonce); END;"
        );
        connection.execute(sqlx::AssertSqlSafe(schema)).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let AccountEvent::CoinMined(nonce) = &event.data;
        let nonce = *nonce as i64;
        sqlx::query("INSERT INTO mined (nonce, parent) VALUES (?1, (SELECT max(id) FROM mined))")
            .bind(nonce)
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO words VALUES ('coin' || ?1)")
            .bind(nonce)
            .execute(&mut *connection)
            .await?;
        if nonce == 2 {
            connection.execute("DELETE FROM mined WHERE id = (SELECT max(id) FROM mined)").await?;
        }
        Ok(())
    }
}

async fn start<const V: u32>(store: &SqliteStore, model: &SqliteReadModel) -> App {
    let app = App::builder(store.clone()).projection(Everything::<V>, model.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    app
}

/// All that a query can see of it.
async fn seen(model: &SqliteReadModel) -> (Vec<(String, String)>, Vec<i64>) {
    let ours =
        "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE name LIKE 'mined%' OR name LIKE 'words%'
                OR name IN ('totals', 'a \"log\"') ORDER BY name";
    let schema = sqlx::query_as(ours).fetch_all(model.reader()).await.unwrap();
    let numbers = "SELECT count FROM totals UNION ALL SELECT twice FROM totals
                   UNION ALL SELECT count(*) FROM \"a \"\"log\"\"\" UNION ALL SELECT sum(parent) FROM mined
                   UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'mined'
                   UNION ALL SELECT count(*) FROM words WHERE words MATCH 'coin1'
                   UNION ALL SELECT count(*) FROM mined INDEXED BY mined_twice WHERE twice = 2";
    (schema, sqlx::query_scalar(numbers).fetch_all(model.reader()).await.unwrap())
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains("-rebuild-") || name.contains("-open-"));
    names
}

#[tokio::test]
async fn everything_that_a_projection_makes_is_replaced_and_nothing_else() {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let other = SqliteReadModel::open(directory.path().join("model.db")).await.unwrap();
    for model in [store.read_model(), other] {
        one(&store, some("me", 5)).await.unwrap().unwrap();
        let app = start::<1>(&store, &model).await;
        let before = seen(&model).await;
        // Somebody else's, and what was written by hand.
        let at = model.checkpoint("every/thing").await.unwrap();
        let mut transaction = model.begin("every/thing", at).await.unwrap();
        let by_hand = "CREATE TABLE mine (x); INSERT INTO mine VALUES (7); UPDATE mined SET nonce = 50";
        SqliteReadModel::target(&mut transaction).execute(by_hand).await.unwrap();
        model.commit(transaction, at.unwrap()).await.unwrap();
        assert_ne!(seen(&model).await, before);
        assert_eq!(app.rebuild("every/thing").await.unwrap(), at.unwrap().position);
        assert_eq!(seen(&model).await, before);
        let mine: i64 = sqlx::query_scalar("SELECT x FROM mine").fetch_one(model.reader()).await.unwrap();
        assert_eq!(mine, 7);
        assert!(files(directory.path()).iter().all(|name| !name.contains("-rebuild-")));
        // It goes on from there, and begins anew.
        let done = one(&store, some("me", 1)).await.unwrap().unwrap();
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        let found = model.checkpoint("every/thing").await.unwrap().unwrap();
        assert_eq!((found.position, found.version), (done.position, 1));
        let after = seen(&model).await;
        app.reset("every/thing").await.unwrap();
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
        assert_eq!(seen(&model).await, after);
        drop(app);
        drop(model);
    }
    store.close().await;
    assert_eq!(files(directory.path()), [""; 0]);
}

/// The fence once asked how many rows the statement before it had changed. The index of words wrote its own rows
/// between the two, and the event that the old program had taken in by then counted twice.
#[tokio::test]
async fn a_new_version_brings_its_schema_and_the_old_program_stops() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 5)).await.unwrap().unwrap();
    let old = start::<1>(&store, &store.read_model()).await;
    let newer = SqliteStore::open(&path).await.unwrap();
    let new = start::<2>(&newer, &newer.read_model()).await;
    let columns = "SELECT name FROM pragma_table_info('mined') WHERE name LIKE 'v_'";
    let column: String = sqlx::query_scalar(columns).fetch_one(newer.read_model().reader()).await.unwrap();
    assert_eq!(column, "v2");
    one(&store, some("me", 1)).await.unwrap().unwrap();
    let mut status = old.watch_status("every/thing").unwrap();
    let stopped = status.wait_for(|status| status.state.is_stopped()).await.unwrap().state.clone();
    let SubscriberState::Stopped { error: Some(error) } = stopped else { panic!("{stopped:?}") };
    assert!(error.starts_with("version 2 has made the read model"), "{error}");
    assert_eq!(new.settle().await.unwrap(), Consistency::Reached);
    let count: i64 = sqlx::query_scalar("SELECT count FROM totals")
        .fetch_one(newer.read_model().reader())
        .await
        .unwrap();
    assert_eq!(count, 5, "six events, one of them deleted");
}

/// Two applications that rebuild the same would write over each other's shadow.
#[tokio::test]
async fn one_rebuilds_at_a_time_and_what_a_killed_one_left_is_thrown_away() {
    let (directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 5)).await.unwrap().unwrap();
    let app = start::<1>(&store, &store.read_model()).await;
    let other = SqliteStore::open(&path).await.unwrap();
    let shadow = other.read_model().shadow("every/thing").await.unwrap();
    let error = app.rebuild("every/thing").await.unwrap_err();
    assert!(matches!(error, RebuildError::Failed(_)), "{error:?}");
    assert!(describe(&error).contains("somebody else is rebuilding it"), "{}", describe(&error));
    drop(shadow);
    let left = directory.path().join("events.db-rebuild-every%2fthing");
    fs::write(&left, "left by one who was killed").unwrap();
    fs::write(directory.path().join("events.db-rebuild-every%2fthing-lock"), "").unwrap();
    app.rebuild("every/thing").await.unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn a_shadow_that_is_behind_or_of_an_older_version_replaces_nothing() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 5)).await.unwrap().unwrap();
    let _app = start::<2>(&store, &store.read_model()).await;
    let (model, before) = (store.read_model(), seen(&store.read_model()).await);
    let shadow = model.shadow("every/thing").await.unwrap();
    let transaction = shadow.begin("every/thing", None).await.unwrap();
    let mut at = model.checkpoint("every/thing").await.unwrap().unwrap();
    shadow.commit(transaction, at).await.unwrap();
    let replaced = model.replace("every/thing", &shadow, Position::new(4)).await;
    assert!(matches!(replaced, Err(StepError::Fenced)));
    let transaction = shadow.begin("every/thing", Some(at)).await.unwrap();
    at.version = 1;
    shadow.commit(transaction, at).await.unwrap();
    let replaced = model.replace("every/thing", &shadow, Position::new(9)).await;
    assert!(matches!(replaced, Err(StepError::Fenced)));
    assert_eq!(seen(&model).await, before);
}

/// In the shadow nothing is in the way of a table with the name of one of the store's.
#[tokio::test]
async fn a_projection_cannot_replace_what_the_store_needs() {
    let (_directory, path) = place();
    let store = SqliteStore::open(&path).await.unwrap();
    let model = store.read_model();
    let shadow = model.shadow("thief").await.unwrap();
    let mut transaction = shadow.begin("thief", None).await.unwrap();
    SqliteReadModel::target(&mut transaction).execute("CREATE TABLE events (x)").await.unwrap();
    let to = cqrs_core::Checkpoint { position: Position::ZERO, version: 1 };
    shadow.commit(transaction, to).await.unwrap();
    let error = model.replace("thief", &shadow, Position::ZERO).await.unwrap_err();
    assert!(describe(&error).contains("\"events\", which is the name of something that the file needs"));
    one(&store, some("me", 1)).await.unwrap().unwrap();
}

/// What was now at the first start is known at every later one.
#[tokio::test]
async fn a_projection_that_began_at_a_moment_is_rebuilt_from_that_moment_on() {
    let (_directory, path) = place();
    let start = || async {
        let store = SqliteStore::open(&path).await.unwrap();
        let tables = store.read_model();
        let mut options = SubscribeOptions::default();
        options.start = StartFrom::Now;
        let app = App::builder(store).projection_with(Everything::<1>, tables.clone(), options).start();
        (app.await.unwrap(), tables)
    };
    let store = SqliteStore::open(&path).await.unwrap();
    one(&store, some("me", 3)).await.unwrap().unwrap();
    store.close().await;
    let (app, _) = start().await;
    app.store().append(vec![some("me", 4)]).await.unwrap().remove(0).unwrap();
    app.settle().await.unwrap();
    app.shutdown().await;
    let (app, tables) = start().await;
    app.rebuild("every/thing").await.unwrap();
    let logged: i64 = sqlx::query_scalar("SELECT count(*) FROM \"a \"\"log\"\"\"")
        .fetch_one(tables.reader())
        .await
        .unwrap();
    assert_eq!(logged, 4);
    app.shutdown().await;
}
