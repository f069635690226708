//! Whose schema it is, and how it comes to be ours.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use crate::ConnectError;
use crate::options::PostgresOptions;
use crate::session::{Profile, Session};

/// What a schema is for.
#[derive(Debug)]
pub(crate) struct Kind {
    /// In words, also in the schema itself.
    name: &'static str,
    /// The schema, in the steps in which it grew. It says itself how many of them it has taken.
    migrations: &'static [&'static str],
}

/// A schema with events.
pub(crate) const EVENT_STORE: Kind = Kind {
    name: "event store of cqrs-postgres",
    migrations: &[
        include_str!("../migrations/store/0001_events.sql"),
        include_str!("../migrations/store/0002_snapshots.sql"),
        include_str!("../migrations/store/0003_leases.sql"),
        include_str!("../migrations/store/0004_handlers.sql"),
        include_str!("../migrations/store/0005_processes.sql"),
        include_str!("../migrations/store/0006_shares.sql"),
        include_str!("../migrations/read_model/0001_projections.sql"),
    ],
};

/// A schema with read models alone.
pub(crate) const READ_MODEL: Kind = Kind {
    name: "schema of read models of cqrs-postgres",
    migrations: &[include_str!("../migrations/read_model/0001_projections.sql")],
};

const LOOK: &str = include_str!("sql/schema_look.sql");
const VERSION: &str = include_str!("sql/schema_version.sql");
const LOCK: &str = include_str!("sql/schema_lock.sql");
const MARK: &str = include_str!("sql/schema_mark.sql");
const MOVE: &str = include_str!("sql/schema_move.sql");
const OWN_NAMES: &str = include_str!("sql/own_names.sql");

/// A name as it can stand in any statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a text can name a schema, as it is and without quotes.
pub(crate) fn is_name(text: &str) -> bool {
    /// PostgreSQL cuts longer names off.
    const LONGEST: usize = 63;
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    begins && text.len() <= LONGEST && text.bytes().all(sound) && !text.starts_with("pg_")
}

impl Kind {
    /// Whether there are events in such a schema.
    pub(crate) fn has_log(&self) -> bool {
        self.name == EVENT_STORE.name
    }

    /// Makes all that such a schema has of ours, in the first schema of the search path.
    pub(crate) async fn make(&self, session: &mut Session) -> Result<(), sqlx::Error> {
        session.text(MARK.to_owned()).await?;
        for migration in self.migrations {
            session.text((*migration).to_owned()).await?;
        }
        Ok(())
    }

    /// The names of all relations and routines that such a schema has of ours: they are made, in a schema that nobody ever
    /// sees.
    pub(crate) async fn own_names(&self, session: &mut Session) -> Result<HashSet<String>, sqlx::Error> {
        let name = quoted(&format!("cqrs_names_{}", Uuid::new_v4().simple()));
        session.begin().await?;
        session.text(format!("CREATE SCHEMA {name}; SET LOCAL search_path = {name}")).await?;
        self.make(session).await?;
        let (rows, _) = session.run(sqlx::query(OWN_NAMES)).await?;
        let names = rows.iter().map(|row| row.try_get(0)).collect();
        session.roll_back().await?;
        names
    }

    fn version(&self) -> u32 {
        self.migrations.len() as u32
    }
}

/// Makes a schema ready: ours, and of the newest version.
///
/// Nodes that start at once take turns, and all but the first find it ready. A transaction does all of it, so whoever
/// dies half-way leaves nothing.
pub(crate) async fn prepare(
    profile: &Profile,
    kind: &Kind,
    options: &PostgresOptions,
    place: &Arc<str>,
) -> Result<(), ConnectError> {
    let failed =
        |error: sqlx::Error| ConnectError::Postgres { place: place.to_string(), source: error.into() };
    let mut session = profile.open().await.map_err(failed)?;
    let busy_timeout = options.busy_timeout;
    let work = Preparation { session: &mut session, kind, schema: &options.schema, place, busy_timeout };
    let prepared = work.prepare(options.migrates).await;
    session.close().await;
    prepared.map_err(|error| match error {
        Problem::Refused(error) => error,
        Problem::Failed(error) => failed(error),
    })
}

/// Why a schema is not ready.
enum Problem {
    Refused(ConnectError),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// What there is.
struct Found {
    /// How many steps the schema has taken; zero when it has nothing in it.
    version: u32,
    /// Whether there is a schema of this name.
    exists: bool,
}

struct Preparation<'a> {
    session: &'a mut Session,
    kind: &'a Kind,
    schema: &'a str,
    place: &'a str,
    busy_timeout: Duration,
}

impl Preparation<'_> {
    async fn prepare(mut self, migrates: bool) -> Result<(), Problem> {
        self.session.begin().await?;
        let (found, needed) = (self.look().await?.version, self.kind.version());
        if found < needed {
            if !migrates {
                let place = self.place.to_owned();
                return Err(Problem::Refused(ConnectError::NotMigrated { place, found, needed }));
            }
            // Whoever is at it may take his time, and so may we.
            self.session.take_time();
            self.session.text("SET LOCAL lock_timeout = 0".to_owned()).await?;
            self.session.run(sqlx::query(LOCK).bind(self.schema.to_owned())).await?;
            // Behind a pooler the default is the server's.
            let busy = self.busy_timeout.as_millis().max(1);
            self.session.text(format!("SET LOCAL lock_timeout = {busy}")).await?;
            // Somebody may have been faster.
            let found = self.look().await?;
            self.migrate(found).await?;
        }
        self.session.commit().await?;
        Ok(())
    }

    /// What there is, if it is ours or nothing.
    async fn look(&mut self) -> Result<Found, Problem> {
        let place = || self.place.to_owned();
        let (rows, _) = self.session.run(sqlx::query(LOOK).bind(self.schema.to_owned())).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let encoding: String = row.try_get(0)?;
        if encoding != "UTF8" {
            return Err(Problem::Refused(ConnectError::Encoding { place: place(), encoding }));
        }
        let (marked, relation): (bool, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
        let foreign = |found| {
            Problem::Refused(ConnectError::Foreign { place: place(), wanted: self.kind.name, found })
        };
        let exists = row.try_get(3)?;
        if !marked {
            return match relation {
                None => Ok(Found { version: 0, exists }),
                Some(name) => Err(foreign(format!("a table {name}"))),
            };
        }
        let (rows, _) = self.session.run(sqlx::query(VERSION)).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let (kind, version): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
        if kind != self.kind.name {
            return Err(foreign(format!("the tables of another kind, {kind}")));
        }
        let version = u32::try_from(version).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let known = self.kind.version();
        match version > known {
            true => Err(Problem::Refused(ConnectError::Newer { place: place(), found: version, known })),
            false => Ok(Found { version, exists }),
        }
    }

    /// Takes the steps that are left.
    async fn migrate(&mut self, Found { version: found, exists }: Found) -> Result<(), Problem> {
        if found == self.kind.version() {
            return Ok(());
        }
        if !exists {
            self.session.text(format!("CREATE SCHEMA {}", self.schema)).await?;
        }
        if found == 0 {
            self.session.text(MARK.to_owned()).await?;
        }
        for migration in &self.kind.migrations[found as usize..] {
            self.session.text((*migration).to_owned()).await?;
        }
        let moved = sqlx::query(MOVE).bind(self.kind.name).bind(self.kind.version() as i32);
        self.session.run(moved).await?;
        tracing::info!(
            schema = self.schema,
            from = found,
            to = self.kind.version(),
            "the schema was migrated"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_a_name_that_needs_no_quotes() {
        for name in ["cqrs", "t", "tenant_7", &"x".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "7", "_x", "Tenant", "a-b", "a b", "a;b", "a\"", "ä", "pg_x", &"x".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
