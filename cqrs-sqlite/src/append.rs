//! Appending a batch: one call that looks, one that writes.
//!
//! Each awaited call is a hop to the connection's thread, which costs more than the statements of a small
//! batch. So all that a batch needs to know comes with the first, and all that it writes goes with the second.
//! A batch that can be judged by what this process remembers needs the second alone.

use std::collections::HashSet;

use cqrs_core::{Append, AppendError, Appended, CommandId, Position, StoreError, StreamId, Version};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::connection::{Database, Failure, Turn, Work};
use crate::error::{SQLITE_IOERR, corrupt, is_fenced, primary_code};
use crate::event_row::Hex;
use crate::head::Head;
use crate::judge::{Plan, State, Unjudged, judge};
use crate::read::clamp;
use crate::remembered::{Memory, Remembered};

const LOOK: &str = include_str!("sql/append_look.sql");
const WRITE: &str = include_str!("sql/append_write.sql");
const WRITE_BLINDLY: &str = include_str!("sql/append_write_blindly.sql");
const CHECK: &str = include_str!("sql/append_check.sql");

/// How many statements [`WRITE`] has.
const WRITE_STATEMENTS: usize = 5;

/// How many statements [`WRITE_BLINDLY`] has.
const WRITE_BLINDLY_STATEMENTS: usize = 4;

const ACTION: &str = "append";

/// What a batch is judged about, each thing once.
struct Question<'a> {
    streams: Vec<&'a StreamId>,
    commands: Vec<CommandId>,
    types: Vec<(&'a str, &'a str)>,
}

/// Appends a batch.
pub(crate) async fn append(
    database: &Database,
    head: &Head,
    memory: &Memory,
    batch: Vec<Append>,
) -> Result<Vec<Result<Appended, AppendError>>, StoreError> {
    let batch: Vec<_> = batch
        .into_iter()
        .map(|append| {
            let valid = append.validate();
            (append, valid)
        })
        .collect();
    let mut turn = database.turn(ACTION, Work::Log).await?;
    // Taken out for the time being: who fails, or is dropped, leaves no memory behind.
    let mut remembered = memory.take();
    let foreseen = remembered.as_mut().and_then(|remembered| remembered.foresee(&batch));
    if let Some(mut state) = foreseen {
        let from = state.head;
        let plan = judge(&mut state, batch.clone()).map_err(unjudged)?;
        if write_blindly(&mut turn, from, &plan).await? {
            return Ok(finish(head, memory, remembered, state, plan));
        }
    }
    let mut state = Question::of(&batch).ask(&mut turn).await?;
    // Somebody else has written since: nothing of it can be relied on.
    remembered = remembered.filter(|remembered| remembered.head() == state.head);
    let plan = judge(&mut state, batch).map_err(unjudged)?;
    if plan.is_empty() {
        turn.roll_back().await;
    } else {
        write(&mut turn, &plan).await?;
    }
    Ok(finish(head, memory, remembered, state, plan))
}

fn unjudged(error: Unjudged) -> StoreError {
    StoreError::backend(ACTION, error)
}

/// Tells of what was written, and remembers it.
fn finish(
    head: &Head,
    memory: &Memory,
    remembered: Option<Remembered>,
    state: State,
    plan: Plan,
) -> Vec<Result<Appended, AppendError>> {
    if let Some(last) = plan.events.last() {
        head.advance(last.0);
    }
    memory.put(remembered.unwrap_or_default(), state);
    plan.answers
}

impl<'a> Question<'a> {
    fn of<E>(batch: &'a [(Append, Result<(), E>)]) -> Self {
        let mut streams = HashSet::new();
        let mut types = HashSet::new();
        let commands: HashSet<_> = batch.iter().filter_map(|(append, _)| append.receipt).collect();
        for write in batch.iter().filter(|(_, valid)| valid.is_ok()).flat_map(|(append, _)| &append.writes)
        {
            streams.insert(&write.stream);
            types.extend(write.events.iter().map(|event| (write.stream.category(), &*event.event_type)));
        }
        Self {
            streams: streams.into_iter().collect(),
            commands: commands.into_iter().collect(),
            types: types.into_iter().collect(),
        }
    }

    /// Begins the transaction and learns what the batch is judged by.
    async fn ask(&self, turn: &mut Turn) -> Result<State, StoreError> {
        let commands: Vec<_> = self.commands.iter().map(|command| Hex(command.as_uuid())).collect();
        let rows = sqlx::query(LOOK)
            .bind(json(&self.streams)?)
            .bind(json(&commands)?)
            .bind(json(&self.types)?)
            .fetch_all(turn.connection())
            .await
            .map_err(|error| StoreError::backend(ACTION, error))?;
        let mut state = State::default();
        for row in &rows {
            self.learn(&mut state, row)
                .map_err(|error| corrupt(format!("what an append is judged by: {error}")))?;
        }
        Ok(state)
    }

    fn learn(&self, state: &mut State, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let about: i64 = row.try_get(0)?;
        if about == 0 {
            state.head = Position::new(natural(row, 1)?);
            (state.last_stream, state.last_type) = (row.try_get(2)?, row.try_get(3)?);
            return Ok(());
        }
        let key = natural(row, 1)? as usize;
        match about {
            1 => {
                if let Some(stream) = self.streams.get(key) {
                    let known = (row.try_get(2)?, Version::new(natural(row, 3)?));
                    state.streams.insert((*stream).clone(), known);
                }
            }
            2 => {
                if let Some(command) = self.commands.get(key) {
                    state.receipts.insert(*command, receipt(row)?);
                }
            }
            _ => {
                if let Some((category, name)) = self.types.get(key) {
                    let names = state.types.entry((*category).to_owned()).or_default();
                    names.insert((*name).into(), row.try_get(2)?);
                }
            }
        }
        Ok(())
    }
}

/// Reads a receipt from the columns after the key.
pub(crate) fn receipt(row: &SqliteRow) -> Result<Appended, sqlx::Error> {
    let versions: &str = row.try_get(4)?;
    Ok(Appended {
        position: Position::new(natural(row, 2)?),
        events: natural(row, 3)?,
        versions: serde_json::from_str(versions).map_err(|error| sqlx::Error::Decode(error.into()))?,
        duplicate: true,
    })
}

/// A column with a number that is not negative.
pub(crate) fn natural(row: &SqliteRow, index: usize) -> Result<u64, sqlx::Error> {
    let number: i64 = row.try_get(index)?;
    u64::try_from(number).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A parameter of `json_each`.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::backend("write parameters as JSON", error))
}

/// Writes a plan and commits it.
async fn write(turn: &mut Turn, plan: &Plan) -> Result<(), StoreError> {
    let statement = sqlx::query(WRITE)
        .bind(json(&plan.streams)?)
        .bind(json(&plan.types)?)
        .bind(json(&plan.events)?)
        .bind(json(&plan.receipts)?);
    let written = turn.run(statement, WRITE_STATEMENTS).await;
    match written {
        Ok(_) => Ok(()),
        Err(failure) => not_written(turn, plan, failure).await,
    }
}

/// Begins, writes a plan that was made from memory, and commits it. False when the log does not end at
/// `from` any more; then nothing was written.
async fn write_blindly(turn: &mut Turn, from: Position, plan: &Plan) -> Result<bool, StoreError> {
    let statement = sqlx::query(WRITE_BLINDLY).bind(clamp(from.as_u64())).bind(json(&plan.events)?);
    let written = turn.run(statement, WRITE_BLINDLY_STATEMENTS).await;
    match written {
        Ok(_) => Ok(true),
        Err(failure) if is_fenced(&failure.source) => {
            turn.begin_again();
            Ok(false)
        }
        Err(failure) => not_written(turn, plan, failure).await.map(|()| true),
    }
}

/// What a failed write comes to; `Ok` when it got through after all.
async fn not_written(turn: &mut Turn, plan: &Plan, failure: Failure) -> Result<(), StoreError> {
    if !failure.committing {
        return Err(StoreError::backend(ACTION, failure.source));
    }
    // The commit may have got through before the failure was noticed; and when the disk failed, its pages may
    // be in the WAL for a later recovery to find.
    match is_written(turn, plan).await {
        Ok(true) => Ok(()),
        Ok(false) if !failure.crashed && primary_code(&failure.source) != Some(SQLITE_IOERR) => {
            Err(StoreError::backend(ACTION, failure.source))
        }
        _ => Err(StoreError::OutcomeUnknown { source: failure.source.into() }),
    }
}

async fn is_written(turn: &mut Turn, plan: &Plan) -> Result<bool, sqlx::Error> {
    let event = plan.events.first();
    sqlx::query(CHECK)
        .bind(event.map(|event| event.0.as_u64() as i64))
        .bind(event.map(|event| event.5.0.as_bytes().to_vec()))
        .bind(plan.receipts.first().map(|receipt| receipt.0.0.as_bytes().to_vec()))
        .fetch_one(turn.connection())
        .await?
        .try_get(0)
}
