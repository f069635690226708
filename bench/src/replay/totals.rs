//! What a log is replayed into: the total of each meter.

use std::collections::HashMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};
use rusqlite::Connection;
use sqlx::SqliteConnection;

use crate::Error;
use crate::domain::MeterEvent;

/// The name of both projections.
pub(crate) const NAME: &str = "totals";

pub(super) const SCHEMA: &str = include_str!("schema.sql");
const ADD: &str = include_str!("add.sql");

/// The total of each meter, by its id.
pub(crate) type Totals = HashMap<u64, u64>;

/// Keeps the totals in a value.
pub(crate) struct InValue;

/// Keeps the totals in a table.
pub(crate) struct InTable;

/// What events come to, as far as the totals go.
pub(super) fn add<'a>(totals: &mut Totals, events: impl Iterator<Item = &'a MeterEvent>) {
    for MeterEvent::Read { meter_id, value } in events {
        *totals.entry(*meter_id).or_default() += value;
    }
}

/// Fails unless each event of the log counts once in a sum of all totals: its value is its position.
pub(super) fn check(events: u64, found: u64) -> Result<(), Error> {
    let wanted = events * (events + 1) / 2;
    match found == wanted {
        true => Ok(()),
        false => Err(format!("the totals come to {found} instead of {wanted}").into()),
    }
}

/// The sum of the totals in the table.
pub(super) fn in_table(connection: &Connection) -> Result<u64, Error> {
    let sum: i64 = connection.query_row("SELECT sum(total) FROM totals", [], |row| row.get(0))?;
    Ok(u64::try_from(sum)?)
}

#[async_trait]
impl Projection for InValue {
    const NAME: &'static str = NAME;
    type Event = MeterEvent;
    type Target = Totals;

    async fn project(
        &self,
        event: &RecordedEvent<MeterEvent>,
        totals: &mut Totals,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), totals).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<MeterEvent>],
        totals: &mut Totals,
    ) -> Result<(), BoxError> {
        add(totals, events.iter().map(|event| &event.data));
        Ok(())
    }
}

#[async_trait]
impl Projection for InTable {
    const NAME: &'static str = NAME;
    type Event = MeterEvent;
    type Target = SqliteConnection;

    async fn setup(&self, connection: &mut SqliteConnection) -> Result<(), BoxError> {
        sqlx::raw_sql(SCHEMA).execute(connection).await?;
        Ok(())
    }

    async fn project(
        &self,
        event: &RecordedEvent<MeterEvent>,
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        self.project_batch(std::slice::from_ref(event), connection).await
    }

    async fn project_batch(
        &self,
        events: &[RecordedEvent<MeterEvent>],
        connection: &mut SqliteConnection,
    ) -> Result<(), BoxError> {
        let mut totals = Totals::new();
        add(&mut totals, events.iter().map(|event| &event.data));
        let rows = serde_json::to_string(&totals.iter().collect::<Vec<_>>())?;
        sqlx::query(ADD).bind(rows).execute(connection).await?;
        Ok(())
    }
}
