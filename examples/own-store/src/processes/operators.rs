//! What operators see and decide.

use cqrs_core::{
    CommandId, InstanceId, InstanceQuery, InstanceRecord, OutboxEntry, OutboxState, TaskDecision, TaskPage,
    TaskQuery, Timestamp,
};

use super::Processes;
use crate::fact::{Change, Fact};

impl Processes {
    pub(crate) fn list_instances(
        &self,
        process: &str,
        query: &InstanceQuery,
    ) -> Vec<(InstanceId, InstanceRecord)> {
        let wanted = self.instances.iter().filter(|((of, id), record)| {
            of == process
                && query.after.as_ref().is_none_or(|after| id > after)
                && query.state.is_none_or(|state| state == record.stands())
        });
        wanted.take(query.limit).map(|((_, id), record)| (id.clone(), record.clone())).collect()
    }

    pub(crate) fn list_tasks(&self, query: &TaskQuery) -> TaskPage {
        let after = query.after.unwrap_or_default();
        let mut wanted = self.tasks.iter().filter(|task| task.number > after && query.matches(&task.entry));
        let page: Vec<_> = wanted.by_ref().take(query.limit).collect();
        let next = page.last().map(|task| task.number).filter(|_| wanted.next().is_some());
        TaskPage { tasks: page.into_iter().map(|task| task.entry.clone()).collect(), next }
    }

    pub(crate) fn one_task(&self, id: CommandId) -> Option<OutboxEntry> {
        self.task(&[], id).map(|task| task.entry.clone())
    }

    /// Judges an operator's decision about a task, and says whether it can be made.
    pub(crate) fn decide(&self, id: CommandId, decision: TaskDecision, at: Timestamp) -> (Change, bool) {
        let Some(mut task) = self.task(&[], id).cloned() else { return (Change::new(), false) };
        match (decision, task.entry.state) {
            (_, OutboxState::Done | OutboxState::Dropped) => return (Change::new(), false),
            (TaskDecision::Retry, OutboxState::Pending) if task.entry.attempts == 0 => {
                return (Change::new(), false);
            }
            (TaskDecision::Retry, _) => {
                (task.entry.state, task.entry.retry_at, task.entry.attempts) =
                    (OutboxState::Pending, at, 0);
            }
            (TaskDecision::Drop, _) => task = task.dropped(at),
        }
        (vec![Fact::Task(task)], true)
    }
}
