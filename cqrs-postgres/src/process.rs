//! What process managers know: checkpoints, instances, the outbox.

use std::collections::HashMap;

use async_trait::async_trait;
use cqrs_core::{
    BoxCommand, Chain, CommandId, CorrelationId, InstanceChange, InstanceId, InstanceQuery, InstanceRecord,
    InstanceState, Json, OutboxEntry, OutboxOutcome, OutboxState, OutboxTask, Position, ProcessStep,
    ProcessStore, Share, StepCause, StepError, StoreError, Stuck, TaskDecision, TaskPage, TaskQuery,
    Timestamp,
};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::corrupt;
use crate::read::{clamp, natural};
use crate::session::Statement;
use crate::text::{escape, unescape};

const CHECKPOINT: &str = include_str!("sql/step_checkpoint.sql");
const INSTANCES: &str = include_str!("sql/instances.sql");
const STEP_LOCK: &str = include_str!("sql/step_lock.sql");
const STEP_EVENTS: &str = include_str!("sql/step_events.sql");
const STEP_TASK: &str = include_str!("sql/step_task.sql");
const STEP_STUCK: &str = include_str!("sql/step_stuck.sql");
const DUE_TASKS: &str = include_str!("sql/due_tasks.sql");
const NEXT_DUE: &str = include_str!("sql/next_due.sql");
const SETTLE_TASKS: &str = include_str!("sql/settle_tasks.sql");
const CHAIN: &str = include_str!("sql/chain.sql");
const PRUNE_TASKS: &str = include_str!("sql/prune_tasks.sql");
/// How many tasks are forgotten at a time, in a transaction of their own.
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
const COMMAND: i16 = 0;
const DEADLINE: i16 = 1;
/// Numbers of the column `state`.
const PENDING: i16 = 0;
const DONE: i16 = 1;
const PARKED: i16 = 2;
const DROPPED: i16 = 3;

/// What became of a task, in the order in which `settle_tasks.sql` takes it.
#[derive(Clone, Debug, PartialEq)]
struct Settled {
    id: Uuid,
    state: i16,
    attempts: i64,
    retry_at: Option<i64>,
    error: Option<String>,
    position: Option<i64>,
}

#[async_trait]
impl ProcessStore for PostgresStore {
    async fn checkpoint(&self, process: &str) -> Result<Position, StoreError> {
        let statement = || sqlx::query(CHECKPOINT).bind(process);
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
        let names: Vec<_> = ids.iter().map(InstanceId::as_str).collect();
        let statement = || sqlx::query(INSTANCES).bind(process).bind(&names);
        let rows = self.database().read("read instances", statement).await?;
        let mut found = vec![None; ids.len()];
        for row in &rows {
            let key = natural(row, INSTANCE_COLUMNS).map_err(damaged("instance", process))? as usize;
            let key = key.wrapping_sub(1);
            if let (Some(found), Some(id)) = (found.get_mut(key), ids.get(key)) {
                *found = Some(instance(row).map_err(damaged("instance", id.as_str()))?);
            }
        }
        Ok(found)
    }

    async fn commit_step(&self, step: ProcessStep) -> Result<(), StepError> {
        const ACTION: &str = "commit a step";
        let statement = step_statement(&step)?;
        let (rows, _) = match step.cancels.is_empty() {
            true => self.database().write(ACTION, statement).await?,
            // A deadline that another step asks for at the same moment must be seen.
            false => {
                let lock = sqlx::query(STEP_LOCK).bind(step.process);
                self.database().write_under(ACTION, lock, statement).await?
            }
        };
        match rows.first().map(|row| natural(row, 0)) {
            Some(Ok(1)) => Ok(()),
            Some(Ok(_)) => Err(StepError::Fenced),
            _ => Err(corrupt("a step has no answer").into()),
        }
    }

    async fn due_tasks(
        &self,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        /// The statement reckons with the limit, and more tasks than this are in no table.
        const MOST: u64 = 1 << 48;
        let limit = clamp((limit as u64).min(MOST));
        let (number, of) = (i64::from(share.number()), i64::from(share.of()));
        let statement = || sqlx::query(DUE_TASKS).bind(now.as_micros()).bind(limit).bind(number).bind(of);
        let rows = self.database().read("read due tasks", statement).await?;
        rows.iter().map(|row| task(row).map_err(damaged("task", "in the outbox"))).collect()
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let statement = || sqlx::query(NEXT_DUE).bind(after.as_micros());
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
        let settled = fold(outcomes);
        let statement = sqlx::query(SETTLE_TASKS)
            .bind(settled.iter().map(|task| task.id).collect::<Vec<_>>())
            .bind(settled.iter().map(|task| task.state).collect::<Vec<_>>())
            .bind(settled.iter().map(|task| task.attempts).collect::<Vec<_>>())
            .bind(settled.iter().map(|task| task.retry_at).collect::<Vec<_>>())
            .bind(settled.iter().map(|task| task.error.as_deref().map(escape)).collect::<Vec<_>>())
            .bind(settled.iter().map(|task| task.position).collect::<Vec<_>>())
            .bind(at.as_micros());
        self.database().write("settle tasks", statement).await.map(drop)
    }

    async fn chain(&self, correlation: CorrelationId) -> Result<Chain, StoreError> {
        let statement = || sqlx::query(CHAIN).bind(correlation.as_uuid());
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
            let (_, some) = self.database().write("prune tasks", statement).await?;
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
        let statement = || {
            sqlx::query(text)
                .bind(process)
                // No id is empty.
                .bind(query.after.as_ref().map_or("", InstanceId::as_str))
                .bind(clamp(query.limit as u64))
                .bind(query.state == Some(InstanceState::Finished))
        };
        let rows = self.database().read("list instances", statement).await?;
        let read = |row: &PgRow| {
            let id: String = row.try_get(INSTANCE_COLUMNS)?;
            Ok((decoded(InstanceId::try_from(id))?, instance(row)?))
        };
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
        let statement = || {
            sqlx::query(text)
                .bind(clamp(query.after.unwrap_or_default()))
                .bind(clamp((query.limit as u64).saturating_add(1)))
                .bind(query.process.as_deref())
                .bind(query.instance.as_ref().map(InstanceId::as_str))
                .bind(query.state.map(number_of))
        };
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
        let statement = || sqlx::query(TASK).bind(id.as_uuid());
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
        let statement = sqlx::query(text).bind(id.as_uuid()).bind(at.as_micros());
        let (_, decided) = self.database().write("decide a task", statement).await?;
        Ok(decided > 0)
    }
}

/// A step as one call.
fn step_statement(step: &ProcessStep) -> Result<Statement, StoreError> {
    let sql = match step.cause {
        StepCause::Events { .. } => STEP_EVENTS,
        StepCause::Task { .. } => STEP_TASK,
        StepCause::Stuck { .. } => STEP_STUCK,
    };
    let statement = bind_instances(sqlx::query(sql).bind(step.process.clone()), &step.instances);
    let statement = bind_tasks(statement, &step.tasks)?
        .bind(step.cancels.iter().map(|(instance, _)| instance.as_str()).collect::<Vec<_>>())
        .bind(step.cancels.iter().map(|(_, name)| escape(name)).collect::<Vec<_>>())
        .bind(step.at.as_micros());
    Ok(match &step.cause {
        StepCause::Events { from, to } => statement.bind(clamp(from.as_u64())).bind(clamp(to.as_u64())),
        StepCause::Task { id, error } => statement.bind(id.as_uuid()).bind(error.as_deref().map(escape)),
        StepCause::Stuck { instance, at, checkpoint } => statement
            .bind(instance.as_str())
            .bind(clamp(at.as_u64()))
            .bind(checkpoint.map(|checkpoint| clamp(checkpoint.as_u64()))),
    })
}

/// Adds the columns of instances; of several changes of one, the last one.
fn bind_instances(statement: Statement, changes: &[InstanceChange]) -> Statement {
    let last: HashMap<_, _> = changes.iter().map(|change| (&change.id, &change.record)).collect();
    let (ids, records): (Vec<_>, Vec<_>) = last.into_iter().unzip();
    let stuck: Vec<_> = records.iter().map(|record| record.stuck.as_ref()).collect();
    let state = |record: &&InstanceRecord| record.state.as_ref().map(|state| state.as_str().to_owned());
    statement
        .bind(ids.iter().map(|id| id.as_str()).collect::<Vec<_>>())
        .bind(records.iter().map(state).collect::<Vec<_>>())
        .bind(records.iter().map(|record| i64::from(record.schema_version)).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.finished).collect::<Vec<_>>())
        .bind(records.iter().map(|record| clamp(record.first.as_u64())).collect::<Vec<_>>())
        .bind(records.iter().map(|record| clamp(record.last.as_u64())).collect::<Vec<_>>())
        .bind(stuck.iter().map(|stuck| stuck.map(|stuck| clamp(stuck.at.as_u64()))).collect::<Vec<_>>())
        .bind(stuck.iter().map(|stuck| (*stuck)?.chain.map(CorrelationId::as_uuid)).collect::<Vec<_>>())
        .bind(stuck.iter().map(|stuck| stuck.map(|stuck| escape(&stuck.error))).collect::<Vec<_>>())
}

/// Adds the columns of tasks.
fn bind_tasks(statement: Statement, tasks: &[OutboxEntry]) -> Result<Statement, StoreError> {
    let metadata =
        tasks.iter().map(|task| serde_json::to_string(&task.metadata)).collect::<Result<Vec<_>, _>>();
    let metadata = metadata.map_err(|error| StoreError::backend("write metadata as JSON", error))?;
    let (kinds, names, data) =
        tasks.iter().fold((Vec::new(), Vec::new(), Vec::new()), |mut columns, entry| {
            let (kind, name, data) = match &entry.task {
                OutboxTask::Command(command) => (COMMAND, &command.name, Some(command.data.as_str())),
                OutboxTask::Deadline(name) => (DEADLINE, name, None),
            };
            columns.0.push(kind);
            columns.1.push(escape(name));
            columns.2.push(data);
            columns
        });
    let correlation = |task: &OutboxEntry| task.metadata.correlation_id.map(CorrelationId::as_uuid);
    Ok(statement
        .bind(tasks.iter().map(|task| task.id.as_uuid()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.process.as_str()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.instance.as_str()).collect::<Vec<_>>())
        .bind(kinds)
        .bind(names)
        .bind(data)
        .bind(metadata)
        .bind(tasks.iter().map(correlation).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.due_at.as_micros()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.retry_at.as_micros()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| i64::from(task.attempts)).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.last_error.as_deref().map(escape)).collect::<Vec<_>>())
        .bind(tasks.iter().map(|task| task.shard() as i16).collect::<Vec<_>>()))
}

/// What several outcomes of one task come to, as if one after the other were recorded: after the first that
/// is final, the rest change nothing.
fn fold(outcomes: Vec<(CommandId, OutboxOutcome)>) -> Vec<Settled> {
    let mut settled: Vec<Settled> = Vec::with_capacity(outcomes.len());
    let mut places = HashMap::new();
    for (id, outcome) in outcomes {
        let place = *places.entry(id).or_insert_with(|| {
            settled.push(Settled {
                id: id.as_uuid(),
                state: PENDING,
                attempts: 0,
                retry_at: None,
                error: None,
                position: None,
            });
            settled.len() - 1
        });
        let Some(task) = settled.get_mut(place).filter(|task| task.state == PENDING) else { continue };
        match outcome {
            OutboxOutcome::Done { position } => {
                (task.state, task.position) = (DONE, Some(clamp(position.as_u64())));
            }
            OutboxOutcome::Retry { at, error } => {
                task.attempts += 1;
                (task.retry_at, task.error) = (Some(at.as_micros()), Some(error));
            }
            OutboxOutcome::Parked { error } => {
                task.attempts += 1;
                (task.state, task.error) = (PARKED, Some(error));
            }
        }
    }
    // Who settles the same tasks at the same time takes them in the same order.
    settled.sort_by_key(|task| task.id);
    settled
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
fn instance(row: &PgRow) -> Result<InstanceRecord, sqlx::Error> {
    let stuck = match row.try_get::<Option<i64>, _>(5)? {
        None => None,
        Some(_) => Some(Stuck {
            at: Position::new(natural(row, 5)?),
            chain: row.try_get::<Option<Uuid>, _>(6)?.map(CorrelationId::new),
            error: decoded(unescape(row.try_get(7)?))?,
        }),
    };
    let state: Option<String> = row.try_get(0)?;
    Ok(InstanceRecord {
        state: state.map(|state| decoded(Json::parse(state))).transpose()?,
        schema_version: decoded(u32::try_from(natural(row, 1)?))?,
        finished: row.try_get(2)?,
        first: Position::new(natural(row, 3)?),
        last: Position::new(natural(row, 4)?),
        stuck,
    })
}

fn number_of(state: OutboxState) -> i16 {
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
fn task(row: &PgRow) -> Result<OutboxEntry, sqlx::Error> {
    let name = decoded(unescape(row.try_get(4)?))?;
    let data: Option<String> = row.try_get(5)?;
    let metadata: &str = row.try_get(6)?;
    let kind: i16 = row.try_get(3)?;
    Ok(OutboxEntry {
        id: CommandId::new(row.try_get(0)?),
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
        last_error: row
            .try_get::<Option<String>, _>(10)?
            .map(|error| decoded(unescape(error)))
            .transpose()?,
        state: match row.try_get(11)? {
            PENDING => OutboxState::Pending,
            DONE => OutboxState::Done,
            PARKED => OutboxState::Parked,
            DROPPED => OutboxState::Dropped,
            other => return decoded(Err(format!("there is no state {other}"))),
        },
    })
}
