//! Putting what a projection made in its shadow in the place of what it has in the file, in one transaction.

use std::collections::HashMap;
use std::path::Path;

use cqrs_core::{Position, StepError};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqliteConnection};

use crate::connection::Database;
use crate::error::{failed, is_fenced};
use crate::file::READ_MODEL;
use crate::options::Synchronous;
use crate::read::clamp;

const ACTION: &str = "put a shadow in the place of a read model";
const OBJECTS: &str = include_str!("sql/shadow_objects.sql");
const CHECKPOINT: &str = include_str!("sql/replace_checkpoint.sql");

/// Something that a projection has made: a table, an index, a view or a trigger.
struct Object {
    kind: Kind,
    name: String,
    sql: Option<String>,
    /// Whether it is the inside of a virtual table, which makes it itself.
    inside: bool,
    /// The columns that can be written, when there are others.
    columns: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Table,
    Virtual,
    Index,
    View,
    Trigger,
}

/// Why a replacement was not made.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the projection makes {0:?}, which is the name of something that the file needs itself")]
    Ours(String),
    #[error("the projection makes {0:?}, which is of a kind that is not known: {1}")]
    Unknown(String, String),
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
}

/// Replaces what projection has in the file. On a connection of its own: whatever becomes of it, it takes its
/// transaction and the shadow with it.
pub(crate) async fn replace(
    database: &Database,
    projection: &str,
    shadow: &Path,
    up_to: Position,
) -> Result<(), StepError> {
    let failed = |error: Refused| failed(ACTION, database.path(), error);
    let gate = database.enter(ACTION).await?;
    // The copy into the main file waits until others may write again.
    let options = database.options().writer(database.path(), Synchronous::Normal).foreign_keys(false);
    let options = options.pragma("wal_autocheckpoint", "0");
    let connected = options.connect().await;
    let mut connection = connected.map_err(|error| failed(error.into()))?;
    match swap(&mut connection, database, projection, shadow, up_to).await {
        Ok(()) => {}
        Err(Refused::Sqlite(error)) if is_fenced(&error) => return Err(StepError::Fenced),
        Err(error) => return Err(failed(error).into()),
    }
    drop(gate);
    let copied = async {
        connection.execute("DETACH shadow").await?;
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").await?;
        connection.close().await
    };
    if let Err(error) = copied.await {
        tracing::debug!(path = %database.path().display(), %error, "the WAL is copied later");
    }
    Ok(())
}

async fn swap(
    connection: &mut SqliteConnection,
    database: &Database,
    projection: &str,
    shadow: &Path,
    up_to: Position,
) -> Result<(), Refused> {
    // A path that is no UTF-8 is refused when the database is opened.
    let shadow = shadow.to_string_lossy().into_owned();
    sqlx::query("ATTACH ? AS shadow").bind(shadow).execute(&mut *connection).await?;
    let ours = READ_MODEL.own_names().map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    let mut objects = Vec::new();
    for row in connection.fetch_all(OBJECTS).await? {
        let object = Object::read(&row)?;
        if !ours.contains(&object.name) {
            if database.own_names().contains(&object.name) {
                return Err(Refused::Ours(object.name));
            }
            objects.push(object);
        }
    }
    let began = std::time::Instant::now();
    connection.execute("BEGIN IMMEDIATE").await?;
    sqlx::query(CHECKPOINT)
        .bind(projection.to_owned())
        .bind(clamp(up_to.as_u64()))
        .execute(&mut *connection)
        .await?;
    for statement in statements(&objects, &there(connection).await?) {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    copy_sequences(connection, &objects).await?;
    connection.execute("COMMIT").await?;
    tracing::debug!(projection, took = ?began.elapsed(), "a shadow took the place of a read model");
    Ok(())
}

/// What is in the file, by name, and of which type it is.
async fn there(connection: &mut SqliteConnection) -> Result<HashMap<String, String>, sqlx::Error> {
    let rows = connection.fetch_all("SELECT name, type FROM main.sqlite_schema").await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// All that makes the file have what the shadow has.
///
/// A table whose schema is the shadow's to the letter is filled page by page, with its indexes, which is why these are
/// made first, and triggers last.
fn statements(objects: &[Object], there: &HashMap<String, String>) -> Vec<String> {
    let of = |kinds: &'static [Kind]| {
        objects.iter().filter(move |object| !object.inside && kinds.contains(&object.kind))
    };
    let mut statements = Vec::new();
    for kinds in [&[Kind::Trigger][..], &[Kind::View], &[Kind::Index], &[Kind::Table, Kind::Virtual]] {
        for object in of(kinds) {
            if let Some(kind) = there.get(&object.name) {
                statements.push(format!("DROP {kind} IF EXISTS main.{}", quoted(&object.name)));
            }
        }
    }
    for kinds in [&[Kind::Table, Kind::Virtual][..], &[Kind::Index]] {
        statements.extend(of(kinds).filter_map(|object| object.sql.clone()));
    }
    for object in objects.iter().filter(|object| object.kind == Kind::Table) {
        statements.extend(object.fill());
    }
    for kinds in [&[Kind::View][..], &[Kind::Trigger]] {
        statements.extend(of(kinds).filter_map(|object| object.sql.clone()));
    }
    statements
}

/// The numbers that `AUTOINCREMENT` has given out, also to rows that are gone.
async fn copy_sequences(connection: &mut SqliteConnection, objects: &[Object]) -> Result<(), sqlx::Error> {
    let counts = "SELECT EXISTS (SELECT 1 FROM shadow.sqlite_schema WHERE name = 'sqlite_sequence')";
    if !connection.fetch_one(counts).await?.try_get::<bool, _>(0)? {
        return Ok(());
    }
    for object in objects.iter().filter(|object| object.kind == Kind::Table) {
        sqlx::query("DELETE FROM main.sqlite_sequence WHERE name = ?1")
            .bind(&object.name)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO main.sqlite_sequence SELECT name, seq FROM shadow.sqlite_sequence WHERE name = ?1",
        )
        .bind(&object.name)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Object {
    /// Reads a row of `shadow_objects.sql`.
    fn read(row: &SqliteRow) -> Result<Self, Refused> {
        let name: String = row.try_get(1)?;
        let listed: String = row.try_get(3)?;
        let kind: String = row.try_get(0)?;
        let kind = match (&*kind, &*listed) {
            ("table", "virtual") => Kind::Virtual,
            ("table", _) => Kind::Table,
            ("index", _) => Kind::Index,
            ("view", _) => Kind::View,
            ("trigger", _) => Kind::Trigger,
            _ => return Err(Refused::Unknown(name, kind)),
        };
        let (sql, columns) = (row.try_get(2)?, row.try_get(4)?);
        Ok(Self { kind, name, sql, inside: listed == "shadow", columns })
    }

    /// Copies its rows. The inside of a virtual table is not empty when it is new.
    fn fill(&self) -> Vec<String> {
        let name = quoted(&self.name);
        let copy = match &self.columns {
            None => format!("INSERT INTO main.{name} SELECT * FROM shadow.{name}"),
            Some(columns) => {
                format!("INSERT INTO main.{name} ({columns}) SELECT {columns} FROM shadow.{name}")
            }
        };
        match self.inside {
            true => vec![format!("DELETE FROM main.{name}"), copy],
            false => vec![copy],
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
