//! What comes of a delivery.

use std::time::Duration;

use tokio::time::Instant;

use super::{Change, Desk, WINDOW};
use crate::handler::lane::{Held, Item, Key, Phase, after};
use crate::handler::partition;
use crate::{EventPart, ParkedEvent, ParkedState};

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::handler) enum Outcome {
    /// It was handled or skipped, or the program does not want it any more.
    Done,
    /// It failed, and is to be tried again.
    Retry { error: String, pause: Duration },
    /// It failed, and is given up.
    Park { error: String },
    /// It could not be read, and is to be read again.
    Unread { error: String, pause: Duration },
    /// It failed, and ends the handler.
    Stop { error: String },
}

impl<E: Clone> Desk<E> {
    /// Takes in what came of a delivery.
    pub(in crate::handler) fn delivered(&mut self, key: &Key, outcome: Outcome, now: Instant) {
        self.running -= 1;
        match outcome {
            Outcome::Done => {
                self.failing.remove(key);
                self.advance(key);
            }
            Outcome::Retry { error, pause } => {
                let failed = self.fail(key, &error, ParkedState::Waiting);
                self.failing.insert(Key::clone(key), (failed, error));
                self.pause(key, after(now, pause));
            }
            Outcome::Park { error } => {
                self.fail(key, &error, ParkedState::Parked);
                self.give_up(key);
            }
            Outcome::Unread { error, pause } => {
                let failed = self.failing.get(key).map_or(0, |(failed, _)| *failed) + 1;
                self.failing.insert(Key::clone(key), (failed, error));
                self.pause(key, after(now, pause));
            }
            // The lane stays as it is, and nobody goes on with it.
            Outcome::Stop { .. } => {}
        }
    }

    /// Counts an attempt of a key's first event, and parks the lane. Returns how often it has failed since an operator
    /// looked at it.
    fn fail(&mut self, key: &Key, error: &str, state: ParkedState) -> u32 {
        self.park_lane(key);
        let Some(item) = self.lanes.get_mut(key).and_then(|lane| lane.queue.front_mut()) else { return 0 };
        item.attempts += 1;
        let failed = item.attempts.saturating_sub(item.forgiven);
        let (part, change) = (item.part, Change::of(key, item, state, Some(error.to_owned())));
        self.change(part, change);
        failed
    }

    fn pause(&mut self, key: &Key, until: Instant) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.phase = Phase::Pausing(until);
            self.pauses.insert((until, Key::clone(key)));
        }
    }

    fn give_up(&mut self, key: &Key) {
        self.failing.remove(key);
        if let Some(lane) = self.lanes.remove(key) {
            self.parked_lanes -= 1;
            self.stuck.insert(Key::clone(key), lane.first());
        }
    }

    /// Passes a key's first event, and goes on with the next.
    pub(super) fn advance(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        let Some(Item { part, .. }) = lane.queue.pop_front() else { return };
        lane.at = part;
        lane.phase = Phase::Ready;
        if lane.is_parked() {
            self.change(part, Change::Release);
        } else {
            let index = partition::of(key, self.bounds.partitions);
            self.partitions[index].finish(part);
            self.open -= 1;
            self.unstored += 1;
            if let Some(laggard) = self.partitions[index].laggard(self.share()) {
                self.park_lane(&laggard);
            }
        }
        self.go_on(key);
    }

    /// Goes on with a lane whose first event is not under way.
    pub(super) fn go_on(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if let Some(first) = lane.queue.front() {
            if first.parked {
                self.give_up(key);
            } else {
                lane.phase = Phase::Ready;
                self.ready.push_back(Key::clone(key));
            }
            return;
        }
        match lane.held {
            Held::Parked { more: true } => {
                lane.phase = Phase::Loading;
                self.loads.push((Key::clone(key), lane.at));
            }
            held => {
                self.parked_lanes -= usize::from(held != Held::InMemory);
                self.lanes.remove(key);
            }
        }
    }

    /// Takes in what the store has of a parked lane, at most [`WINDOW`] events.
    pub(in crate::handler) fn loaded(&mut self, key: &Key, rows: &[ParkedEvent]) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| lane.phase == Phase::Loading) else {
            return;
        };
        if rows.len() >= WINDOW {
            lane.held = Held::Parked { more: true };
        }
        let mut dropped: Vec<EventPart> = Vec::new();
        for row in rows {
            lane.at = row.part;
            match row.state {
                ParkedState::ToDrop => dropped.push(row.part),
                _ => lane.queue.push_back(Item::of(row)),
            }
        }
        for part in dropped {
            self.pass(part);
            self.change(part, Change::Release);
        }
        self.go_on(key);
    }
}
