//! The projections: each keeps a table, in whichever database.

use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::AccountEvent;
use crate::database::{Sql, Tables};

/// What a table has, and how it follows from the events. Nothing here knows of connections.
pub trait Table: Send + Sync + 'static {
    /// See [`Projection::NAME`].
    const NAME: &'static str;

    /// See [`Projection::VERSION`].
    const VERSION: u32;

    /// What makes the table, where it is not there yet.
    const SCHEMA: Sql;

    /// What a batch of events changes, in the order in which it is to be written.
    ///
    /// # Errors
    ///
    /// When a number is beyond what a database can hold.
    fn changes(events: &[RecordedEvent<AccountEvent>]) -> Result<Vec<Change>, BoxError>;
}

/// A statement, and the rows that it writes.
#[derive(Debug)]
pub struct Change {
    sql: Sql,
    rows: String,
}

impl Change {
    /// Rows that a statement reads as one JSON array; nothing, where there are none.
    pub(crate) fn of<R: Serialize>(sql: Sql, rows: &[R]) -> Result<Option<Self>, serde_json::Error> {
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { sql, rows: serde_json::to_string(rows)? }))
    }

    /// Writes them.
    pub(crate) async fn write(self, connection: &mut impl Tables) -> Result<(), BoxError> {
        connection.write(self.sql, self.rows).await
    }
}

/// Keeps a table through a connection of type `C`.
pub struct Keeps<T, C = SqliteConnection>(PhantomData<fn(T, C)>);

#[async_trait]
impl<T: Table, C: Tables> Projection for Keeps<T, C> {
    const NAME: &'static str = T::NAME;
    const VERSION: u32 = T::VERSION;
    type Event = AccountEvent;
    type Target = C;

    async fn setup(&self, connection: &mut C) -> Result<(), BoxError> {
        connection.make(T::SCHEMA).await
    }

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        connection: &mut C,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<AccountEvent>],
        connection: &mut C,
    ) -> Result<(), BoxError> {
        for change in T::changes(events)? {
            change.write(connection).await?;
        }
        Ok(())
    }
}

impl<T, C> Default for Keeps<T, C> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Table, C> fmt::Debug for Keeps<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keeps").field(&T::NAME).finish()
    }
}
