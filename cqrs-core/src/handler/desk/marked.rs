//! What an operator wants of parked events.

use super::{Change, Desk};
use crate::handler::lane::{Key, Phase};
use crate::{EventPart, ParkedEvent, ParkedState};

impl<E: Clone> Desk<E> {
    /// Takes in what the store has of events that an operator has marked. Those that were taken in before may come
    /// again, until the store knows.
    pub(in crate::handler) fn marked(&mut self, rows: &[ParkedEvent]) {
        for row in rows {
            let key = Key::from(&*row.key);
            match row.state {
                ParkedState::ToRetry if self.lanes.len() < self.bounds.in_flight => {
                    if let Some(head) = self.stuck.remove(&key) {
                        self.open_parked(key, head);
                    }
                }
                ParkedState::ToDrop => self.drop_parked(key, row.part),
                _ => {}
            }
        }
    }

    /// Parks what keeps watermarks before an event that is dropped, in the step that releases it. Otherwise the next
    /// start would read it again, and know of it no more.
    pub(super) fn pass(&mut self, dropped: EventPart) {
        let before = self.partitions.iter().flat_map(|partition| partition.open_to(dropped.position));
        for key in before.map(Key::clone).collect::<Vec<_>>() {
            self.park_lane(&key);
        }
    }

    /// Releases an event. What is under way at this moment is left to its end.
    fn drop_parked(&mut self, key: Key, part: EventPart) {
        self.pass(part);
        if self.stuck.get(&key) == Some(&part) {
            self.stuck.remove(&key);
            self.change(part, Change::Release);
            self.open_parked(key, part);
            return;
        }
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.is_parked()) else {
            self.change(part, Change::Release);
            return;
        };
        let first = lane.queue.front().is_some_and(|item| item.part == part);
        match (first, lane.phase) {
            (true, Phase::Running(_)) => {}
            (true, phase) => {
                if let Phase::Pausing(until) = phase {
                    self.pauses.remove(&(until, Key::clone(&key)));
                }
                self.failing.remove(&key);
                self.advance(&key);
            }
            (false, _) => {
                lane.queue.retain(|item| item.part != part);
                self.change(part, Change::Release);
            }
        }
    }
}
