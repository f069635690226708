//! Which tasks are under way, and which of them wait for one another: pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::{CommandId, InstanceId, OutboxEntry, OutboxOutcome, OutboxTask};

/// What goes one after the other: the commands of one instance. A deadline has a lane for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    process: String,
    instance: InstanceId,
    deadline: Option<CommandId>,
}

impl Lane {
    fn of(entry: &OutboxEntry) -> Self {
        let deadline = matches!(entry.task, OutboxTask::Deadline(_)).then_some(entry.id);
        Self { process: entry.process.clone(), instance: entry.instance.clone(), deadline }
    }
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// To be recorded.
    Outcome(OutboxOutcome),
    /// A step has recorded it.
    Recorded,
    /// Nothing was tried.
    Nothing,
}

/// The tasks that were taken from the store and whose outcome it does not have yet.
///
/// A lane stays closed until everything that came of it is recorded: before that the store would give the same tasks
/// out again, or later ones that a failed one holds up.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<Lane, Tasks>,
    came: Vec<(Lane, CommandId, Option<OutboxOutcome>)>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// Whether one is under way.
    runs: bool,
    waiting: VecDeque<OutboxEntry>,
    unrecorded: usize,
}

impl Lanes {
    /// How many lanes have tasks.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// How many tasks there are.
    pub(super) fn tasks(&self) -> usize {
        let count = |tasks: &Tasks| usize::from(tasks.runs) + tasks.waiting.len() + tasks.unrecorded;
        self.lanes.values().map(count).sum()
    }

    /// Takes what the store gives out, as far as its lanes are free and there are not too many. Returns the first task of
    /// each new lane.
    pub(super) fn take(&mut self, entries: Vec<OutboxEntry>, most: usize) -> Vec<OutboxEntry> {
        let mut new = HashSet::new();
        let mut first = Vec::new();
        for entry in entries {
            let lane = Lane::of(&entry);
            let room = self.lanes.len() < most;
            match self.lanes.entry(lane) {
                Entry::Vacant(vacant) if room => {
                    new.insert(vacant.key().clone());
                    vacant.insert(Tasks { runs: true, ..Tasks::default() });
                    first.push(entry);
                }
                Entry::Occupied(tasks) if new.contains(tasks.key()) => {
                    tasks.into_mut().waiting.push_back(entry);
                }
                _ => {}
            }
        }
        first
    }

    /// Takes what came of a task. Returns the next one of its lane, which goes on only after a task that got through.
    pub(super) fn came(&mut self, entry: &OutboxEntry, came: Came) -> Option<OutboxEntry> {
        let lane = Lane::of(entry);
        let tasks = self.lanes.get_mut(&lane)?;
        tasks.runs = false;
        let through = matches!(came, Came::Outcome(OutboxOutcome::Done { .. }) | Came::Recorded);
        if !through {
            tasks.waiting.clear();
        }
        let outcome = match came {
            Came::Outcome(outcome) => Some(outcome),
            Came::Recorded => None,
            Came::Nothing => {
                if tasks.unrecorded == 0 {
                    self.lanes.remove(&lane);
                }
                return None;
            }
        };
        tasks.unrecorded += 1;
        let next = tasks.waiting.pop_front();
        tasks.runs = next.is_some();
        self.came.push((lane, entry.id, outcome));
        next
    }

    /// Whether there is anything to record.
    pub(super) fn any_came(&self) -> bool {
        !self.came.is_empty()
    }

    /// What is to be recorded, in the order in which it came.
    pub(super) fn unrecorded(&self) -> Vec<(CommandId, OutboxOutcome)> {
        self.came.iter().filter_map(|(_, id, outcome)| Some((*id, outcome.clone()?))).collect()
    }

    /// How much came so far.
    pub(super) fn count_came(&self) -> usize {
        self.came.len()
    }

    /// The first that came are recorded, and their lanes free when nothing else of them is under way.
    pub(super) fn recorded(&mut self, count: usize) {
        for (lane, ..) in self.came.drain(..count) {
            if let Entry::Occupied(mut tasks) = self.lanes.entry(lane) {
                tasks.get_mut().unrecorded -= 1;
                if !tasks.get().runs && tasks.get().unrecorded == 0 {
                    tasks.remove();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoxCommand, Json, Metadata, OutboxState, Position, Timestamp};

    const DONE: OutboxOutcome = OutboxOutcome::Done { position: Position::ZERO };

    fn entry(number: u128, instance: &str, task: OutboxTask) -> OutboxEntry {
        let at = Timestamp::from_micros(0);
        OutboxEntry {
            id: CommandId::new(uuid::Uuid::from_u128(number)),
            process: "process".into(),
            instance: InstanceId::new(instance).unwrap(),
            task,
            metadata: Metadata::default(),
            due_at: at,
            retry_at: at,
            attempts: 0,
            last_error: None,
            state: OutboxState::Pending,
        }
    }

    fn command(number: u128, instance: &str) -> OutboxEntry {
        let command = BoxCommand::new("Command", Json::parse("null").unwrap());
        entry(number, instance, OutboxTask::Command(command))
    }

    fn deadline(number: u128, instance: &str) -> OutboxEntry {
        entry(number, instance, OutboxTask::Deadline("late".into()))
    }

    #[test]
    fn commands_of_one_instance_go_one_after_the_other_and_deadlines_at_once() {
        let mut lanes = Lanes::default();
        let all = [command(1, "a"), command(2, "a"), deadline(3, "a"), command(4, "b")];
        let first = lanes.take(all.to_vec(), 9);
        assert_eq!(first, [all[0].clone(), all[2].clone(), all[3].clone()]);
        assert_eq!((lanes.len(), lanes.tasks()), (3, 4));
        assert_eq!(lanes.came(&all[0], Came::Outcome(DONE)), Some(all[1].clone()));
        assert_eq!(lanes.came(&all[1], Came::Outcome(DONE)), None);
        assert_eq!(lanes.unrecorded(), [(all[0].id, DONE), (all[1].id, DONE)]);
    }

    #[test]
    fn a_task_that_is_under_way_or_not_recorded_is_not_taken_again() {
        let mut lanes = Lanes::default();
        let all = [command(1, "a"), command(2, "a")];
        lanes.take(all[..1].to_vec(), 9);
        assert!(lanes.take(all.to_vec(), 9).is_empty(), "under way");
        assert_eq!(lanes.came(&all[0], Came::Outcome(DONE)), None);
        assert!(lanes.take(all.to_vec(), 9).is_empty(), "not recorded");
        lanes.recorded(1);
        assert_eq!(lanes.take(all[1..].to_vec(), 9), all[1..]);
    }

    #[test]
    fn what_fails_holds_up_its_lane_until_it_is_recorded() {
        let mut lanes = Lanes::default();
        let all = [command(1, "a"), command(2, "a")];
        lanes.take(all.to_vec(), 9);
        let parked = OutboxOutcome::Parked { error: "no".into() };
        assert_eq!(lanes.came(&all[0], Came::Outcome(parked)), None);
        assert!(lanes.take(all[1..].to_vec(), 9).is_empty());
        lanes.recorded(1);
        assert_eq!(lanes.len(), 0);
    }

    #[test]
    fn what_was_not_tried_leaves_nothing_to_record() {
        let mut lanes = Lanes::default();
        let all = [command(1, "a"), command(2, "a")];
        lanes.take(all.to_vec(), 9);
        assert_eq!(lanes.came(&all[0], Came::Nothing), None);
        assert!(!lanes.any_came() && lanes.len() == 0);
    }

    #[test]
    fn there_are_no_more_lanes_than_allowed() {
        let mut lanes = Lanes::default();
        let all = [command(1, "a"), command(2, "b"), command(3, "a")];
        assert_eq!(lanes.take(all.to_vec(), 1), all[..1]);
        assert_eq!(lanes.tasks(), 2, "the second of the lane waits in it");
    }
}
