//! Reading tables, whatever the database.

use cqrs_core::StoreError;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{PgPool, Row as _, SqlitePool};

use super::Sql;
use crate::AccountId;

/// Connections that only read, so that a question never waits for a writer. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A parameter of a statement.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    Number(i64),
    Text(Option<String>),
    Flag(bool),
}

/// A row of an answer.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Reader {
    /// All rows of a statement's answer; `action` says in an error what it was for.
    pub(crate) async fn fetch<const COUNT: usize>(
        &self,
        action: &'static str,
        sql: Sql,
        arguments: [Argument; COUNT],
    ) -> Result<Vec<Row>, StoreError> {
        // The two kinds of queries have nothing in common but their methods.
        macro_rules! bound {
            ($query:expr) => {
                arguments.into_iter().fold($query, |query, argument| match argument {
                    Argument::Number(number) => query.bind(number),
                    Argument::Text(text) => query.bind(text),
                    Argument::Flag(flag) => query.bind(flag),
                })
            };
        }
        let rows = match self {
            Self::Sqlite(pool) => {
                let rows = bound!(sqlx::query(sql.sqlite)).fetch_all(pool).await;
                rows.map(|rows| rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(pool) => {
                // Planned for the arguments at hand, and for the tables of now: a plan that is kept may be for neither.
                let rows = bound!(sqlx::query(sql.postgres)).persistent(false).fetch_all(pool).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        };
        rows.map_err(|error| StoreError::backend(action, error))
    }
}

/// A number as databases have it: their integers end at 2⁶³ − 1, and nothing is counted beyond.
impl From<u64> for Argument {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<&AccountId> for Argument {
    fn from(account: &AccountId) -> Self {
        Self::Text(Some(account.to_string()))
    }
}

impl Row {
    /// An integer, or none where there is NULL.
    pub(crate) fn integer(&self, column: &'static str) -> Result<Option<i64>, StoreError> {
        let found = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        found.map_err(|error| StoreError::backend("read a row", error))
    }

    /// A text, or none where there is NULL.
    pub(crate) fn text(&self, column: &'static str) -> Result<Option<String>, StoreError> {
        let found = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        found.map_err(|error| StoreError::backend("read a row", error))
    }

    /// A number that is there.
    pub(crate) fn number(&self, column: &'static str) -> Result<u64, StoreError> {
        let found = self.integer(column)?;
        let number = found.and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| corrupt(column, &found))
    }

    /// A text that is there, read as something else.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, StoreError> {
        self.parsed_if(column)?.ok_or_else(|| corrupt(column, &None::<String>))
    }

    /// A text read as something else, or none where there is NULL.
    pub(crate) fn parsed_if<T: std::str::FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let found = self.text(column)?;
        found.map(|text| text.parse().map_err(|_| corrupt(column, &text))).transpose()
    }
}

/// Says that a table has what nobody can have written there.
pub(crate) fn corrupt(column: &str, found: &impl std::fmt::Debug) -> StoreError {
    StoreError::Corrupt { what: format!("a read model has {found:?} as {column}") }
}
