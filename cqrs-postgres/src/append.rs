//! Appending a batch: judged here by what is known, and written by one call, if all of that is so.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use cqrs_core::{
    Append, AppendError, Appended, CommandId, ExpectedVersion, InvalidAppend, Position, StoreError,
    StreamId, Version,
};
use lru::LruCache;
use sqlx::Row;

use crate::connection::Database;
use crate::error::{Fate, failed, fate, has_waited, is_taken, is_taken_at, not_written};
use crate::head::Head;
use crate::judge::{Facts, Known, Plan, Types, judge};
use crate::listen::Bell;
use crate::read::{natural, receipt};
use crate::session::{Profile, Session, Statement};
use crate::unstoppable::Unstoppable;

const LOOK: &str = include_str!("sql/append_look.sql");
const LOCK: &str = include_str!("sql/append_lock.sql");
const APPEND: &str = include_str!("sql/append.sql");
const APPEND_ALONE: &str = include_str!("sql/append_alone.sql");
const APPEND_ONE: &str = include_str!("sql/append_one.sql");
const TYPES: &str = include_str!("sql/append_types.sql");
const INSERT_TYPES: &str = include_str!("sql/insert_event_types.sql");

const ACTION: &str = "append";

/// How many streams are remembered from one batch to the next: some 10 MiB of them.
const STREAMS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// How often a batch is written by what is known, without a lock between the look and the writing. Beyond that, others
/// write to the same streams, and it takes the lock first.
const ATTEMPTS: usize = 2;

/// After how many batches of its own in a row a node believes that it writes alone. Where several do, believing it too soon
/// costs a call for nothing.
const ALONE: u32 = 8;

/// The unique index that notices others.
const POSITIONS: &str = "events_pkey";

type Batch = Vec<(Append, Result<(), InvalidAppend>)>;
type Answers = Vec<Result<Appended, AppendError>>;

/// Appends a batch.
///
/// It is written also when the caller goes away, once it is its turn. Who holds it and does not poll it lets all others wait.
pub(crate) async fn append(
    database: &Database,
    head: &Arc<Head>,
    bell: &Arc<Bell>,
    batch: Vec<Append>,
) -> Result<Answers, StoreError> {
    let batch: Batch = batch
        .into_iter()
        .map(|append| {
            let valid = append.validate();
            (append, valid)
        })
        .collect();
    let (turn, mut appender) = database.appender().await?;
    let (head, bell) = (Arc::clone(head), Arc::clone(bell));
    let run = async move {
        let (answers, end) = appender.as_mut().ok_or(StoreError::Closed)?.append(&batch).await?;
        drop((appender, turn));
        head.advance(end);
        if answers.iter().flatten().any(|appended| appended.events > 0 && !appended.duplicate) {
            bell.ring();
        }
        Ok(answers)
    };
    Unstoppable::new(run).await
}

/// The connection that appends, and what it knows of the log.
///
/// The log only grows, and numbers of streams and event types stay. So what is known of them may be old, and never wrong
/// in any other way.
#[derive(Debug)]
pub(crate) struct Appender {
    profile: Profile,
    place: Arc<str>,
    session: Option<Session>,
    streams: LruCache<StreamId, (i64, Version)>,
    types: Types,
    /// Where the log ended after its last batch, and how many batches of its own have followed one another.
    last: Option<(Position, u32)>,
}

impl Appender {
    pub(crate) fn new(profile: Profile, place: Arc<str>) -> Self {
        let streams = LruCache::new(STREAMS);
        Self { profile, place, session: None, streams, types: Types::new(), last: None }
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// Appends, and tells where the log ends then, as far as that was seen.
    async fn append(&mut self, batch: &Batch) -> Result<(Answers, Position), StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            // The server may be another one now, which lacks what the last one had.
            None => {
                self.forget();
                self.profile.open().await.map_err(|error| failed(ACTION, &self.place, error))?
            }
        };
        match self.append_by(&mut session, batch).await {
            Ok(appended) => {
                self.session = Some(session);
                Ok(appended)
            }
            Err(Problem::Json(error)) => {
                self.keep(session).await;
                Err(StoreError::backend(ACTION, error))
            }
            Err(Problem::Asked(error)) => {
                if fate(&error) == Fate::Failed {
                    self.keep(session).await;
                }
                Err(failed(ACTION, &self.place, error))
            }
            Err(Problem::Written(error)) => {
                if fate(&error) == Fate::Failed {
                    self.keep(session).await;
                }
                Err(not_written(ACTION, &self.place, error))
            }
        }
    }

    /// Keeps a connection after a failure, if it can be used again.
    async fn keep(&mut self, mut session: Session) {
        if session.roll_back().await.is_ok() {
            self.session = Some(session);
        }
    }

    fn forget(&mut self) {
        self.streams.clear();
        self.types.clear();
        self.last = None;
    }

    async fn append_by(
        &mut self,
        session: &mut Session,
        batch: &Batch,
    ) -> Result<(Answers, Position), Problem> {
        self.learn_types(session, batch).await?;
        let mut facts = self.recall(session, batch).await?;
        let mut attempts = 0;
        loop {
            let plan = judge(&facts, &self.types, batch)?;
            match facts.as_of {
                Some(head) if plan.is_empty() => {
                    self.remember(&plan, 0);
                    return Ok((plan.answers(head), head));
                }
                // What writes nothing is answered by what is so now; and a refusal needs a look for a receipt.
                None if plan.is_empty() || !plan.checked_commands.is_empty() => {}
                _ if attempts == ATTEMPTS => break,
                _ => {
                    attempts += 1;
                    if let Some(written) = self.write(session, plan).await? {
                        return Ok(written);
                    }
                }
            }
            facts = look_at_all(session, batch).await?;
        }
        session.begin().await?;
        session.run(sqlx::query(LOCK)).await?;
        let facts = look_at_all(session, batch).await?;
        let plan = judge(&facts, &self.types, batch)?;
        let written = match facts.as_of {
            Some(head) if plan.is_empty() => (plan.answers(head), head),
            // Nobody else can have written since.
            _ => self.write(session, plan).await?.ok_or(sqlx::Error::RowNotFound)?,
        };
        if let Err(error) = session.commit().await {
            // What was written was not, perhaps.
            self.forget();
            return Err(Problem::Written(error));
        }
        Ok(written)
    }

    /// What is known of the streams of a batch; what is not known is looked up.
    async fn recall(&mut self, session: &mut Session, batch: &Batch) -> Result<Facts, Problem> {
        let mut streams = HashMap::new();
        let mut unknown = Vec::new();
        for write in batch.iter().filter(|(_, valid)| valid.is_ok()).flat_map(|(append, _)| &append.writes)
        {
            if streams.contains_key(&write.stream) {
                continue;
            }
            let known = match (self.streams.get(&write.stream), write.expected) {
                // Whoever expects more has seen more.
                (Some((_, version)), ExpectedVersion::Exact(expected)) if *version < expected => None,
                (Some((number, version)), _) => Some(Known { number: Some(*number), version: *version }),
                // Most likely whoever expects none is right.
                (None, ExpectedVersion::NoStream | ExpectedVersion::Exact(Version::ZERO)) => {
                    Some(Known::NONE)
                }
                (None, _) => None,
            };
            if known.is_none() {
                unknown.push(&write.stream);
            }
            streams.insert(write.stream.clone(), known.unwrap_or(Known::NONE));
        }
        let mut facts = Facts { streams, ..Facts::default() };
        if !unknown.is_empty() {
            look(session, &mut facts, &unknown, &[]).await?;
        }
        Ok(facts)
    }

    /// Takes in the numbers of the batch's event types, and gives numbers to new ones. A type that nothing is
    /// written of in the end does no harm.
    async fn learn_types(&mut self, session: &mut Session, batch: &Batch) -> Result<(), Problem> {
        let mut unknown = HashSet::new();
        for write in batch.iter().filter(|(_, valid)| valid.is_ok()).flat_map(|(append, _)| &append.writes)
        {
            let known = self.types.get(write.stream.category());
            for event in &write.events {
                if !known.is_some_and(|known| known.contains_key(&event.event_type)) {
                    unknown.insert((write.stream.category(), &event.event_type));
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let (categories, names): (Vec<&str>, Vec<&str>) =
            unknown.iter().map(|(category, name)| (*category, name.as_ref())).unzip();
        let insert = sqlx::query(INSERT_TYPES).bind(&categories).bind(&names);
        session.run(insert).await?;
        let (rows, _) = session.run(sqlx::query(TYPES).bind(&categories).bind(&names)).await?;
        for row in &rows {
            let (category, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            self.types.entry(category).or_default().insert(name.into(), row.try_get(2)?);
        }
        Ok(())
    }

    /// Writes a plan, unless somebody else was faster: then it rests on what is no longer so.
    async fn write(
        &mut self,
        session: &mut Session,
        plan: Plan,
    ) -> Result<Option<(Answers, Position)>, Problem> {
        if let Some(head) = self.head_alone(session, &plan) {
            match self.write_alone(session, &plan, head).await? {
                Alone::Written => return Ok(Some(self.written(plan, head, 0))),
                Alone::Taken => return Ok(None),
                Alone::Refused => self.last = None,
            }
        }
        let (checked, versions): (Vec<&str>, Vec<i64>) = plan
            .checked_streams
            .iter()
            .map(|(stream, version)| (stream.as_str(), version.as_u64() as i64))
            .unzip();
        let commands: Vec<_> = plan.checked_commands.iter().map(|command| command.as_uuid()).collect();
        let new: Vec<_> = plan.new_streams.iter().map(StreamId::as_str).collect();
        let statement = sqlx::query(APPEND).bind(checked).bind(versions).bind(commands).bind(new);
        let statement = bind_rows(&plan, statement);
        let (rows, _) = match session.run(statement).await {
            Err(error) if is_taken(&error) => return Ok(None),
            done => done.map_err(Problem::Written)?,
        };
        let read = || {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        let (head, last_stream): (Option<i64>, Option<i64>) = read().map_err(Problem::Written)?;
        let Some(head) = head else { return Ok(None) };
        Ok(Some(self.written(plan, Position::new(head as u64), last_stream.unwrap_or_default())))
    }

    /// Where the log ends, if this node alone seems to write, and the batch rests on nothing that a unique index does not
    /// see.
    fn head_alone(&self, session: &Session, plan: &Plan) -> Option<Position> {
        let rests_on_more = !plan.new_streams.is_empty()
            || !plan.checked_streams.is_empty()
            || !plan.checked_commands.is_empty();
        // A pooler does not tell of a server that is another one now. And within a transaction nothing may fail.
        if rests_on_more || plan.events.is_empty() || session.is_shared() || session.is_in_transaction() {
            return None;
        }
        self.last.filter(|(_, batches)| *batches >= ALONE).map(|(head, _)| head)
    }

    /// Writes a plan behind the head of the log, if that is where it was.
    async fn write_alone(
        &self,
        session: &mut Session,
        plan: &Plan,
        head: Position,
    ) -> Result<Alone, Problem> {
        let head = head.as_u64() as i64;
        let statement = match (plan.events.len(), plan.receipts.len()) {
            (1, 0 | 1) => bind_row(plan, sqlx::query(APPEND_ONE).bind(head)),
            _ => bind_rows(plan, sqlx::query(APPEND_ALONE).bind(head)),
        };
        match session.run(statement).await {
            Ok((_, 0)) => Ok(Alone::Refused),
            Ok((_, written)) if written == plan.events.len() as u64 => Ok(Alone::Written),
            Ok(_) => Err(Problem::Written(sqlx::Error::RowNotFound)),
            Err(error) if is_taken(&error) && !is_taken_at(&error, POSITIONS) => Ok(Alone::Taken),
            // Whatever it is, the function may do better, or says it; who has waited for the lock in vain has waited enough.
            Err(error) if fate(&error) == Fate::Failed && !has_waited(&error) => Ok(Alone::Refused),
            Err(error) => Err(Problem::Written(error)),
        }
    }

    /// Takes in that a plan was written behind a head of the log.
    fn written(&mut self, plan: Plan, head: Position, last_stream: i64) -> (Answers, Position) {
        self.remember(&plan, last_stream);
        let end = head.plus(plan.events.len() as u64);
        let batches = self.last.filter(|(last, _)| *last == head).map_or(0, |(_, batches)| batches);
        self.last = Some((end, batches.saturating_add(1)));
        (plan.answers(head), end)
    }

    /// Takes in where the streams of a batch are after it.
    fn remember(&mut self, plan: &Plan, last_stream: i64) {
        for (stream, Known { number, version }) in &plan.streams {
            if let Some(number) = number {
                let number = if *number < 0 { last_stream - number } else { *number };
                self.streams.put(stream.clone(), (number, *version));
            }
        }
    }
}

/// Adds the rows of a plan to the parameters of a statement.
fn bind_rows(plan: &Plan, statement: Statement) -> Statement {
    let receipts = &plan.receipts;
    plan.events
        .bind(statement)
        .bind(receipts.iter().map(|receipt| receipt.command.as_uuid()).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.position).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.events).collect::<Vec<_>>())
        .bind(receipts.iter().map(|receipt| receipt.versions.as_str()).collect::<Vec<_>>())
}

/// Adds the only row of a plan to the parameters of a statement.
fn bind_row(plan: &Plan, statement: Statement) -> Statement {
    let receipt = plan.receipts.first();
    plan.events
        .bind_first(statement)
        .bind(receipt.map(|receipt| receipt.command.as_uuid()))
        .bind(receipt.map(|receipt| receipt.position))
        .bind(receipt.map(|receipt| receipt.events))
        .bind(receipt.map(|receipt| receipt.versions.as_str()))
}

/// What became of a batch that was to be written without a look.
enum Alone {
    Written,
    /// A stream is not where it was believed to be, or a command has been done, as far as this node alone has written.
    Taken,
    /// The log does not end where it was believed to, or something else is in the way; nothing was written.
    Refused,
}

/// Why a batch was not written.
enum Problem {
    /// Nothing was to be written yet, save numbers of event types.
    Asked(sqlx::Error),
    /// Perhaps it was.
    Written(sqlx::Error),
    Json(serde_json::Error),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Asked(error)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Looks up all that a batch can be judged by, as of one moment.
async fn look_at_all(session: &mut Session, batch: &Batch) -> Result<Facts, Problem> {
    let valid = batch.iter().filter(|(_, valid)| valid.is_ok()).map(|(append, _)| append);
    let streams: HashSet<_> = valid.flat_map(|append| &append.writes).map(|write| &write.stream).collect();
    let streams: Vec<_> = streams.into_iter().collect();
    let commands: Vec<_> = batch.iter().filter_map(|(append, _)| append.receipt).collect();
    let none = streams.iter().map(|stream| ((*stream).clone(), Known::NONE)).collect();
    let mut facts = Facts { streams: none, ..Facts::default() };
    let head = look(session, &mut facts, &streams, &commands).await?;
    facts.as_of = Some(head);
    Ok(facts)
}

/// Takes in streams and receipts that there are. Returns the end of the log at the same moment.
async fn look(
    session: &mut Session,
    facts: &mut Facts,
    streams: &[&StreamId],
    commands: &[CommandId],
) -> Result<Position, Problem> {
    let names: Vec<_> = streams.iter().map(|stream| stream.as_str()).collect();
    let ids: Vec<_> = commands.iter().map(|command| command.as_uuid()).collect();
    let (rows, _) = session.run(sqlx::query(LOOK).bind(names).bind(ids)).await?;
    let mut head = Position::ZERO;
    for row in &rows {
        let key = (natural(row, 1)? as usize).wrapping_sub(1);
        match row.try_get::<i32, _>(0)? {
            0 => head = Position::new(natural(row, 2)?),
            1 => {
                let known =
                    Known { number: Some(row.try_get(2)?), version: Version::new(natural(row, 3)?) };
                facts.streams.extend(streams.get(key).map(|stream| ((*stream).clone(), known)));
            }
            _ => {
                let first = receipt(row, 2)?;
                facts.receipts.extend(commands.get(key).map(|command| (*command, first)));
            }
        }
    }
    Ok(head)
}
