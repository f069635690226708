//! Putting what a projection made in its shadow in the place of what it has, in one transaction.

use std::collections::HashSet;
use std::time::Duration;

use cqrs_core::{Position, StepError};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio::time::Instant;

use crate::connection::Database;
use crate::error::{dependents, failed, is_locked, not_written};
use crate::read::clamp;
use crate::read_model::checkpoint;
use crate::schema::{READ_MODEL, quoted};
use crate::session::Session;

const ACTION: &str = "put a shadow in the place of a read model";
const OBJECTS: &str = include_str!("sql/schema_objects.sql");
const GRANTS: &str = include_str!("sql/replace_grants.sql");
const LOCK: &str = include_str!("sql/projection_lock.sql");
const HOLD: &str = include_str!("sql/projection_hold.sql");
const CHECKPOINT: &str = include_str!("sql/replace_checkpoint.sql");

/// How long those who use a table are waited for in one go, in milliseconds: whoever comes meanwhile waits behind. It is
/// shorter than the second after which the server looks for a deadlock, so that readers do not pay for it.
const LOCK_TIMEOUT_MILLIS: u32 = 250;

/// How long they are left alone then.
const PAUSE: Duration = Duration::from_millis(250);

/// Something that a projection has made.
#[derive(Clone, Debug)]
struct Object {
    /// As `DROP` and `ALTER` have it.
    kind: String,
    name: String,
    /// How it is named in a statement.
    called: String,
    /// Whether it belongs to a table, and goes wherever that goes.
    follows: bool,
}

/// Why a replacement was not made.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the checkpoint is elsewhere")]
    Fenced,
    #[error("the projection makes {0:?}, which is the name of something that the schema needs itself")]
    Ours(String),
    #[error("something else depends on what is to be replaced: {0}")]
    Needed(String),
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
}

/// Replaces what a projection has. On a connection of its own: whatever becomes of it, it takes its transaction with it.
pub(crate) async fn replace(
    database: &Database,
    projection: &str,
    shadow: &str,
    up_to: Position,
) -> Result<(), StepError> {
    let refused = |refused: Refused| match refused {
        Refused::Fenced => StepError::Fenced,
        Refused::Postgres(error) => not_written(ACTION, database.place(), error).into(),
        refused => failed(ACTION, database.place(), refused).into(),
    };
    let mut session = database.session(ACTION).await?;
    let own = READ_MODEL.own_names(&mut session).await.map_err(|error| refused(error.into()))?;
    let reserved = database.kind().own_names(&mut session).await.map_err(|error| refused(error.into()))?;
    let swap = Swap { live: &database.options().schema, shadow, projection, up_to, own, reserved };
    let began = Instant::now();
    for attempt in 0.. {
        match swap.run(&mut session, attempt).await {
            // Somebody uses a table.
            Err(Refused::Postgres(error))
                if is_locked(&error) && began.elapsed() < database.options().busy_timeout =>
            {
                session.roll_back().await.map_err(|error| refused(error.into()))?;
                tokio::time::sleep(PAUSE).await;
            }
            done => {
                done.map_err(refused)?;
                break;
            }
        }
    }
    tracing::debug!(projection, took = ?began.elapsed(), "a shadow took the place of a read model");
    session.close().await;
    Ok(())
}

struct Swap<'a> {
    live: &'a str,
    shadow: &'a str,
    projection: &'a str,
    up_to: Position,
    /// The names of what a shadow has beside what the projection has made.
    own: HashSet<String>,
    /// The names of what is the schema's own.
    reserved: HashSet<String>,
}

impl Swap<'_> {
    async fn run(&self, session: &mut Session, attempt: usize) -> Result<(), Refused> {
        session.begin().await?;
        session.text(format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLIS}")).await?;
        self.move_checkpoint(session).await?;
        let made = objects(session, self.shadow).await?;
        let (own, made): (Vec<_>, Vec<_>) =
            made.into_iter().partition(|object| self.own.contains(&object.name));
        if let Some(thief) = made.iter().find(|object| self.reserved.contains(&object.name)) {
            return Err(Refused::Ours(thief.name.clone()));
        }
        let names: Vec<_> = made.iter().map(|object| object.name.clone()).collect();
        let grants = sqlx::query(GRANTS).bind(self.live.to_owned()).bind(names.clone());
        let (grants, _) = session.run(grants).await?;
        self.clear(session, &names, attempt).await?;
        for object in &made {
            if !object.follows || object.kind == "STATISTICS" {
                let (Object { kind, called, .. }, live) = (object, quoted(self.live));
                session.text(format!("ALTER {kind} {called} SET SCHEMA {live}")).await?;
            }
        }
        for grant in &grants {
            session.text(grant.try_get(0)?).await?;
        }
        // Whatever is of a kind that was not moved keeps the schema from being dropped, and is named by the error.
        for own in own {
            own.drop(session).await?;
        }
        session.text(format!("DROP SCHEMA {}", quoted(self.shadow))).await?;
        session.commit().await?;
        Ok(())
    }

    /// Moves the checkpoint to where the shadow's is, unless it lies beyond, or is of a newer version.
    async fn move_checkpoint(&self, session: &mut Session) -> Result<(), Refused> {
        session.run(sqlx::query(LOCK).bind(self.projection.to_owned())).await?;
        let (rows, _) = session.run(sqlx::query(HOLD).bind(self.projection.to_owned())).await?;
        let live = rows.first().map(checkpoint).transpose()?;
        session.text(format!("SET LOCAL search_path = {}", quoted(self.shadow))).await?;
        let (rows, _) = session.run(sqlx::query(HOLD).bind(self.projection.to_owned())).await?;
        let made = rows.first().map(checkpoint).transpose()?;
        session.text(format!("SET LOCAL search_path = {}", quoted(self.live))).await?;
        let newer = made.map_or(0, |made| made.version);
        if live.is_some_and(|live| live.position > self.up_to || live.version > newer) {
            return Err(Refused::Fenced);
        }
        let Some(made) = made else { return Ok(()) };
        let moved = sqlx::query(CHECKPOINT)
            .bind(self.projection.to_owned())
            .bind(clamp(made.position.as_u64()))
            .bind(i64::from(made.version));
        session.run(moved).await?;
        Ok(())
    }

    /// Drops what has the names of what comes: the newest first, since the new rests on the old; and what something rests on
    /// all the same in a further round.
    async fn clear(&self, session: &mut Session, names: &[String], attempt: usize) -> Result<(), Refused> {
        let mut old = objects(session, self.live).await?;
        old.retain(|object| names.contains(&object.name));
        let locked = lock_order(&old, attempt);
        if !locked.is_empty() {
            session.text(format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", locked.join(", "))).await?;
        }
        // What goes with a table that goes is gone then; the others are in the way.
        old.sort_by_key(|object| object.follows);
        loop {
            let (mut left, mut needed) = (Vec::new(), Vec::new());
            for object in &old {
                if let Some(by) = object.drop(session).await? {
                    left.push(object.clone());
                    needed.push(by);
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            if left.len() == old.len() {
                // Tables may refer to each other.
                let tables = left.iter().filter(|object| object.kind == "TABLE");
                let tables = tables.map(|object| object.called.as_str()).collect::<Vec<_>>().join(", ");
                if tables.is_empty() || drop_by(session, format!("DROP TABLE {tables}")).await?.is_some() {
                    return Err(Refused::Needed(needed.join("; ")));
                }
                left.retain(|object| object.kind != "TABLE");
            }
            old = left;
        }
    }
}

/// In which order tables are locked. Who has one and waits for another, which is locked already, holds this up; so each attempt
/// has another order, to find the one that readers have. A view is locked with its tables, as a reader locks it.
fn lock_order(objects: &[Object], attempt: usize) -> Vec<&str> {
    let of = |kind| objects.iter().filter(move |object| object.kind == kind).map(|object| &*object.called);
    let mut tables: Vec<_> = of("TABLE").collect();
    if attempt.is_multiple_of(2) {
        tables.reverse();
    }
    let turn = attempt / 2 % tables.len().max(1);
    tables.rotate_left(turn);
    of("VIEW").chain(tables).collect()
}

impl Object {
    /// Drops it, if it is still there. What rests on it, when something does; then it stays.
    async fn drop(&self, session: &mut Session) -> Result<Option<String>, sqlx::Error> {
        drop_by(session, format!("DROP {} IF EXISTS {}", self.kind, self.called)).await
    }
}

/// Drops something. What rests on it, when something does; then it stays.
async fn drop_by(session: &mut Session, statement: String) -> Result<Option<String>, sqlx::Error> {
    session.text("SAVEPOINT before".to_owned()).await?;
    match session.text(statement).await {
        Ok(()) => session.text("RELEASE before".to_owned()).await.map(|()| None),
        Err(error) => match dependents(&error) {
            Some(dependents) => {
                session.text("ROLLBACK TO before".to_owned()).await?;
                Ok(Some(dependents))
            }
            None => Err(error),
        },
    }
}

/// All that is in a schema, the newest first.
async fn objects(session: &mut Session, schema: &str) -> Result<Vec<Object>, sqlx::Error> {
    let (rows, _) = session.run(sqlx::query(OBJECTS).bind(schema.to_owned())).await?;
    rows.iter().map(Object::read).collect()
}

impl Object {
    /// Reads a row of `schema_objects.sql`.
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            kind: row.try_get(0)?,
            name: row.try_get(1)?,
            called: row.try_get(2)?,
            follows: row.try_get(3)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_locked_first_in_some_attempt_and_from_both_ends() {
        let made = |kind: &str, name: &str| Object {
            kind: kind.into(),
            name: name.into(),
            called: name.into(),
            follows: false,
        };
        let objects = [made("VIEW", "v"), made("TABLE", "c"), made("TABLE", "b"), made("TABLE", "a")];
        let orders: Vec<_> = (0..6).map(|attempt| lock_order(&objects, attempt).concat()).collect();
        assert_eq!(orders, ["vabc", "vcba", "vbca", "vbac", "vcab", "vacb"]);
        assert!(lock_order(&[], 1).is_empty());
    }
}
