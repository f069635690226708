//! What is stored of what has happened.

use super::Desk;
use crate::handler::lane::{Item, Key};
use crate::handler::partition::before;
use crate::{
    EventId, EventPart, HandlerCheckpoint, HandlerStep, ParkedEvent, ParkedState, Position, Timestamp,
};

/// What is to be stored of a parked event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Park { key: Key, event: EventId, attempts: u32, state: ParkedState, error: Option<String> },
    Release,
}

impl Change {
    pub(super) fn of<E>(key: &Key, item: &Item<E>, state: ParkedState, error: Option<String>) -> Self {
        Self::Park { key: Key::clone(key), event: item.event, attempts: item.attempts, state, error }
    }
}

/// What is to be stored, and what is true once it is.
#[derive(Debug)]
pub(in crate::handler) struct Stored {
    pub(in crate::handler) step: HandlerStep,
    /// Everything at or below is delivered, skipped or given up.
    pub(in crate::handler) settled: Position,
    /// Which parked lanes can be read then.
    pub(in crate::handler) loads: Vec<(Key, EventPart)>,
}

impl<E: Clone> Desk<E> {
    pub(super) fn change(&mut self, part: EventPart, change: Change) {
        self.changes.insert(part, change);
        self.unstored += 1;
    }

    pub(super) fn put(&mut self, key: &Key, item: &Item<E>, state: ParkedState, error: Option<String>) {
        self.change(item.part, Change::of(key, item, state, error));
    }

    /// How much has happened that is not stored.
    pub(in crate::handler) fn unstored(&self) -> usize {
        self.unstored
    }

    /// Whether there is anything to store.
    pub(in crate::handler) fn has_news(&self) -> bool {
        self.moved || self.unstored > 0
    }

    /// Everything at or below is delivered, skipped or given up, once the next step is stored.
    pub(in crate::handler) fn settled(&self) -> Position {
        let watermarks = self.partitions.iter().map(|partition| partition.watermark(self.read_to));
        let lanes = self.lanes.values().filter(|lane| lane.is_parked());
        watermarks.chain(lanes.map(|lane| before(lane.first().position))).min().unwrap_or(self.read_to)
    }

    /// The step that stores what has happened since the one before.
    pub(in crate::handler) fn step(&mut self, at: Timestamp) -> Stored {
        self.revision += 1;
        let partitions = self.partitions.iter().zip(&self.floors);
        let watermarks =
            partitions.map(|(partition, floor)| partition.watermark(self.read_to).max(*floor)).collect();
        let (mut parked, mut released) = (Vec::new(), Vec::new());
        for (part, change) in std::mem::take(&mut self.changes) {
            match change {
                Change::Release => released.push(part),
                Change::Park { key, event, attempts, state, error: last_error } => {
                    let key = key.to_string();
                    parked.push(ParkedEvent { part, event, key, attempts, last_error, at, state });
                }
            }
        }
        self.unstored = 0;
        self.moved = false;
        let step = HandlerStep {
            handler: self.name.to_owned(),
            checkpoint: HandlerCheckpoint {
                revision: self.revision,
                read_to: self.read_to.max(self.recover_to),
                watermarks,
            },
            parked,
            released,
        };
        Stored { step, settled: self.settled(), loads: self.take_loads() }
    }
}
