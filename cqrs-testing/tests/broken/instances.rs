//! Stores that break instances.

use async_trait::async_trait;
use serde_json::Value;

use crate::breach::*;
use crate::proofs::proofs;
use crate::trick::{bare, unfenced};

type Found = Result<Vec<Option<InstanceRecord>>, StoreError>;

/// Answers in the order of its index.
#[derive(Default)]
struct AnswersInstancesSorted;

#[async_trait]
impl Breach for AnswersInstancesSorted {
    async fn instances(&self, store: &MemoryStore, process: &str, ids: &[InstanceId]) -> Found {
        let mut ids = ids.to_vec();
        ids.sort();
        store.instances(process, &ids).await
    }
}

/// Leaves out what it does not find, so that answers move to other ids.
#[derive(Default)]
struct LeavesOutMissingInstances;

#[async_trait]
impl Breach for LeavesOutMissingInstances {
    async fn instances(&self, store: &MemoryStore, process: &str, ids: &[InstanceId]) -> Found {
        let mut found = store.instances(process, ids).await?;
        found.retain(Option::is_some);
        Ok(found)
    }
}

/// Never updates an instance.
#[derive(Default)]
struct KeepsTheFirstState;

#[async_trait]
impl Breach for KeepsTheFirstState {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        let ids: Vec<_> = step.instances.iter().map(|change| change.id.clone()).collect();
        let mut known = store.instances(&step.process, &ids).await?.into_iter();
        step.instances.retain(|_| known.next().is_some_and(|known| known.is_none()));
        store.commit_step(step).await
    }
}

/// Merges a later state into the earlier one.
#[derive(Default)]
struct MergesStates;

#[async_trait]
impl Breach for MergesStates {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        for InstanceChange { id, record } in &mut step.instances {
            let known = store.instances(&step.process, std::slice::from_ref(id)).await?.remove(0);
            let states = (known.map(|known| parse(&known)), parse(record));
            if let (Some(Value::Object(mut old)), Value::Object(new)) = states {
                old.extend(new);
                record.state = Json::of(&old).ok();
            }
        }
        store.commit_step(step).await
    }
}

fn parse(record: &InstanceRecord) -> Value {
    record.state.as_ref().map_or(Value::Null, |state| state.decode().unwrap())
}

/// Deletes an instance that is finished.
#[derive(Default)]
struct ForgetsTombstones;

#[async_trait]
impl Breach for ForgetsTombstones {
    async fn instances(&self, store: &MemoryStore, process: &str, ids: &[InstanceId]) -> Found {
        let found = store.instances(process, ids).await?;
        Ok(found.into_iter().map(|found| found.filter(|record| !record.finished)).collect())
    }
}

/// Keeps a finished instance, without its mark.
#[derive(Default)]
struct ForgetsThatInstancesAreFinished;

#[async_trait]
impl Breach for ForgetsThatInstancesAreFinished {
    async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
        step.instances.iter_mut().for_each(|change| change.record.finished = false);
        store.commit_step(step).await
    }
}

/// Has one table of instances for all process managers.
#[derive(Default)]
struct SharesInstances;

#[async_trait]
impl Breach for SharesInstances {
    async fn instances(&self, store: &MemoryStore, _process: &str, ids: &[InstanceId]) -> Found {
        store.instances("", ids).await
    }

    async fn commit_step(&self, store: &MemoryStore, step: ProcessStep) -> Result<(), StepError> {
        store.commit_step(ProcessStep { tasks: step.tasks.clone(), ..bare(&step) }).await?;
        let process = String::new();
        let instances = ProcessStep { process, tasks: vec![], ..step };
        store.commit_step(unfenced(store, instances).await?).await
    }
}

/// Makes a store that does something to instance ids before it looks them up.
macro_rules! folds_ids {
    ($($(#[$doc:meta])* $breach:ident: $fold:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn instances(&self, store: &MemoryStore, process: &str, ids: &[InstanceId]) -> Found {
                let ids: Vec<_> = ids.iter().map(|id| folded(id, $fold)).collect();
                store.instances(process, &ids).await
            }

            async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
                step.instances.iter_mut().for_each(|change| change.id = folded(&change.id, $fold));
                store.commit_step(step).await
            }
        }
    )*};
}

fn folded(id: &InstanceId, fold: fn(&str) -> String) -> InstanceId {
    InstanceId::new(fold(id.as_str())).unwrap()
}

folds_ids! {
    /// Compares ids without regard to case.
    FoldsTheCaseOfIds: |id| id.to_lowercase();
    /// Ignores spaces around ids.
    TrimsIds: |id| id.trim().to_owned();
    /// Has a column of 255 characters for ids.
    CutsLongIds: |id| id.chars().take(255).collect();
    /// Compares accents by their composed form.
    ComposesAccents: |id| id.replace("e\u{301}", "é");
    /// Takes an id that looks like a number for one.
    ReadsIdsAsNumbers: |id| id.parse::<u64>().map_or(id.to_owned(), |number| number.to_string());
}

/// Makes a store that does something to states before it keeps them.
macro_rules! changes_states {
    ($($(#[$doc:meta])* $breach:ident: $change:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn commit_step(&self, store: &MemoryStore, mut step: ProcessStep) -> Result<(), StepError> {
                let change: fn(&str) -> String = $change;
                for InstanceChange { record, .. } in &mut step.instances {
                    let state = record.state.take();
                    record.state = state.map(|state| Json::parse(change(state.as_str())).unwrap());
                }
                store.commit_step(step).await
            }
        }
    )*};
}

changes_states! {
    /// Keeps numbers of states as floating-point numbers.
    RoundsNumbersOfStates: |state| state.replace("18446744073709551615", "18446744073709551616");
    /// Loses the character U+0000 of states.
    DropsNulsOfStates: |state| state.replace("\\u0000", "");
    /// Takes the JSON null for no state.
    TakesNullForEmpty: |state| if state == "null" { "{}".into() } else { state.into() };
}

proofs! {
    AnswersInstancesSorted: instances::instances_are_answered_in_the_order_asked;
    LeavesOutMissingInstances:
        instances::instances_are_answered_in_the_order_asked,
        instances::instances_of_processes_do_not_mix,
        steps::a_fenced_step_changes_nothing,
        steps::a_step_of_an_instance_that_is_not_stuck_there_is_fenced;
    KeepsTheFirstState:
        instances::a_finished_instance_stays,
        instances::a_later_state_replaces_the_earlier,
        instances::a_state_is_read_back_as_written,
        chain::a_chain_counts_its_stuck_instances,
        instances::an_instance_is_read_back_as_written,
        steps::a_stuck_instance_takes_what_it_has_missed;
    MergesStates: instances::a_later_state_replaces_the_earlier;
    ForgetsTombstones:
        instances::a_finished_instance_stays,
        process_restart::checkpoint_and_instances_survive_a_restart,
        steps::a_step_changes_all_of_its_parts,
        steps::a_step_of_a_task_makes_it_done,
        instances::an_instance_is_read_back_as_written;
    ForgetsThatInstancesAreFinished:
        instances::a_finished_instance_stays,
        process_restart::checkpoint_and_instances_survive_a_restart,
        steps::a_step_changes_all_of_its_parts,
        steps::a_step_of_a_task_makes_it_done,
        instances::an_instance_is_read_back_as_written,
        operators::instances_are_listed_by_where_they_stand;
    SharesInstances:
        instances::instances_of_processes_do_not_mix,
        chain::a_chain_counts_its_stuck_instances,
        operators::instances_are_listed_by_where_they_stand,
        operators::instances_are_listed_in_the_order_of_their_ids,
        steps::a_stuck_instance_goes_on_from_the_checkpoint_only,
        steps::a_stuck_instance_takes_what_it_has_missed,
        deadlines::a_cancelled_deadline_may_be_asked_for_again,
        deadlines::a_step_drops_the_deadlines_that_it_cancels;
    FoldsTheCaseOfIds:
        instances::instance_ids_are_told_apart,
        operators::instances_are_listed_in_the_order_of_their_ids;
    TrimsIds: instances::instance_ids_are_told_apart;
    CutsLongIds: instances::instance_ids_are_told_apart;
    ComposesAccents: instances::instance_ids_are_told_apart;
    ReadsIdsAsNumbers: instances::instance_ids_are_told_apart;
    RoundsNumbersOfStates: instances::a_state_is_read_back_as_written;
    DropsNulsOfStates: instances::a_state_is_read_back_as_written;
    TakesNullForEmpty: instances::a_state_is_read_back_as_written;
}
