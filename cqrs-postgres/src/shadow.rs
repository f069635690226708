//! The shadow of a projection: a schema of its own, in which its tables are made anew.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::StoreError;
use sqlx::Row;
use tokio::sync::{OwnedRwLockReadGuard, oneshot};
use uuid::Uuid;

use crate::connection::Database;
use crate::error::{failed, is_locked};
use crate::schema::{READ_MODEL, quoted};
use crate::session::Session;
use crate::tables::Tables;

const ACTION: &str = "make a shadow of a read model";
const LOCK: &str = include_str!("sql/shadow_lock.sql");
const LEFT: &str = include_str!("sql/shadow_left.sql");

/// How long one who rebuilt the same, and has just ended, is waited for, in milliseconds.
const LOCK_TIMEOUT_MILLIS: u32 = 5_000;

/// How often the lock's connection says that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// After how long without one the server believes its node dead, in milliseconds.
const SILENCE_MILLIS: u32 = 60_000;

/// How many connections a shadow has: one to write with, and one to spare.
const CONNECTIONS: u32 = 2;

/// A shadow's schema. It is dropped when this is.
#[derive(Debug)]
pub(crate) struct Shadow {
    schema: String,
    tables: Tables,
    _kept: oneshot::Sender<()>,
}

/// Another node, or another application of this one, has the lock.
#[derive(Debug, thiserror::Error)]
#[error("somebody else is rebuilding it")]
struct Rebuilding;

impl Shadow {
    /// Makes a shadow. What one who was killed has left is thrown away.
    pub(crate) async fn make(database: &Arc<Database>, projection: &str) -> Result<Self, StoreError> {
        let failed = |error| failed(ACTION, database.place(), error);
        let live = &database.options().schema;
        let open = database.shadows().await;
        let mut session = database.session(ACTION).await?;
        match lock(&mut session, live, projection).await {
            Err(error) if is_locked(&error) => return Err(StoreError::backend(ACTION, Rebuilding)),
            locked => locked.map_err(failed)?,
        }
        let schema = format!("cqrs_shadow_{}", Uuid::new_v4().simple());
        let (kept, dropped) = oneshot::channel();
        // From here on the keeper drops whatever has been made, also when making the rest fails.
        tokio::spawn(keep(session, schema.clone(), dropped, open));
        let tables = Tables::new(database.server(), &schema, database.options(), CONNECTIONS);
        let shadow = Self { schema, tables, _kept: kept };
        let mut session = database.session(ACTION).await?;
        let comment = format!("shadow of projection {projection} in schema {live}");
        fill(&mut session, &shadow.schema, &comment).await.map_err(failed)?;
        session.close().await;
        Ok(shadow)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }
}

/// Takes the right to rebuild a projection, for as long as a transaction lasts: that also holds where a pooler is in between.
async fn lock(session: &mut Session, live: &str, projection: &str) -> Result<(), sqlx::Error> {
    session.begin().await?;
    let patience = format!(
        "SET LOCAL lock_timeout = {LOCK_TIMEOUT_MILLIS}; \
         SET LOCAL idle_in_transaction_session_timeout = {SILENCE_MILLIS}"
    );
    session.text(patience).await?;
    session.run(sqlx::query(LOCK).bind(live.to_owned()).bind(projection.to_owned())).await?;
    session.text("SET LOCAL lock_timeout TO DEFAULT".to_owned()).await
}

/// Drops what was left by others with the same comment, and makes an empty schema.
async fn fill(session: &mut Session, schema: &str, comment: &str) -> Result<(), sqlx::Error> {
    let (left, _) = session.run(sqlx::query(LEFT).bind(comment.to_owned())).await?;
    for row in &left {
        let left: String = row.try_get(0)?;
        tracing::info!(schema = left, "a shadow that was left behind is dropped");
        session.text(format!("DROP SCHEMA {} CASCADE", quoted(&left))).await?;
    }
    session.begin().await?;
    let name = quoted(schema);
    session.text(format!("CREATE SCHEMA {name}; SET LOCAL search_path = {name}")).await?;
    session.text(format!("COMMENT ON SCHEMA {name} IS {}", literal(comment))).await?;
    READ_MODEL.make(session).await?;
    session.commit().await
}

/// A text as it can stand in any statement.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Holds the lock until the shadow is dropped, and drops its schema then.
async fn keep(
    mut lock: Session,
    schema: String,
    mut dropped: oneshot::Receiver<()>,
    _open: OwnedRwLockReadGuard<()>,
) {
    loop {
        match tokio::time::timeout(SIGN_OF_LIFE, &mut dropped).await {
            Ok(_) => break,
            // Who loses the lock loses the shadow only when somebody else begins; and finds that out from its tables.
            Err(_) => drop(lock.text("SELECT 1".to_owned()).await),
        }
    }
    let thrown_away = async {
        lock.text(format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(&schema))).await?;
        lock.commit().await
    };
    if let Err(error) = thrown_away.await {
        tracing::warn!(schema, %error, "a shadow was not dropped; the next rebuild does it");
    }
    lock.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_where_it_ends() {
        assert_eq!(literal("it's"), "E'it''s'");
        assert_eq!(literal(r"\'; DROP"), r"E'\\''; DROP'");
    }
}
