//! What process managers know: checkpoints, instances, the outbox.

use std::collections::HashMap;

use async_trait::async_trait;
use cqrs_core::{
    BoxCommand, Chain, CommandId, CorrelationId, InstanceChange, InstanceId, InstanceQuery, InstanceRecord,
    InstanceState, InvalidInstanceId, Json, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, Position,
    ProcessStep, ProcessStore, Share, StepCause, StepError, StoreError, Stuck, TaskDecision, TaskPage,
    TaskQuery, Timestamp,
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

const CHECKPOINT: &str = include_str!("sql/step_checkpoint.sql");
const INSTANCES: &str = include_str!("sql/instances.sql");
/// How many statements a step has by which something moves, and one that moves nothing.
const STEP_STATEMENTS: usize = 7;
const STEP_STUCK_STATEMENTS: usize = 6;
const STEP_EVENTS: &str = include_str!("sql/step_events.sql");
const STEP_TASK: &str = include_str!("sql/step_task.sql");
const STEP_STUCK: &str = include_str!("sql/step_stuck.sql");
const DUE_TASKS: &str = include_str!("sql/due_tasks.sql");
const NEXT_DUE: &str = include_str!("sql/next_due.sql");
const SETTLE_TASKS: &str = include_str!("sql/settle_tasks.sql");
const CHAIN: &str = include_str!("sql/chain.sql");
const PRUNE_TASKS: &str = include_str!("sql/prune_tasks.sql");
/// How many tasks are forgotten at a time, while others wait at the gate.
const PRUNED_AT_ONCE: u64 = 2_000;
const LIST_INSTANCES: &str = include_str!("sql/list_instances.sql");
const LIST_INSTANCES_RUNNING: &str = include_str!("sql/list_instances_running.sql");
const LIST_INSTANCES_STUCK: &str = include_str!("sql/list_instances_stuck.sql");
const LIST_TASKS: &str = include_str!("sql/list_tasks.sql");
const LIST_TASKS_OF_INSTANCE: &str = include_str!("sql/list_tasks_of_instance.sql");
const LIST_TASKS_PARKED: &str = include_str!("sql/list_tasks_parked.sql");
const LIST_TASKS_PENDING: &str = include_str!("sql/list_tasks_pending.sql");
const TASK: &str = include_str!("sql/task.sql");
const RETRY_TASK: &str = include_str!("sql/retry_task.sql");
const DROP_TASK: &str = include_str!("sql/drop_task.sql");

/// Numbers of the column `kind`.
const COMMAND: i64 = 0;
const DEADLINE: i64 = 1;
/// Numbers of the column `state`.
const PENDING: i64 = 0;
const DONE: i64 = 1;
const PARKED: i64 = 2;
const DROPPED: i64 = 3;

/// An instance's row, in the order in which the steps' SQL takes it.
#[derive(Serialize)]
struct InstanceRow<'a>(
    &'a str,
    &'a InstanceId,
    Option<&'a str>,
    u32,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<Hex>,
    Option<&'a str>,
);

/// A task's row, in the order in which the steps' SQL takes it.
#[derive(Serialize)]
struct TaskRow<'a>(
    Hex,
    &'a str,
    &'a InstanceId,
    i64,
    &'a str,
    Option<&'a str>,
    String,
    Option<Hex>,
    i64,
    i64,
    u32,
    Option<&'a str>,
    u16,
);

/// What became of a task, in the order in which `settle_tasks.sql` takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Settled(Hex, i64, u32, Option<i64>, Option<String>, Option<i64>);

#[async_trait]
impl ProcessStore for SqliteStore {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        let statement = sqlx::query(CHECKPOINT).bind(process.to_owned());
        let rows = self.database().read("read a checkpoint", statement).await?;
        match rows.first() {
            None => Ok(Position::ZERO),
            Some(row) => natural(row, 0).map(Position::new).map_err(damaged("checkpoint", process)),
        }
    }

    async fn instances(
        &self,
        process: &str,
        ids: &[InstanceId],
    ) -> Result<Vec<Option<InstanceRecord>>, StoreError> {
        let statement = sqlx::query(INSTANCES).bind(process.to_owned()).bind(json(ids)?);
        let rows = self.database().read("read instances", statement).await?;
        let mut found = vec![None; ids.len()];
        for row in &rows {
            let key = natural(row, INSTANCE_COLUMNS).map_err(damaged("instance", process))? as usize;
            if let (Some(found), Some(id)) = (found.get_mut(key), ids.get(key)) {
                *found = Some(instance(row).map_err(damaged("instance", id.as_str()))?);
            }
        }
        Ok(found)
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        let (statement, statements) = step_statement(&step)?;
        let mut turn = self.database().turn("commit a step").await?;
        match turn.run(statement, statements).await {
            Ok(_) => Ok(()),
            Err(error) if is_fenced(&error) => Err(StepError::Fenced),
            Err(error) => Err(failed("commit a step", turn.path(), error).into()),
        }
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        /// The statement reckons with the limit, and more tasks than this are in no file.
        const MOST: u64 = 1 << 48;
        let limit = clamp((limit as u64).min(MOST));
        let (number, of) = (i64::from(share.number()), i64::from(share.of()));
        let statement = sqlx::query(DUE_TASKS).bind(now.as_micros()).bind(limit).bind(number).bind(of);
        let rows = self.database().read("read due tasks", statement).await?;
        rows.iter().map(|row| task(row).map_err(damaged("task", "in the outbox"))).collect()
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let statement = sqlx::query(NEXT_DUE).bind(after.as_micros());
        let rows = self.database().read("read the next due time", statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let due: Option<i64> = row.try_get(0).map_err(damaged("due time", "in the outbox"))?;
        Ok(due.map(Timestamp::from_micros))
    }

    async fn settle_tasks(
        &self,
        outcomes: Vec<(CommandId, OutboxOutcome)>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let statement = sqlx::query(SETTLE_TASKS).bind(json(&fold(outcomes))?).bind(at.as_micros());
        self.write("settle tasks", statement, 3).await.map(drop)
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let statement = sqlx::query(CHAIN).bind(bytes(correlation.as_uuid()));
        let rows = self.database().read("read a causal chain", statement).await?;
        let row = rows.first().ok_or_else(|| corrupt("a causal chain cannot be counted"))?;
        let read = || {
            let last = Position::new(natural(row, 2)?);
            Ok(Chain { pending: natural(row, 0)?, parked: natural(row, 1)?, stuck: natural(row, 3)?, last })
        };
        read().map_err(damaged("causal chain", "in the outbox"))
    }

    async fn prune_tasks(&self, done_before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let statement =
                sqlx::query(PRUNE_TASKS).bind(done_before.as_micros()).bind(clamp(PRUNED_AT_ONCE));
            let some = self.write("prune tasks", statement, 1).await?;
            forgotten += some;
            if some < PRUNED_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }

    async fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Result<Vec<(InstanceId, InstanceRecord)>, StoreError> {
        let text = match query.state {
            None | Some(InstanceState::Finished) => LIST_INSTANCES,
            Some(InstanceState::Running) => LIST_INSTANCES_RUNNING,
            Some(InstanceState::Stuck) => LIST_INSTANCES_STUCK,
        };
        let statement = sqlx::query(text)
            .bind(process.to_owned())
            // No id is empty.
            .bind(query.after.as_ref().map_or(String::new(), InstanceId::to_string))
            .bind(clamp(query.limit as u64))
            .bind(query.state == Some(InstanceState::Finished));
        let rows = self.database().read("list instances", statement).await?;
        let read = |row: &SqliteRow| Ok((decoded(id(row)?)?, instance(row)?));
        rows.iter().map(|row| read(row).map_err(damaged("instance", process))).collect()
    }

    async fn list_tasks(&self, query: &TaskQuery) -> Result<TaskPage, StoreError> {
        let text = match query {
            TaskQuery { process: Some(_), instance: Some(_), .. } => LIST_TASKS_OF_INSTANCE,
            TaskQuery { state: Some(OutboxState::Parked), .. } => LIST_TASKS_PARKED,
            TaskQuery { state: Some(OutboxState::Pending), .. } => LIST_TASKS_PENDING,
            _ => LIST_TASKS,
        };
        // One more tells whether there is a next page.
        let statement = sqlx::query(text)
            .bind(clamp(query.after.unwrap_or_default()))
            .bind(clamp((query.limit as u64).saturating_add(1)))
            .bind(query.process.clone())
            .bind(query.instance.as_ref().map(InstanceId::to_string))
            .bind(query.state.map(number_of));
        let rows = self.database().read("list tasks", statement).await?;
        let page = rows.get(..query.limit.min(rows.len())).unwrap_or_default();
        let damaged = damaged("task", "in the outbox");
        let next = match page.last() {
            Some(last) if rows.len() > page.len() => Some(natural(last, TASK_COLUMNS).map_err(&damaged)?),
            _ => None,
        };
        let tasks = page.iter().map(|row| task(row).map_err(&damaged)).collect::<Result<_, _>>()?;
        Ok(TaskPage { tasks, next })
    }

    async fn task(&self, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        let statement = sqlx::query(TASK).bind(bytes(id.as_uuid()));
        let rows = self.database().read("read a task", statement).await?;
        rows.first().map(|row| task(row).map_err(damaged("task", "in the outbox"))).transpose()
    }

    async fn decide_task(
        &self,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let text = match decision {
            TaskDecision::Retry => RETRY_TASK,
            TaskDecision::Drop => DROP_TASK,
        };
        let statement = sqlx::query(text).bind(bytes(id.as_uuid())).bind(at.as_micros());
        Ok(self.write("decide a task", statement, 1).await? > 0)
    }
}

impl SqliteStore {
    /// Runs a text of so many statements. Returns how many rows they changed.
    pub(crate) async fn write(
        &self,
        action: &'static str,
        statement: Statement,
        statements: usize,
    ) -> Result<u64, StoreError> {
        let mut turn = self.database().turn(action).await?;
        let written = turn.run(statement, statements).await;
        written.map_err(|error| failed(action, turn.path(), error))
    }
}

/// A step as one call, and how many statements it has: the fence in it stops it unless the cause is as expected.
fn step_statement(step: &ProcessStep) -> Result<(Statement, usize), StoreError> {
    let instances: Vec<_> =
        step.instances.iter().map(|change| InstanceRow::of(&step.process, change)).collect();
    let tasks = step.tasks.iter().map(TaskRow::of).collect::<Result<Vec<_>, _>>()?;
    let statements = match &step.cause {
        StepCause::Events { .. } | StepCause::Task { .. } => STEP_STATEMENTS,
        StepCause::Stuck { .. } => STEP_STUCK_STATEMENTS,
    };
    let statement = match &step.cause {
        StepCause::Events { from, to } => sqlx::query(STEP_EVENTS)
            .bind(step.process.clone())
            .bind(clamp(from.as_u64()))
            .bind(step.process.clone())
            .bind(clamp(to.as_u64())),
        StepCause::Task { id, error } => sqlx::query(STEP_TASK)
            .bind(bytes(id.as_uuid()))
            .bind(step.at.as_micros())
            .bind(error.clone())
            .bind(bytes(id.as_uuid())),
        StepCause::Stuck { instance, at, checkpoint } => {
            let checkpoint = checkpoint.map(|checkpoint| clamp(checkpoint.as_u64()));
            sqlx::query(STEP_STUCK)
                .bind(step.process.clone())
                .bind(instance.to_string())
                .bind(clamp(at.as_u64()))
                .bind(checkpoint)
                .bind(step.process.clone())
                .bind(checkpoint)
        }
    };
    let statement = statement
        .bind(json(&instances)?)
        .bind(step.at.as_micros())
        .bind(json(&step.cancels)?)
        .bind(step.process.clone())
        .bind(json(&tasks)?);
    Ok((statement, statements))
}

impl<'a> InstanceRow<'a> {
    fn of(process: &'a str, change: &'a InstanceChange) -> Self {
        let InstanceChange { id, record } = change;
        let stuck = record.stuck.as_ref();
        Self(
            process,
            id,
            record.state.as_ref().map(Json::as_str),
            record.schema_version,
            i64::from(record.finished),
            clamp(record.first.as_u64()),
            clamp(record.last.as_u64()),
            stuck.map(|stuck| clamp(stuck.at.as_u64())),
            stuck.and_then(|stuck| stuck.chain).map(|chain| Hex(chain.as_uuid())),
            stuck.map(|stuck| stuck.error.as_str()),
        )
    }
}

impl<'a> TaskRow<'a> {
    fn of(entry: &'a OutboxEntry) -> Result<Self, StoreError> {
        let (kind, name, data) = match &entry.task {
            OutboxTask::Command(command) => (COMMAND, &command.name, Some(command.data.as_str())),
            OutboxTask::Deadline(name) => (DEADLINE, name, None),
        };
        Ok(Self(
            Hex(entry.id.as_uuid()),
            &entry.process,
            &entry.instance,
            kind,
            name,
            data,
            json(&entry.metadata)?,
            entry.metadata.correlation_id.map(|id| Hex(id.as_uuid())),
            entry.due_at.as_micros(),
            entry.retry_at.as_micros(),
            entry.attempts,
            entry.last_error.as_deref(),
            entry.shard(),
        ))
    }
}

/// What several outcomes of one task come to, as if one after the other were recorded: after the first that
/// is final, the rest change nothing.
fn fold(outcomes: Vec<(CommandId, OutboxOutcome)>) -> Vec<Settled> {
    let mut settled: Vec<Settled> = Vec::with_capacity(outcomes.len());
    let mut places = HashMap::new();
    for (id, outcome) in outcomes {
        let place = *places.entry(id).or_insert_with(|| {
            settled.push(Settled(Hex(id.as_uuid()), PENDING, 0, None, None, None));
            settled.len() - 1
        });
        let Some(Settled(_, state, attempts, retry_at, error, position)) = settled.get_mut(place) else {
            continue;
        };
        if *state != PENDING {
            continue;
        }
        match outcome {
            OutboxOutcome::Done { position: at } => {
                (*state, *position) = (DONE, Some(clamp(at.as_u64())));
            }
            OutboxOutcome::Retry { at, error: what } => {
                (*attempts, *retry_at, *error) = (*attempts + 1, Some(at.as_micros()), Some(what));
            }
            OutboxOutcome::Parked { error: what } => {
                (*state, *attempts, *error) = (PARKED, *attempts + 1, Some(what));
            }
        }
    }
    settled
}

fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

fn damaged(what: &'static str, name: &str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| corrupt(format!("{what} {name}: {error}"))
}

fn decoded<T, E: Into<cqrs_core::BoxError>>(result: Result<T, E>) -> Result<T, sqlx::Error> {
    result.map_err(|error| sqlx::Error::Decode(error.into()))
}

/// How many columns an instance has; others come after them.
const INSTANCE_COLUMNS: usize = 8;

/// Reads an instance from the first columns of a row.
fn instance(row: &SqliteRow) -> Result<InstanceRecord, sqlx::Error> {
    let stuck = match row.try_get::<Option<i64>, _>(5)? {
        None => None,
        Some(_) => Some(Stuck {
            at: Position::new(natural(row, 5)?),
            chain: row.try_get::<Option<&[u8]>, _>(6)?.map(|id| decoded(correlation(id))).transpose()?,
            error: row.try_get(7)?,
        }),
    };
    let state: Option<String> = row.try_get(0)?;
    Ok(InstanceRecord {
        state: state.map(|state| decoded(Json::parse(state))).transpose()?,
        schema_version: decoded(u32::try_from(natural(row, 1)?))?,
        finished: row.try_get::<i64, _>(2)? != 0,
        first: Position::new(natural(row, 3)?),
        last: Position::new(natural(row, 4)?),
        stuck,
    })
}

/// Reads the id of an instance, behind its other columns.
fn id(row: &SqliteRow) -> Result<Result<InstanceId, InvalidInstanceId>, sqlx::Error> {
    Ok(InstanceId::try_from(row.try_get::<String, _>(INSTANCE_COLUMNS)?))
}

fn correlation(id: &[u8]) -> Result<CorrelationId, uuid::Error> {
    Uuid::from_slice(id).map(CorrelationId::new)
}

fn number_of(state: OutboxState) -> i64 {
    match state {
        OutboxState::Pending => PENDING,
        OutboxState::Done => DONE,
        OutboxState::Parked => PARKED,
        OutboxState::Dropped => DROPPED,
    }
}

/// How many columns a task has; others come after them.
const TASK_COLUMNS: usize = 12;

/// Reads a task from the first columns of a row.
fn task(row: &SqliteRow) -> Result<OutboxEntry, sqlx::Error> {
    let name: String = row.try_get(4)?;
    let data: Option<String> = row.try_get(5)?;
    let metadata: &str = row.try_get(6)?;
    let kind: i64 = row.try_get(3)?;
    Ok(OutboxEntry {
        id: CommandId::new(decoded(Uuid::from_slice(row.try_get(0)?))?),
        process: row.try_get(1)?,
        instance: decoded(InstanceId::try_from(row.try_get::<String, _>(2)?))?,
        task: match (kind, data) {
            (COMMAND, Some(data)) => {
                OutboxTask::Command(BoxCommand::new(name, decoded(Json::parse(data))?))
            }
            (DEADLINE, _) => OutboxTask::Deadline(name),
            _ => return decoded(Err(format!("{name} is neither a command nor a deadline"))),
        },
        metadata: decoded(serde_json::from_str(metadata))?,
        due_at: Timestamp::from_micros(row.try_get(7)?),
        retry_at: Timestamp::from_micros(row.try_get(8)?),
        attempts: decoded(u32::try_from(row.try_get::<i64, _>(9)?))?,
        last_error: row.try_get(10)?,
        state: match row.try_get(11)? {
            PENDING => OutboxState::Pending,
            DONE => OutboxState::Done,
            PARKED => OutboxState::Parked,
            DROPPED => OutboxState::Dropped,
            other => return decoded(Err(format!("there is no state {other}"))),
        },
    })
}
