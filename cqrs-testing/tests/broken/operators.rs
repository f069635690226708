//! Stores that break what operators see and decide, and instances that get stuck.

use async_trait::async_trait;

use crate::breach::*;
use crate::ledger::Ledger;
use crate::proofs::proofs;
use crate::trick::unfenced;

type Instances = Result<Vec<(InstanceId, InstanceRecord)>, StoreError>;

/// Makes a store that lists tasks in another way.
macro_rules! lists_tasks {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $query:ident => $list:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn list_tasks(
                &self,
                $store: &MemoryStore,
                $query: &TaskQuery,
            ) -> Result<TaskPage, StoreError> {
                $list
            }
        }
    )*};
}

lists_tasks! {
    /// Lists tasks by their ids.
    ListsTasksById: store, query => {
        let mut page = store.list_tasks(query).await?;
        page.tasks.sort_by_key(|task| task.id.as_uuid());
        page.tasks.reverse();
        Ok(page)
    };
    /// Says of no page that there is another one.
    EndsAfterAPageOfTasks: store, query => Ok(TaskPage { next: None, ..store.list_tasks(query).await? });
    /// Begins the next page with the last task of the one before.
    RepeatsTheLastTaskOfAPage: store, query => {
        let after = query.after.map(|after| after - 1);
        store.list_tasks(&TaskQuery { after, ..query.clone() }).await
    };
    /// Counts pages from the beginning as it is, and not as it was.
    CountsPagesOfTasksAnew: store, query => {
        let all = store.list_tasks(&TaskQuery { after: None, limit: usize::MAX, ..query.clone() }).await?;
        let begin = query.after.unwrap_or_default() as usize;
        let tasks: Vec<_> = all.tasks.iter().skip(begin).take(query.limit).cloned().collect();
        let end = begin + tasks.len();
        Ok(TaskPage { next: (end < all.tasks.len()).then_some(end as u64), tasks })
    };
    /// Lists more than was asked for.
    IgnoresTheLimitOfListedTasks: store, query => {
        store.list_tasks(&TaskQuery { limit: usize::MAX, ..query.clone() }).await
    };
    /// Lists the tasks of all process managers.
    ListsTasksOfAnyProcess: store, query => {
        store.list_tasks(&TaskQuery { process: None, ..query.clone() }).await
    };
    /// Lists the tasks of all instances.
    ListsTasksOfAnyInstance: store, query => {
        store.list_tasks(&TaskQuery { instance: None, ..query.clone() }).await
    };
    /// Lists tasks wherever they stand.
    ListsTasksInAnyState: store, query => {
        store.list_tasks(&TaskQuery { state: None, ..query.clone() }).await
    };
    /// Lists what is still to be decided about only.
    ListsNoTaskThatIsOver: store, query => {
        let mut page = store.list_tasks(query).await?;
        page.tasks.retain(|task| matches!(task.state, OutboxState::Pending | OutboxState::Parked));
        Ok(page)
    };
}

/// Finds pending tasks only.
#[derive(Default)]
struct FindsPendingTasksOnly;

#[async_trait]
impl Breach for FindsPendingTasksOnly {
    async fn task(&self, store: &MemoryStore, id: CommandId) -> Result<Option<OutboxEntry>, StoreError> {
        Ok(store.task(id).await?.filter(|task| task.state == OutboxState::Pending))
    }
}

/// Makes a store that lists instances in another way.
macro_rules! lists_instances {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $process:ident, $query:ident => $list:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn list_instances(
                &self,
                $store: &MemoryStore,
                $process: &str,
                $query: &InstanceQuery,
            ) -> Instances {
                $list
            }
        }
    )*};
}

async fn all(store: &MemoryStore, process: &str, query: &InstanceQuery) -> Instances {
    store.list_instances(process, &InstanceQuery { after: None, limit: usize::MAX, ..query.clone() }).await
}

lists_instances! {
    /// Lists instances without regard to case.
    ListsInstancesByLetter: store, process, query => {
        let mut all = all(store, process, query).await?;
        all.sort_by_key(|(id, _)| id.as_str().to_lowercase());
        let key = |id: &InstanceId| id.as_str().to_lowercase();
        all.retain(|(id, _)| query.after.as_ref().is_none_or(|after| key(id) > key(after)));
        all.truncate(query.limit);
        Ok(all)
    };
    /// Begins the next page with the last instance of the one before.
    RepeatsTheLastInstanceOfAPage: store, process, query => {
        let mut all = all(store, process, query).await?;
        all.retain(|(id, _)| query.after.as_ref().is_none_or(|after| id >= after));
        all.truncate(query.limit);
        Ok(all)
    };
    /// Lists more than was asked for.
    IgnoresTheLimitOfListedInstances: store, process, query => {
        store.list_instances(process, &InstanceQuery { limit: usize::MAX, ..query.clone() }).await
    };
    /// Takes an instance that is stuck for one that runs.
    ListsStuckInstancesAsRunning: store, process, query => {
        let mut all = all(store, process, &InstanceQuery { state: None, ..query.clone() }).await?;
        all.retain(|(id, record)| {
            let state = match record.finished {
                false => InstanceState::Running,
                true => record.stands(),
            };
            query.after.as_ref().is_none_or(|after| id > after) && query.state.is_none_or(|wanted| wanted == state)
        });
        all.truncate(query.limit);
        Ok(all)
    };
    /// Takes a finished instance for one that is not stuck.
    ListsStuckTombstonesAsFinished: store, process, query => {
        let mut all = all(store, process, &InstanceQuery { state: None, ..query.clone() }).await?;
        all.retain(|(id, record)| {
            let state = if record.finished { InstanceState::Finished } else { record.stands() };
            query.after.as_ref().is_none_or(|after| id > after) && query.state.is_none_or(|wanted| wanted == state)
        });
        all.truncate(query.limit);
        Ok(all)
    };
}

/// Makes a store that decides about tasks in another way.
macro_rules! decides {
    ($($(#[$doc:meta])* $breach:ident: $store:ident, $id:ident, $decision:ident, $at:ident => $decide:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn decide_task(
                &self,
                $store: &MemoryStore,
                $id: CommandId,
                $decision: TaskDecision,
                $at: Timestamp,
            ) -> Result<bool, StoreError> {
                $decide
            }
        }
    )*};
}

decides! {
    /// Tries again at once, whatever the moment.
    RetriesParkedTasksAtOnce: store, id, decision, at => {
        let moment = match decision {
            TaskDecision::Retry => Timestamp::from_micros(0),
            TaskDecision::Drop => at,
        };
        store.decide_task(id, decision, moment).await
    };
    /// Retries what is parked, and leaves what is pending alone.
    RetriesParkedTasksOnly: store, id, decision, at => {
        let found = store.task(id).await?.map(|task| task.state);
        match (decision, found) {
            (TaskDecision::Retry, Some(OutboxState::Pending)) => Ok(false),
            _ => store.decide_task(id, decision, at).await,
        }
    };
    /// Drops what is parked, and leaves what is pending alone.
    DropsParkedTasksOnly: store, id, decision, at => {
        let found = store.task(id).await?.map(|task| task.state);
        match (decision, found) {
            (TaskDecision::Drop, Some(OutboxState::Pending)) => Ok(false),
            _ => store.decide_task(id, decision, at).await,
        }
    };
    /// Says of every decision that it was made.
    DecidesAboutEverything: store, id, decision, at => {
        store.decide_task(id, decision, at).await?;
        Ok(true)
    };
    /// Retries what was never tried, before its time.
    RetriesWhatNeverFailed: store, id, decision, at => {
        if decision == TaskDecision::Retry && store.task(id).await?.is_some() {
            let retry = OutboxOutcome::Retry { at, error: String::new() };
            store.settle_tasks(vec![(id, retry)], at).await?;
        }
        store.decide_task(id, decision, at).await
    };
    /// Counts a dropped task as done long ago.
    DropsTasksInThePast: store, id, decision, at => {
        let moment = match decision {
            TaskDecision::Retry => at,
            TaskDecision::Drop => Timestamp::from_micros(0),
        };
        store.decide_task(id, decision, moment).await
    };
}

/// Keeps the attempts of a task that is retried.
#[derive(Default)]
struct KeepsAttemptsOfRetriedTasks;

#[async_trait]
impl Breach for KeepsAttemptsOfRetriedTasks {
    async fn decide_task(
        &self,
        store: &MemoryStore,
        id: CommandId,
        decision: TaskDecision,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let before = store.task(id).await?;
        let decided = store.decide_task(id, decision, at).await?;
        if let (TaskDecision::Retry, Some(task)) = (decision, before) {
            for _ in 0..task.attempts {
                let error = task.last_error.clone().unwrap_or_default();
                store.settle_tasks(vec![(id, OutboxOutcome::Retry { at, error })], at).await?;
            }
        }
        Ok(decided)
    }
}

/// Makes a store that changes instances before it keeps them.
macro_rules! changes_records {
    ($($(#[$doc:meta])* $breach:ident: $record:ident => $change:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
                for InstanceChange { record: $record, .. } in &mut step.instances {
                    $change;
                }
                store.commit_step(step).await
            }
        }
    )*};
}

changes_records! {
    /// Loses the schema version.
    ForgetsSchemaVersionsOfInstances: record => record.schema_version = 1;
    /// Loses where an instance's events are.
    ForgetsWhereInstancesBegan: record => record.first = Position::ZERO;
    /// Keeps positions in 32 bits.
    CutsPositionsOfInstances: record => {
        record.last = Position::new(record.last.as_u64() & u64::from(u32::MAX));
    };
    /// Loses the error with which an instance is stuck.
    ForgetsWhyInstancesAreStuck: record => {
        record.stuck.iter_mut().for_each(|stuck| stuck.error.clear());
    };
    /// Loses the chain in which an instance is stuck.
    ForgetsTheChainOfStuckInstances: record => {
        record.stuck.iter_mut().for_each(|stuck| stuck.chain = None);
    };
    /// Takes no state for the JSON null.
    TakesNoStateForNull: record => {
        record.state = record.state.take().or(Json::parse("null").ok());
    };
}

/// Takes steps of stuck instances without looking.
#[derive(Default)]
struct TakesStepsOfInstancesUnseen;

#[async_trait]
impl Breach for TakesStepsOfInstancesUnseen {
    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        match step.cause {
            StepCause::Stuck { checkpoint, .. }
                if checkpoint.is_none_or(|at| at == Position::new(9) || at == Position::new(1)) =>
            {
                store.commit_step(unfenced(store, step).await?).await
            }
            _ => store.commit_step(step).await,
        }
    }
}

/// Takes steps of stuck instances wherever the checkpoint stands.
#[derive(Default)]
struct IgnoresTheCheckpointOfStuckInstances;

#[async_trait]
impl Breach for IgnoresTheCheckpointOfStuckInstances {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if let StepCause::Stuck { checkpoint, .. } = &mut step.cause {
            *checkpoint = None;
        }
        store.commit_step(step).await
    }
}

/// Drops the tasks of a step of a stuck instance.
#[derive(Default)]
struct LosesTasksOfStuckInstances;

#[async_trait]
impl Breach for LosesTasksOfStuckInstances {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        if matches!(step.cause, StepCause::Stuck { .. }) {
            step.tasks.clear();
        }
        store.commit_step(step).await
    }
}

/// Lets parked commands hold up others before their time.
#[derive(Default)]
struct ParkedCommandsOfTheFutureBlock(Ledger);

#[async_trait]
impl Breach for ParkedCommandsOfTheFutureBlock {
    fn ledger(&self) -> Option<&Ledger> {
        Some(&self.0)
    }

    async fn due_tasks(
        &self,
        store: &MemoryStore,
        now: Timestamp,
        share: Share,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let known = self.0.entries();
        let place = |id| known.iter().position(|task| task.id == id);
        let mut due = store.due_tasks(now, share, limit).await?;
        due.retain(|task| {
            !known.iter().any(|other| {
                other.state == OutboxState::Parked
                    && other.due_at > now
                    && matches!((&other.task, &task.task), (OutboxTask::Command(_), OutboxTask::Command(_)))
                    && (&other.process, &other.instance) == (&task.process, &task.instance)
                    && place(other.id) < place(task.id)
            })
        });
        Ok(due)
    }
}

proofs! {
    ListsTasksById:
        operators::tasks_are_listed_by_what_is_wanted,
        operators::tasks_are_listed_in_the_order_asked;
    EndsAfterAPageOfTasks:
        operators::tasks_are_listed_by_what_is_wanted,
        operators::tasks_are_listed_in_the_order_asked;
    RepeatsTheLastTaskOfAPage:
        operators::tasks_are_listed_by_what_is_wanted,
        operators::tasks_are_listed_in_the_order_asked;
    CountsPagesOfTasksAnew: operators::tasks_are_listed_in_the_order_asked;
    IgnoresTheLimitOfListedTasks:
        operators::tasks_are_listed_by_what_is_wanted,
        operators::tasks_are_listed_in_the_order_asked;
    ListsTasksOfAnyProcess: operators::tasks_are_listed_by_what_is_wanted;
    ListsTasksOfAnyInstance:
        operators::a_task_is_found_by_its_id,
        operators::tasks_are_listed_by_what_is_wanted;
    ListsTasksInAnyState: operators::tasks_are_listed_by_what_is_wanted;
    ListsNoTaskThatIsOver:
        operators::a_task_is_found_by_its_id,
        operators::tasks_are_listed_by_what_is_wanted,
        operators::tasks_are_listed_in_the_order_asked;
    ListsInstancesByLetter: operators::instances_are_listed_in_the_order_of_their_ids;
    RepeatsTheLastInstanceOfAPage:
        operators::instances_are_listed_by_where_they_stand,
        operators::instances_are_listed_in_the_order_of_their_ids;
    IgnoresTheLimitOfListedInstances:
        operators::instances_are_listed_by_where_they_stand,
        operators::instances_are_listed_in_the_order_of_their_ids;
    ListsStuckInstancesAsRunning: operators::instances_are_listed_by_where_they_stand;
    ListsStuckTombstonesAsFinished: operators::instances_are_listed_by_where_they_stand;
    RetriesParkedTasksAtOnce:
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    RetriesParkedTasksOnly: operators::only_what_has_failed_is_retried;
    DropsParkedTasksOnly:
        operators::a_dropped_task_is_in_nobodys_way,
        operators::a_dropped_task_leaves_its_chain_and_is_pruned,
        operators::a_task_is_found_by_its_id,
        operators::tasks_are_listed_by_what_is_wanted,
        operators::what_is_done_is_not_decided_about;
    DecidesAboutEverything:
        operators::only_what_has_failed_is_retried,
        operators::what_is_done_is_not_decided_about;
    RetriesWhatNeverFailed: operators::only_what_has_failed_is_retried;
    DropsTasksInThePast: operators::a_dropped_task_leaves_its_chain_and_is_pruned;
    ForgetsSchemaVersionsOfInstances: instances::an_instance_is_read_back_as_written;
    ForgetsWhereInstancesBegan: instances::an_instance_is_read_back_as_written;
    CutsPositionsOfInstances: instances::an_instance_is_read_back_as_written;
    ForgetsWhyInstancesAreStuck:
        instances::an_instance_is_read_back_as_written,
        operators::instances_are_listed_by_where_they_stand,
        steps::a_step_of_an_instance_that_is_not_stuck_there_is_fenced,
        steps::a_stuck_instance_goes_on_from_the_checkpoint_only,
        steps::a_stuck_instance_takes_what_it_has_missed;
    ForgetsTheChainOfStuckInstances:
        chain::a_chain_counts_its_stuck_instances,
        instances::an_instance_is_read_back_as_written;
    TakesNoStateForNull: instances::an_instance_is_read_back_as_written;
    FindsPendingTasksOnly:
        operators::a_task_is_found_by_its_id,
        deadlines::a_cancelled_deadline_may_be_asked_for_again,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    KeepsAttemptsOfRetriedTasks:
        operators::a_parked_task_that_is_retried_is_due_again,
        operators::only_what_has_failed_is_retried;
    TakesStepsOfInstancesUnseen: steps::a_step_of_an_instance_that_is_not_stuck_there_is_fenced;
    IgnoresTheCheckpointOfStuckInstances: steps::a_stuck_instance_goes_on_from_the_checkpoint_only;
    LosesTasksOfStuckInstances: steps::a_stuck_instance_takes_what_it_has_missed;
    ParkedCommandsOfTheFutureBlock: task_order::a_parked_command_of_the_future_holds_up_nobody;
}
