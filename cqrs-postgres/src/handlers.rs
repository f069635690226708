//! What event handlers know: checkpoints, and parked events.

use std::collections::BTreeMap;
use std::num::TryFromIntError;

use async_trait::async_trait;
use cqrs_core::{
    EventId, EventPart, HandlerCheckpoint, HandlerStep, HandlerStore, ParkedEvent, ParkedMark, ParkedQuery,
    ParkedSet, ParkedState, Position, StepError, StoreError, Timestamp,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::PostgresStore;
use crate::error::corrupt;
use crate::read::{clamp, natural};
use crate::session::Statement;
use crate::text::{escape, unescape};

const CHECKPOINT: &str = include_str!("sql/handler_checkpoint.sql");
const STEP: &str = include_str!("sql/handler_step.sql");
const ALL: &str = include_str!("sql/parked_all.sql");
const OF_KEY: &str = include_str!("sql/parked_of_key.sql");
const HEADS: &str = include_str!("sql/parked_heads.sql");
const MARKED: &str = include_str!("sql/parked_marked.sql");
const RETRY: &str = include_str!("sql/retry_parked.sql");
const DROP: &str = include_str!("sql/drop_parked.sql");

#[async_trait]
impl HandlerStore for PostgresStore {
    async fn handler_checkpoint(&self, handler: &str) -> Result<HandlerCheckpoint, StoreError> {
        let statement = || sqlx::query(CHECKPOINT).bind(handler);
        let rows = self.database().read("read a handler's checkpoint", statement).await?;
        let Some(row) = rows.first() else { return Ok(HandlerCheckpoint::default()) };
        checkpoint(row).map_err(|error| corrupt(format!("checkpoint of handler {handler}: {error}")))
    }

    async fn commit_handler(&self, step: HandlerStep) -> Result<(), StepError> {
        let statement = step_statement(&step);
        let (rows, _) = self.database().write("commit a handler's step", statement).await?;
        match rows.first().map(|row| natural(row, 0)) {
            Some(Ok(1)) => Ok(()),
            Some(Ok(_)) => Err(StepError::Fenced),
            _ => Err(corrupt("a handler's step has no answer").into()),
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
        let statement = || {
            let statement = sqlx::query(sql)
                .bind(handler)
                .bind(clamp(after.position.as_u64()))
                .bind(i64::from(after.part))
                .bind(clamp(limit as u64));
            match query {
                ParkedQuery::Key(key) => statement.bind(escape(key)),
                _ => statement,
            }
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
            ParkedSet::Key(key) => (Some(escape(key)), None),
            ParkedSet::Event(part) => (None, Some(part)),
        };
        let sql = match mark {
            ParkedMark::Retry => RETRY,
            ParkedMark::Drop => DROP,
        };
        let statement = sqlx::query(sql)
            .bind(handler)
            .bind(key)
            .bind(part.map(|part| clamp(part.position.as_u64())))
            .bind(part.map(|part| i64::from(part.part)));
        let (_, marked) = self.database().write("mark parked events", statement).await?;
        Ok(marked)
    }
}

/// A step as one call.
fn step_statement(step: &HandlerStep) -> Statement {
    let HandlerStep { handler, checkpoint, parked, released } = step;
    let parked = once(parked);
    let watermarks = checkpoint.watermarks.iter().map(|watermark| clamp(watermark.as_u64()));
    sqlx::query(STEP)
        .bind(handler.clone())
        .bind(clamp(checkpoint.revision))
        .bind(clamp(checkpoint.read_to.as_u64()))
        .bind(watermarks.collect::<Vec<_>>())
        .bind(parked.iter().map(|event| clamp(event.part.position.as_u64())).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| i64::from(event.part.part)).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| event.event.as_uuid()).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| escape(&event.key)).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| i64::from(event.attempts)).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| event.last_error.as_deref().map(escape)).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| event.at.as_micros()).collect::<Vec<_>>())
        .bind(parked.iter().map(|event| number(event.state)).collect::<Vec<_>>())
        .bind(released.iter().map(|part| clamp(part.position.as_u64())).collect::<Vec<_>>())
        .bind(released.iter().map(|part| i64::from(part.part)).collect::<Vec<_>>())
}

/// What is parked, each event once, as if one after the other were: one statement changes a row once.
fn once(parked: &[ParkedEvent]) -> Vec<&ParkedEvent> {
    let mut last = BTreeMap::<EventPart, &ParkedEvent>::new();
    for event in parked {
        let known = last.get(&event.part);
        if known.is_none_or(|known| event.attempts > 0 && known.state != ParkedState::ToDrop) {
            last.insert(event.part, event);
        }
    }
    last.into_values().collect()
}

/// The number of a state in the column `state`.
fn number(state: ParkedState) -> i16 {
    match state {
        ParkedState::Waiting => 0,
        ParkedState::Parked => 1,
        ParkedState::ToRetry => 2,
        ParkedState::ToDrop => 3,
    }
}

fn state(number: i16) -> Result<ParkedState, sqlx::Error> {
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

fn position(number: i64) -> Result<Position, TryFromIntError> {
    u64::try_from(number).map(Position::new)
}

fn checkpoint(row: &PgRow) -> Result<HandlerCheckpoint, sqlx::Error> {
    Ok(HandlerCheckpoint {
        revision: natural(row, 0)?,
        read_to: Position::new(natural(row, 1)?),
        watermarks: decoded(row.try_get::<Vec<i64>, _>(2)?.into_iter().map(position).collect())?,
    })
}

/// Reads a parked event from the columns of the queries.
fn parked(row: &PgRow) -> Result<ParkedEvent, sqlx::Error> {
    let small = |index| decoded(u32::try_from(natural(row, index)?));
    Ok(ParkedEvent {
        part: EventPart { position: Position::new(natural(row, 0)?), part: small(1)? },
        event: EventId::new(row.try_get(2)?),
        key: decoded(unescape(row.try_get(3)?))?,
        attempts: small(4)?,
        last_error: row
            .try_get::<Option<String>, _>(5)?
            .map(|error| decoded(unescape(error)))
            .transpose()?,
        at: Timestamp::from_micros(row.try_get(6)?),
        state: state(row.try_get(7)?)?,
    })
}
