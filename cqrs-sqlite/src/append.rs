//! Appending a batch: look, judge, write, commit, in one go on the thread that appends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cqrs_core::{Append, AppendError, Appended, InvalidAppend, Position, StoreError, Version};
use rusqlite::{Connection, OptionalExtension, Row, ffi};

use crate::connection::Database;
use crate::error::{SQLITE_IOERR, failed, outcome_unknown};
use crate::event_row::EventRow;
use crate::head::Head;
use crate::judge::{Plan, ReceiptRow, State, judge};
use crate::log_writer::connect;
use crate::options::SqliteOptions;

const ENDS: &str = include_str!("sql/append_ends.sql");
const HEAD: &str = include_str!("sql/head.sql");
const STREAM: &str = include_str!("sql/append_stream.sql");
const TYPE: &str = include_str!("sql/append_type.sql");
const RECEIPT: &str = include_str!("sql/append_receipt.sql");
const INSERT_STREAM: &str = include_str!("sql/insert_stream.sql");
const INSERT_TYPE: &str = include_str!("sql/insert_event_type.sql");
const INSERT_EVENT: &str = include_str!("sql/insert_event.sql");
const INSERT_RECEIPT: &str = include_str!("sql/insert_receipt.sql");
const CHECK: &str = include_str!("sql/append_check.sql");

const ACTION: &str = "append";

type Batch = Vec<(Append, Result<(), InvalidAppend>)>;
type Answers = Vec<Result<Appended, AppendError>>;

/// Appends a batch.
///
/// It is written also when the caller goes away, once it is through the gate.
pub(crate) async fn append(
    database: &Database,
    head: &Arc<Head>,
    batch: Vec<Append>,
) -> Result<Answers, StoreError> {
    let batch: Batch = batch
        .into_iter()
        .map(|append| {
            let valid = append.validate();
            (append, valid)
        })
        .collect();
    let gate = database.enter(ACTION).await?;
    let head = Arc::clone(head);
    let run = database.log()?.run(move |appender| {
        let appended = appender.append(batch);
        if appended.is_ok() {
            head.advance(appender.state.head);
        }
        drop(gate);
        appended
    });
    run.await?
}

/// The connection that appends, and what it knows of the file since its last append.
///
/// The log only grows, and streams and event types come with events. So as long as the head is where it was left,
/// all that was known then still holds; each transaction begins with that question.
pub(crate) struct Appender {
    connection: Connection,
    path: PathBuf,
    options: SqliteOptions,
    state: State,
}

impl Appender {
    pub(crate) fn open(path: &Path, options: SqliteOptions) -> rusqlite::Result<Self> {
        let connection = connect(path, &options)?;
        Ok(Self { connection, path: path.to_owned(), options, state: State::default() })
    }

    fn append(&mut self, batch: Batch) -> Result<Answers, StoreError> {
        let plan = match self.look_and_judge(batch) {
            Ok(plan) => plan,
            Err(error) => {
                self.begin_anew();
                return Err(error);
            }
        };
        if plan.is_empty() {
            self.roll_back();
            return Ok(plan.answers);
        }
        if let Err(error) = write(&self.connection, &plan) {
            self.begin_anew();
            return Err(failed(ACTION, &self.path, error));
        }
        if let Err(error) = execute(&self.connection, "COMMIT") {
            self.begin_anew();
            self.not_committed(&plan, error)?;
        }
        Ok(plan.answers)
    }

    fn look_and_judge(&mut self, batch: Batch) -> Result<Plan, StoreError> {
        execute(&self.connection, "BEGIN IMMEDIATE").map_err(|error| failed(ACTION, &self.path, error))?;
        look(&self.connection, &mut self.state, &batch)
            .map_err(|error| failed(ACTION, &self.path, error))?;
        judge(&mut self.state, batch).map_err(|error| StoreError::backend(ACTION, error))
    }

    /// Rolls back what is open and forgets what was known.
    pub(crate) fn begin_anew(&mut self) {
        self.state = State::default();
        self.roll_back();
    }

    fn roll_back(&mut self) {
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = execute(&self.connection, "ROLLBACK") {
            tracing::warn!(path = %self.path.display(), %error, "a rollback failed; the connection is replaced");
            match connect(&self.path, &self.options) {
                Ok(connection) => self.connection = connection,
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "no connection can be had")
                }
            }
        }
    }

    /// What a failed commit comes to; `Ok` when it got through after all.
    ///
    /// It may have got through before the failure was noticed; and when the disk failed, its pages may be in the
    /// WAL for a later recovery to find.
    fn not_committed(&self, plan: &Plan, error: rusqlite::Error) -> Result<(), StoreError> {
        match is_written(&self.connection, plan) {
            Ok(true) => Ok(()),
            Ok(false) if primary_code(&error) != Some(SQLITE_IOERR) => {
                Err(failed(ACTION, &self.path, error))
            }
            _ => Err(outcome_unknown(&self.path, error)),
        }
    }
}

/// SQLite's primary result code of an error.
fn primary_code(error: &rusqlite::Error) -> Option<i32> {
    let rusqlite::Error::SqliteFailure(ffi::Error { extended_code, .. }, _) = error else { return None };
    Some(extended_code & 0xff)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// Learns all that the batch is judged by and that is not known yet.
fn look(connection: &Connection, state: &mut State, batch: &Batch) -> rusqlite::Result<()> {
    let head: Position = connection.prepare_cached(HEAD)?.query_row([], |row| position(row, 0))?;
    if head != state.head || state.is_new() {
        // Somebody else has written since: nothing that was known can be relied on.
        let ends = connection.prepare_cached(ENDS)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        *state = State::at(head, ends);
    }
    state.receipts.clear();
    let mut stream = connection.prepare_cached(STREAM)?;
    let mut event_type = connection.prepare_cached(TYPE)?;
    let mut receipt = connection.prepare_cached(RECEIPT)?;
    for (append, valid) in batch {
        if let Some(command) = append.receipt {
            let first = receipt.query_row([command.as_uuid().as_bytes()], first_outcome).optional()?;
            state.receipts.extend(first.map(|first| (command, first)));
        }
        if valid.is_err() {
            continue;
        }
        for write in &append.writes {
            if !state.knows_stream(&write.stream) {
                let found =
                    stream.query_row([write.stream.as_str()], |row| Ok((row.get(0)?, version(row, 1)?)));
                state.learn_stream(&write.stream, found.optional()?);
            }
            for event in &write.events {
                let (category, name) = (write.stream.category(), &event.event_type);
                if !state.knows_type(category, name) {
                    let found = event_type.query_row([category, name], |row| row.get(0)).optional()?;
                    state.learn_type(category, name, found);
                }
            }
        }
    }
    Ok(())
}

fn first_outcome(row: &Row<'_>) -> rusqlite::Result<Appended> {
    let versions: String = row.get(2)?;
    Ok(Appended {
        position: position(row, 0)?,
        events: natural(row, 1)?,
        versions: serde_json::from_str(&versions).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, error.into())
        })?,
        duplicate: true,
    })
}

/// A column with a number that is not negative.
fn natural(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(index, number))
}

fn position(row: &Row<'_>, index: usize) -> rusqlite::Result<Position> {
    natural(row, index).map(Position::new)
}

fn version(row: &Row<'_>, index: usize) -> rusqlite::Result<Version> {
    natural(row, index).map(Version::new)
}

fn write(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    if !plan.streams.is_empty() {
        let mut insert = connection.prepare_cached(INSERT_STREAM)?;
        for (number, stream) in &plan.streams {
            insert.execute((number, stream.as_str()))?;
        }
    }
    if !plan.types.is_empty() {
        let mut insert = connection.prepare_cached(INSERT_TYPE)?;
        for (number, category, name) in &plan.types {
            insert.execute((number, category, &**name))?;
        }
    }
    let mut insert = connection.prepare_cached(INSERT_EVENT)?;
    for event in &plan.events {
        event.insert(&mut insert)?;
    }
    if !plan.receipts.is_empty() {
        let mut insert = connection.prepare_cached(INSERT_RECEIPT)?;
        for ReceiptRow { command, position, events, versions } in &plan.receipts {
            insert.execute((command.as_uuid().as_bytes(), position, events, versions))?;
        }
    }
    Ok(())
}

/// Whether a batch is in the file whose commit failed.
fn is_written(connection: &Connection, plan: &Plan) -> rusqlite::Result<bool> {
    let event = plan.events.first();
    let receipt = plan.receipts.first().map(|receipt| *receipt.command.as_uuid().as_bytes());
    connection.query_row(CHECK, (event.map(EventRow::position), event.map(EventRow::id), receipt), |row| {
        row.get(0)
    })
}
