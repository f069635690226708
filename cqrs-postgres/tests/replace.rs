//! A shadow takes the place of what a projection has: everything of it, in one transaction, and nothing else.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::time::Duration;

use common::{Scratch, one, some};
use cqrs_core::{Checkpoint, EventStore, Position, ReadModel, StepError, StoreError, describe};
use cqrs_postgres::{PostgresOptions, PostgresReadModel, PostgresStore};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

const NAME: &str = "every/thing it's \\ made of";

/// Makes one of each thing that a schema can have.
const EVERYTHING: &str = "
    CREATE TYPE colour AS ENUM ('red', 'green');
    CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
    CREATE TYPE pair AS (one int, two colour);
    CREATE TYPE span AS RANGE (subtype = float8);
    CREATE SEQUENCE numbers START 7;
    CREATE FUNCTION twice(number bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 2 * number';
    CREATE TABLE mined (
        id bigserial PRIMARY KEY, nonce bigint NOT NULL CHECK (nonce > 0),
        twice bigint GENERATED ALWAYS AS (2 * nonce) STORED, parent bigint REFERENCES mined (id),
        number bigint DEFAULT nextval('numbers'), colour colour DEFAULT 'red', name short, pair pair, span span);
    CREATE UNIQUE INDEX mined_twice ON mined (twice, id);
    CREATE INDEX mined_by_function ON mined (twice(nonce));
    CREATE STATISTICS mined_statistics ON nonce, number FROM mined;
    CREATE TABLE \"a \"\"log\"\"\" (nonce bigint, id int GENERATED ALWAYS AS IDENTITY);
    CREATE TABLE parts (nonce bigint, text text) PARTITION BY RANGE (nonce);
    CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (3);
    CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (3) TO (1000);
    CREATE INDEX parts_nonce ON parts (nonce);
    CREATE TABLE chicken (id int PRIMARY KEY);
    CREATE TABLE egg (id int PRIMARY KEY REFERENCES chicken (id));
    ALTER TABLE chicken ADD FOREIGN KEY (id) REFERENCES egg (id) DEFERRABLE INITIALLY DEFERRED;
    CREATE VIEW totals AS SELECT count(*) AS count, sum(twice) AS twice FROM mined;
    CREATE MATERIALIZED VIEW remembered AS SELECT count FROM totals;
    CREATE UNIQUE INDEX remembered_once ON remembered (count);
    CREATE VIEW above AS SELECT count + 1 AS count FROM remembered;
    CREATE FUNCTION total() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count FROM totals; END;
    CREATE FUNCTION mined_is_logged() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO \"a \"\"log\"\"\" (nonce) VALUES (NEW.nonce); RETURN NULL; END';
    CREATE TRIGGER mined_is_logged AFTER INSERT ON mined FOR EACH ROW EXECUTE FUNCTION mined_is_logged();
    CREATE FUNCTION coloured(colour) RETURNS bigint LANGUAGE sql AS
        'SELECT count(*) FROM mined WHERE colour = $1';";

const ROWS: &str = "
    INSERT INTO mined (nonce, name, pair, span) SELECT nonce, 'coin', ROW(nonce, 'green')::pair, '[1,2]'
    FROM generate_series(1, 5) AS nonce;
    UPDATE mined SET parent = 1 WHERE nonce > 1;
    DELETE FROM mined WHERE nonce = 5;
    INSERT INTO parts SELECT nonce, 'x' FROM generate_series(1, 5) AS nonce;
    INSERT INTO chicken VALUES (1); INSERT INTO egg VALUES (1);
    REFRESH MATERIALIZED VIEW remembered;";

/// All that a query can see of it, and what can be done with it.
const SEEN: &str = "
    SELECT total() UNION ALL SELECT twice::bigint FROM totals UNION ALL SELECT count FROM above
    UNION ALL SELECT count(*) FROM \"a \"\"log\"\"\" UNION ALL SELECT max(id) FROM \"a \"\"log\"\"\"
    UNION ALL SELECT sum(parent)::bigint FROM mined UNION ALL SELECT max(number) FROM mined
    UNION ALL SELECT coloured('red') UNION ALL SELECT (pair).one FROM mined WHERE id = 3
    UNION ALL SELECT count(*) FROM mined WHERE twice(nonce) = 4 AND span @> 1.5::float8
    UNION ALL SELECT count(*) FROM parts UNION ALL SELECT count(*) FROM parts_high
    UNION ALL SELECT count(*) FROM chicken JOIN egg USING (id)
    UNION ALL SELECT last_value FROM numbers UNION ALL SELECT last_value FROM mined_id_seq
    UNION ALL (SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema()
                AND indexname IN ('mined_pkey', 'mined_twice', 'mined_by_function', 'parts_nonce', 'remembered_once'))
    UNION ALL (SELECT count(*) FROM pg_statistic_ext WHERE stxnamespace = current_schema()::regnamespace)";

fn checkpoint(position: u64, version: u32) -> Checkpoint {
    Checkpoint { position: Position::new(position), version }
}

/// Runs statements in a transaction of the projection, and moves its checkpoint.
async fn write(model: &PostgresReadModel, to: Checkpoint, statements: &'static str) {
    let from = model.checkpoint(NAME).await.unwrap();
    let mut transaction = model.begin(NAME, from).await.unwrap();
    PostgresReadModel::target(&mut transaction).execute(statements).await.unwrap();
    model.commit(transaction, to).await.unwrap();
}

/// Makes everything in a shadow, which is at a position in a version.
async fn shadow(model: &PostgresReadModel, to: Checkpoint) -> PostgresReadModel {
    let shadow = model.shadow(NAME).await.unwrap();
    write(&shadow, checkpoint(0, to.version), EVERYTHING).await;
    write(&shadow, to, ROWS).await;
    shadow
}

async fn replace(
    model: &PostgresReadModel,
    shadow: &PostgresReadModel,
    up_to: u64,
) -> Result<(), StepError> {
    model.replace(NAME, shadow, Position::new(up_to)).await
}

async fn seen(model: &PostgresReadModel) -> Vec<i64> {
    sqlx::query_scalar(SEEN).fetch_all(model.reader()).await.unwrap()
}

async fn both() -> (Scratch, PostgresStore, [PostgresReadModel; 2]) {
    let scratch = Scratch::new().await;
    let store = scratch.store().await;
    let options = PostgresOptions::new().schema("answers");
    let other = PostgresReadModel::connect_with(&scratch.url(), options).await.unwrap();
    let same = store.read_model();
    (scratch, store, [same, other])
}

/// The schemas that are left of shadows.
async fn left(connection: &mut PgConnection) -> i64 {
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'cqrs\\_%'";
    sqlx::query_scalar(left).fetch_one(connection).await.unwrap()
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn everything_that_a_projection_makes_is_replaced_and_nothing_else() {
    let (scratch, store, models) = both().await;
    for model in &models {
        write(model, checkpoint(0, 1), EVERYTHING).await;
        write(model, checkpoint(9, 1), ROWS).await;
        let before = seen(model).await;
        // Somebody else's, and what was written by hand.
        let by_hand = "CREATE TABLE mine AS SELECT 7 AS x; UPDATE mined SET nonce = 50; INSERT INTO chicken VALUES (2);
                       INSERT INTO egg VALUES (2); ALTER TYPE colour ADD VALUE 'blue'; DROP INDEX mined_twice";
        write(model, checkpoint(9, 1), by_hand).await;
        assert_ne!(seen(model).await, before);
        let shadow = shadow(model, checkpoint(12, 2)).await;
        assert_eq!(seen(&shadow).await, before, "a shadow is one of the same kind");
        assert_ne!(seen(model).await, before, "and in nobody's way");
        replace(model, &shadow, 9).await.unwrap();
        assert_eq!(seen(model).await, before);
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(12, 2)));
        let mine: i32 = sqlx::query_scalar("SELECT x FROM mine").fetch_one(model.reader()).await.unwrap();
        assert_eq!(mine, 7);
        // It goes on from there: triggers, defaults and functions are at home.
        write(model, checkpoint(13, 2), "INSERT INTO mined (nonce, colour) VALUES (6, 'red')").await;
        let after = seen(model).await;
        assert_eq!((after[0], after[3], after[6], after[7]), (5, 6, before[6] + 2, 5), "{after:?}");
        drop(shadow);
    }
    one(&store, some("me", 1)).await.unwrap().unwrap();
    for model in &models {
        model.close().await;
    }
    assert_eq!(left(&mut scratch.outsider().await).await, 0);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_projection_that_has_never_begun_is_replaced_as_well() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        let shadow = shadow(model, checkpoint(3, 1)).await;
        replace(model, &shadow, 0).await.unwrap();
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(3, 1)));
        assert_eq!(seen(model).await.len(), 17);
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_shadow_that_is_behind_or_of_an_older_version_replaces_nothing() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        write(model, checkpoint(5, 2), "CREATE TABLE mined (id int)").await;
        let behind = shadow(model, checkpoint(4, 2)).await;
        assert!(matches!(replace(model, &behind, 4).await, Err(StepError::Fenced)));
        drop(behind);
        let older = shadow(model, checkpoint(9, 1)).await;
        assert!(matches!(replace(model, &older, 9).await, Err(StepError::Fenced)));
        drop(older);
        let nothing = model.shadow(NAME).await.unwrap();
        assert!(matches!(replace(model, &nothing, 9).await, Err(StepError::Fenced)));
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(5, 2)));
        let columns =
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema()
                       AND table_name = 'mined'";
        let columns: i64 = sqlx::query_scalar(columns).fetch_one(model.reader()).await.unwrap();
        assert_eq!(columns, 1);
    }
}

/// The runner of another node is in the middle of a batch.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_batch_that_is_under_way_comes_first_and_the_shadow_is_behind() {
    let (_scratch, _store, [model, _]) = both().await;
    write(&model, checkpoint(5, 1), EVERYTHING).await;
    let mut batch = model.begin(NAME, Some(checkpoint(5, 1))).await.unwrap();
    PostgresReadModel::target(&mut batch).execute("INSERT INTO mined (nonce) VALUES (8)").await.unwrap();
    let shadow = shadow(&model, checkpoint(5, 1)).await;
    let replaced = replace(&model, &shadow, 5);
    tokio::pin!(replaced);
    assert!(futures::poll!(&mut replaced).is_pending());
    model.commit(batch, checkpoint(6, 1)).await.unwrap();
    assert!(matches!(replaced.await, Err(StepError::Fenced)));
    assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(6, 1)));
}

/// A runner that has read the old checkpoint works on the new tables no more than on the old ones.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_runner_of_the_old_content_is_fenced_by_the_new() {
    let (_scratch, _store, models) = both().await;
    for model in &models {
        write(model, checkpoint(5, 1), EVERYTHING).await;
        replace(model, &shadow(model, checkpoint(7, 2)).await, 5).await.unwrap();
        for old in [Some(checkpoint(5, 1)), Some(checkpoint(7, 1)), None] {
            assert!(matches!(model.begin(NAME, old).await, Err(StepError::Fenced)), "{old:?}");
        }
    }
}

/// Two who rebuild the same would be in each other's way.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn one_rebuilds_at_a_time_and_what_a_killed_one_left_is_thrown_away() {
    let (scratch, _store, models) = both().await;
    let mut outsider = scratch.outsider().await;
    for model in &models {
        let first = shadow(model, checkpoint(3, 1)).await;
        let error = model.shadow(NAME).await.unwrap_err();
        assert!(describe(&error).contains("somebody else is rebuilding it"), "{}", describe(&error));
        let _other = model.shadow("another projection").await.unwrap();
        // As when the node has died: the server has let go of the lock, and the schema is still there.
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks JOIN pg_database AS here ON here.oid = database
                   WHERE locktype = 'advisory' AND datname = current_database()";
        outsider.execute(end).await.unwrap();
        let second = model.shadow(NAME).await.unwrap();
        let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY ($1)";
        let schemas: Vec<String> = sqlx::query_scalar(schemas)
            .bind(vec![first.schema(), second.schema()])
            .fetch_all(&mut outsider)
            .await
            .unwrap();
        assert_eq!(schemas, [second.schema()]);
        // Whoever believed to have it finds out.
        assert!(matches!(first.checkpoint(NAME).await, Err(StoreError::Backend { .. })));
        assert!(matches!(replace(model, &first, 9).await, Err(StepError::Store(_))));
        drop(second);
        model.shadow(NAME).await.unwrap();
    }
}

/// In the shadow nothing is in the way of a table with the name of one of the store's.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_projection_cannot_replace_what_the_schema_needs() {
    let (_scratch, store, [model, _]) = both().await;
    for theft in [
        "CREATE TABLE events (x int)",
        "CREATE VIEW streams AS SELECT 1",
        "CREATE TABLE x (y int); CREATE INDEX events_by_stream ON x (y)",
        "CREATE FUNCTION append_batch() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ] {
        let shadow = model.shadow(NAME).await.unwrap();
        write(&shadow, checkpoint(0, 1), theft).await;
        let error = replace(&model, &shadow, 0).await.unwrap_err();
        assert!(
            describe(&error).contains("the name of something that the schema needs"),
            "{theft}: {error}"
        );
        one(&store, some("me", 1)).await.unwrap().unwrap();
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_somebody_else_has_made_of_a_table_is_not_lost() {
    let (scratch, _store, models) = both().await;
    let mut outsider = scratch.outsider().await;
    for model in &models {
        write(model, checkpoint(5, 1), EVERYTHING).await;
        let live = model.schema();
        let report = format!("CREATE VIEW public.report AS SELECT count(*) FROM {live}.mined");
        outsider.execute(AssertSqlSafe(report)).await.unwrap();
        let shadow = shadow(model, checkpoint(5, 1)).await;
        let error = replace(model, &shadow, 5).await.unwrap_err();
        let told = describe(&error);
        assert!(told.contains("something else depends on what is to be replaced"), "{told}");
        assert!(told.contains("view public.report depends on table mined"), "{told}");
        assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(5, 1)), "nothing was changed");
        outsider.execute("DROP VIEW public.report").await.unwrap();
        replace(model, &shadow, 5).await.unwrap();
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn what_others_may_do_with_a_table_they_may_do_with_the_new_one() {
    let (scratch, _store, [model, _]) = both().await;
    let mut outsider = scratch.outsider().await;
    let role = format!("role of {}", scratch.name());
    write(&model, checkpoint(5, 1), EVERYTHING).await;
    let grant = format!(
        "CREATE ROLE \"{role}\"; GRANT SELECT ON cqrs.mined, cqrs.totals TO \"{role}\";
         GRANT INSERT ON cqrs.mined TO \"{role}\" WITH GRANT OPTION; GRANT SELECT ON cqrs.chicken TO PUBLIC"
    );
    outsider.execute(AssertSqlSafe(grant)).await.unwrap();
    let access = "SELECT relname::text, array_agg(acl::text ORDER BY acl::text)
                  FROM pg_class, unnest(relacl) AS acl
                  WHERE relnamespace = 'cqrs'::regnamespace AND relname IN ('mined', 'totals', 'chicken')
                  GROUP BY 1 ORDER BY 1";
    let before = outsider.fetch_all(access).await.unwrap();
    replace(&model, &shadow(&model, checkpoint(5, 1)).await, 5).await.unwrap();
    let after = outsider.fetch_all(access).await.unwrap();
    let told = |rows: &[sqlx::postgres::PgRow]| {
        rows.iter().map(|row| (row.get::<String, _>(0), row.get::<Vec<String>, _>(1))).collect::<Vec<_>>()
    };
    assert_eq!((told(&after), told(&before).len()), (told(&before), 3));
    let gone = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    outsider.execute(AssertSqlSafe(gone)).await.unwrap();
}

/// One who reads a table for long keeps it from being replaced; and those who come behind him wait for a moment only.
#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_long_query_is_waited_for_and_others_go_on_reading() {
    let scratch = Scratch::new().await;
    let options = PostgresOptions::new().busy_timeout(Duration::from_secs(300));
    let store = PostgresStore::connect_with(&scratch.url(), options).await.unwrap();
    let model = store.read_model();
    write(&model, checkpoint(5, 1), EVERYTHING).await;
    write(&model, checkpoint(5, 1), ROWS).await;
    let shadow = shadow(&model, checkpoint(5, 1)).await;
    let mut long = model.reader().begin().await.unwrap();
    long.execute("SELECT count(*) FROM mined").await.unwrap();
    let replaced = replace(&model, &shadow, 5);
    tokio::pin!(replaced);
    for _ in 0..20 {
        tokio::select! {
            replaced = &mut replaced => panic!("under a reader: {replaced:?}"),
            seen = seen(&model) => assert_eq!(seen.len(), 17),
        }
    }
    long.commit().await.unwrap();
    replaced.await.unwrap();
    assert_eq!(seen(&model).await.len(), 17);
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_query_without_end_makes_it_give_up_with_nothing_changed() {
    let scratch = Scratch::new().await;
    let options = PostgresOptions::new().busy_timeout(Duration::from_secs(5));
    let store = PostgresStore::connect_with(&scratch.url(), options).await.unwrap();
    let model = store.read_model();
    write(&model, checkpoint(5, 1), EVERYTHING).await;
    let shadow = shadow(&model, checkpoint(5, 1)).await;
    let mut long = scratch.outsider().await;
    long.execute("BEGIN; SELECT count(*) FROM mined").await.unwrap();
    let error = replace(&model, &shadow, 5).await.unwrap_err();
    assert!(describe(&error).contains("lock timeout"), "{}", describe(&error));
    assert_eq!(model.checkpoint(NAME).await.unwrap(), Some(checkpoint(5, 1)));
    long.execute("COMMIT").await.unwrap();
    replace(&model, &shadow, 5).await.unwrap();
}

/// Whoever asks at any moment sees the whole of the old or the whole of the new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn readers_see_the_old_or_the_new_and_nothing_in_between() {
    let (_scratch, _store, [model, _]) = both().await;
    let rows = "CREATE TABLE a (n int); CREATE TABLE b (n int);
                INSERT INTO a SELECT generate_series(1, 100); INSERT INTO b SELECT generate_series(1, 100)";
    write(&model, checkpoint(1, 1), rows).await;
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let readers = (0..3).map(|_| {
        let (reader, stop) = (model.reader().clone(), stop.subscribe());
        tokio::spawn(async move {
            let mut asked = 0;
            while !*stop.borrow() {
                let both = "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)";
                let counts: (i64, i64) = sqlx::query_as(both).fetch_one(&reader).await.unwrap();
                assert_eq!(counts, (100, 100));
                asked += 1;
            }
            asked
        })
    });
    let readers: Vec<_> = readers.collect();
    for version in 2..=12 {
        let shadow = model.shadow(NAME).await.unwrap();
        write(&shadow, checkpoint(1, version), rows).await;
        replace(&model, &shadow, 1).await.unwrap();
    }
    stop.send_replace(true);
    stopped.changed().await.unwrap();
    for reader in readers {
        assert!(reader.await.unwrap() > 10);
    }
}

#[tokio::test]
#[cfg_attr(not(server), ignore = "CQRS_POSTGRES_URL is not set")]
async fn a_role_that_may_make_no_schema_is_told_so_and_projects_all_the_same() {
    let scratch = Scratch::new().await;
    let role = format!("{}_role", scratch.name());
    scratch.store().await.close().await;
    let mut outsider = scratch.outsider().await;
    let grant = format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA cqrs TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA cqrs TO {role}"
    );
    outsider.execute(AssertSqlSafe(grant)).await.unwrap();
    let options = PostgresOptions::new().without_migrations();
    let store = PostgresStore::connect_with(&scratch.url_as(&role), options).await.unwrap();
    let model = store.read_model();
    write(&model, checkpoint(5, 1), EVERYTHING).await;
    let error = model.shadow(NAME).await.unwrap_err();
    assert!(describe(&error).contains("permission denied for database"), "{}", describe(&error));
    store.close().await;
    let gone = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    outsider.execute(AssertSqlSafe(gone)).await.unwrap();
}
