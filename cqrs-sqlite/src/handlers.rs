//! What event handlers know: checkpoints, and parked events.

use async_trait::async_trait;
use cqrs_core::{
    EventId, EventPart, HandlerCheckpoint, HandlerStep, HandlerStore, ParkedEvent, ParkedMark, ParkedQuery,
    ParkedSet, ParkedState, Position, StepError, StoreError, Timestamp,
};
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::SqliteStore;
use crate::connection::Statement;
use crate::error::{corrupt, failed, is_fenced};
use crate::event_row::Hex;
use crate::read::{clamp, json, natural};

const CHECKPOINT: &str = include_str!("sql/handler_checkpoint.sql");
/// How many statements a step has.
const STEP_STATEMENTS: usize = 6;
const STEP: &str = include_str!("sql/handler_step.sql");
const ALL: &str = include_str!("sql/parked_all.sql");
const OF_KEY: &str = include_str!("sql/parked_of_key.sql");
const HEADS: &str = include_str!("sql/parked_heads.sql");
const MARKED: &str = include_str!("sql/parked_marked.sql");
const RETRY: &str = include_str!("sql/retry_parked.sql");
const DROP: &str = include_str!("sql/drop_parked.sql");

/// A parked event's row, in the order in which `handler_step.sql` takes it.
#[derive(Serialize)]
struct ParkedRow<'a>(i64, u32, Hex, &'a str, u32, Option<&'a str>, i64, i64);

#[async_trait]
impl HandlerStore for SqliteStore {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        let statement = sqlx::query(CHECKPOINT).bind(handler.to_owned());
        let rows = self.database().read("read a handler's checkpoint", statement).await?;
        let Some(row) = rows.first() else { return Ok(HandlerCheckpoint::default()) };
        checkpoint(row).map_err(|error| corrupt(format!("checkpoint of handler {handler}: {error}")))
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        let statement = step_statement(&step)?;
        let mut turn = self.database().turn("commit a handler's step").await?;
        match turn.run(statement, STEP_STATEMENTS).await {
            Ok(_) => Ok(()),
            Err(error) if is_fenced(&error) => Err(StepError::Fenced),
            Err(error) => Err(failed("commit a handler's step", turn.path(), error).into()),
        }
    }

    async fn parked_events(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let sql = match query {
            ParkedQuery::All => ALL,
            ParkedQuery::Key(_) => OF_KEY,
            ParkedQuery::Heads => HEADS,
            ParkedQuery::Marked => MARKED,
        };
        let statement = sqlx::query(sql)
            .bind(handler.to_owned())
            .bind(clamp(after.position.as_u64()))
            .bind(after.part)
            .bind(clamp(limit as u64));
        let statement = match query {
            ParkedQuery::Key(key) => statement.bind(key.clone()),
            _ => statement,
        };
        let rows = self.database().read("read parked events", statement).await?;
        let damaged = |error| corrupt(format!("a parked event of handler {handler}: {error}"));
        rows.iter().map(|row| parked(row).map_err(damaged)).collect()
    }

    async fn mark_parked(
        &self,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        let (key, part) = match set {
            ParkedSet::All => (None, None),
            ParkedSet::Key(key) => (Some(key.clone()), None),
            ParkedSet::Event(part) => (None, Some(part)),
        };
        let sql = match mark {
            ParkedMark::Retry => RETRY,
            ParkedMark::Drop => DROP,
        };
        let statement = sqlx::query(sql)
            .bind(handler.to_owned())
            .bind(key)
            .bind(part.map(|part| clamp(part.position.as_u64())))
            .bind(part.map(|part| part.part));
        self.write("mark parked events", statement, 1).await
    }
}

/// A step as one call: the fence in it stops it unless its revision follows the one that is there.
fn step_statement(step: &HandlerStep) -> Result<Statement, StoreError> {
    let HandlerStep { handler, checkpoint, parked, released } = step;
    let parked: Vec<_> = parked.iter().map(ParkedRow::of).collect();
    let released: Vec<_> = released.iter().map(|part| (clamp(part.position.as_u64()), part.part)).collect();
    let revision = clamp(checkpoint.revision);
    Ok(sqlx::query(STEP)
        .bind(handler.clone())
        .bind(revision)
        .bind(handler.clone())
        .bind(revision)
        .bind(clamp(checkpoint.read_to.as_u64()))
        .bind(json(&checkpoint.watermarks)?)
        .bind(handler.clone())
        .bind(json(&parked)?)
        .bind(handler.clone())
        .bind(json(&released)?))
}

impl<'a> ParkedRow<'a> {
    fn of(event: &'a ParkedEvent) -> Self {
        Self(
            clamp(event.part.position.as_u64()),
            event.part.part,
            Hex(event.event.as_uuid()),
            &event.key,
            event.attempts,
            event.last_error.as_deref(),
            event.at.as_micros(),
            number(event.state),
        )
    }
}

/// The number of a state in the column `state`.
fn number(state: ParkedState) -> i64 {
    match state {
        ParkedState::Waiting => 0,
        ParkedState::Parked => 1,
        ParkedState::ToRetry => 2,
        ParkedState::ToDrop => 3,
    }
}

fn state(number: i64) -> Result<ParkedState, sqlx::Error> {
    Ok(match number {
        0 => ParkedState::Waiting,
        1 => ParkedState::Parked,
        2 => ParkedState::ToRetry,
        3 => ParkedState::ToDrop,
        _ => return decoded(Err(format!("{number} is no state"))),
    })
}

fn decoded<T, E: Into<cqrs_core::BoxError>>(result: Result<T, E>) -> Result<T, sqlx::Error> {
    result.map_err(|error| sqlx::Error::Decode(error.into()))
}

fn checkpoint(row: &SqliteRow) -> Result<HandlerCheckpoint, sqlx::Error> {
    Ok(HandlerCheckpoint {
        revision: natural(row, 0)?,
        read_to: Position::new(natural(row, 1)?),
        watermarks: decoded(serde_json::from_str(row.try_get(2)?))?,
    })
}

/// Reads a parked event from the columns of the queries.
fn parked(row: &SqliteRow) -> Result<ParkedEvent, sqlx::Error> {
    let small = |index| decoded(u32::try_from(natural(row, index)?));
    Ok(ParkedEvent {
        part: EventPart { position: Position::new(natural(row, 0)?), part: small(1)? },
        event: EventId::new(decoded(Uuid::from_slice(row.try_get(2)?))?),
        key: row.try_get(3)?,
        attempts: small(4)?,
        last_error: row.try_get(5)?,
        at: Timestamp::from_micros(row.try_get(6)?),
        state: state(row.try_get(7)?)?,
    })
}
