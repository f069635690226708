//! What is delivered when, and what is stored because of it: pure, from what happened to what is to be done.
//!
//! An event that was read joins the *lane* of its key. A lane is in memory while all goes well. When its first event
//! fails, or it holds up others, its events are parked in the store, in the same transaction in which the watermark
//! passes them; from there they are delivered again, until the lane is empty, or its first event is given up. A key
//! that was given up is *stuck*: its later events are parked unseen.

mod marked;
mod outcome;
mod step;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

pub(super) use outcome::Outcome;
use step::Change;
pub(super) use step::Stored;
use tokio::time::Instant;

use super::lane::{Held, Item, Key, Lane, Phase};
use super::partition::{self, Partition};
use crate::{EventId, EventPart, HandlerCheckpoint, ParkedEvent, ParkedState, Position, Timestamp};

/// How many events of a parked lane are in memory.
pub(super) const WINDOW: usize = 16;

/// How long a delivery may take while the memory is full of later events of its key, and of others.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much is done at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) partitions: usize,
    pub(super) concurrency: usize,
    pub(super) in_flight: usize,
}

/// An event that was read.
#[derive(Debug)]
pub(super) struct Arrival<E> {
    pub(super) part: EventPart,
    pub(super) event: EventId,
    pub(super) recorded_at: Timestamp,
    pub(super) key: Key,
    pub(super) payload: E,
}

/// An event to be delivered.
#[derive(Debug, PartialEq)]
pub(super) struct Delivery<E> {
    pub(super) key: Key,
    pub(super) part: EventPart,
    /// Which attempt it is, from 1.
    pub(super) attempt: u32,
    /// None when it must be read again.
    pub(super) payload: Option<E>,
}

/// What a running handler knows.
#[derive(Debug)]
pub(super) struct Desk<E> {
    name: &'static str,
    bounds: Bounds,
    revision: u64,
    read_to: Position,
    /// Up to where the log was read before the start, and the first parked events of the keys that had some then. What
    /// is read again of these keys before them was delivered. What is read again behind them is parked, unless another
    /// release had another key for it.
    recover_to: Position,
    recovering: HashMap<Key, EventPart>,
    /// The watermarks of the start.
    floors: Vec<Position>,
    partitions: Vec<Partition>,
    lanes: HashMap<Key, Lane<E>>,
    /// The keys that were given up, and their first events.
    stuck: HashMap<Key, EventPart>,
    /// Keys whose lanes may be ready.
    ready: VecDeque<Key>,
    pauses: BTreeSet<(Instant, Key)>,
    running: usize,
    /// How many events the lanes in memory have.
    open: usize,
    /// How many parked lanes there are.
    parked_lanes: usize,
    /// What is to be stored of parked events.
    changes: BTreeMap<EventPart, Change>,
    /// How much has happened that is not stored.
    unstored: usize,
    /// Whether reading has moved on since the last step.
    moved: bool,
    /// Which parked lanes are to be read, once everything up to now is stored.
    loads: Vec<(Key, EventPart)>,
    /// The keys that are tried again, with how often they failed, and why.
    failing: BTreeMap<Key, (u32, String)>,
}

impl<E: Clone> Desk<E> {
    /// Begins at a checkpoint, with the first parked event of each key.
    pub(super) fn new(
        name: &'static str,
        bounds: Bounds,
        checkpoint: HandlerCheckpoint,
        heads: Vec<ParkedEvent>,
    ) -> Self {
        let HandlerCheckpoint { revision, read_to: recover_to, watermarks } = checkpoint;
        let lowest = watermarks.iter().min().copied().unwrap_or_default();
        let floors = match watermarks.len() == bounds.partitions {
            true => watermarks,
            // Whose the watermarks were nobody knows any more.
            false => vec![lowest; bounds.partitions],
        };
        let mut desk = Self {
            name,
            bounds,
            revision,
            read_to: lowest,
            recover_to,
            recovering: HashMap::new(),
            partitions: floors.iter().map(|_| Partition::default()).collect(),
            floors,
            lanes: HashMap::new(),
            stuck: HashMap::new(),
            ready: VecDeque::new(),
            pauses: BTreeSet::new(),
            running: 0,
            open: 0,
            parked_lanes: 0,
            changes: BTreeMap::new(),
            unstored: 0,
            moved: false,
            loads: Vec::new(),
            failing: BTreeMap::new(),
        };
        for head in heads {
            let key = Key::from(head.key);
            desk.recovering.insert(Key::clone(&key), head.part);
            match head.state {
                ParkedState::Parked => drop(desk.stuck.insert(key, head.part)),
                _ => desk.open_parked(key, head.part),
            }
        }
        desk
    }

    /// Up to where the log was read.
    pub(super) fn read_to(&self) -> Position {
        self.read_to
    }

    /// Whether the log is not read as far as it was before the start. Nothing is delivered until then: an event that
    /// failed could be parked before a later one of its key is known, which the next start would take for delivered.
    fn is_recovering(&self) -> bool {
        self.read_to < self.recover_to
    }

    /// How many events there is room for. What was in flight before the start has room in any case.
    pub(super) fn room(&self) -> usize {
        match self.unstored < self.bounds.in_flight {
            true if self.is_recovering() => self.bounds.in_flight,
            true => self.bounds.in_flight.saturating_sub(self.open + self.parked_lanes),
            false => 0,
        }
    }

    /// When there is something to do, even though nothing happens by then.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let pause = self.pauses.first().map(|(until, _)| *until);
        pause.into_iter().chain(self.crowding().map(|(.., since)| since + PATIENCE)).min()
    }

    /// While memory is full: the keys whose parking makes room, how much they fill, and since when their first events
    /// are being delivered.
    fn crowding(&self) -> impl Iterator<Item = (&Key, usize, Instant)> {
        let full = self.open + self.parked_lanes >= self.bounds.in_flight;
        // What is parked takes the place of one event.
        let lanes =
            self.lanes.iter().filter(move |(_, lane)| full && !lane.is_parked() && lane.queue.len() > 1);
        lanes.filter_map(|(key, lane)| match lane.phase {
            Phase::Running(since) => Some((key, lane.queue.len(), since)),
            _ => None,
        })
    }

    /// Whether what an operator wants can be done: some key is held back, and what is read again knows of it.
    pub(super) fn heeds_operators(&self) -> bool {
        self.held_back() > 0 && !self.is_recovering()
    }

    /// How many keys are held back.
    pub(super) fn held_back(&self) -> usize {
        self.stuck.len() + self.parked_lanes
    }

    /// Since when the first event waits that is neither done nor given up.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let first = self.lanes.values().filter_map(|lane| lane.queue.front());
        first.min_by_key(|item| item.part).map(|item| item.since)
    }

    /// Whether all that was read is done, or given up.
    pub(super) fn is_at_rest(&self) -> bool {
        self.lanes.is_empty()
    }

    /// A key that is tried again: how often it failed, and why.
    pub(super) fn failing(&self) -> Option<&(u32, String)> {
        self.failing.values().next()
    }

    /// Whether nothing is delivered, nor could be.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.ready.is_empty()
    }

    /// Takes in a page of the log: its events, and up to where it was read.
    pub(super) fn page(&mut self, arrivals: Vec<Arrival<E>>, scanned_to: Position) {
        for arrival in arrivals {
            let index = partition::of(&arrival.key, self.bounds.partitions);
            if arrival.part.position > self.floors[index] {
                self.arrive(index, arrival);
            }
        }
        self.read_to = scanned_to;
        self.moved = true;
        if !self.is_recovering() {
            self.recovering.clear();
        }
    }

    fn arrive(&mut self, index: usize, arrival: Arrival<E>) {
        let Arrival { part, event, recorded_at: since, key, payload } = arrival;
        if self.recovering.get(&key).is_some_and(|head| part <= *head) {
            return;
        }
        let mut item = Item { part, event, since, attempts: 0, forgiven: 0, parked: false, payload: None };
        if self.stuck.contains_key(&key) {
            self.put(&key, &item, ParkedState::Waiting, None);
            return;
        }
        let lane = self.lanes.entry(Key::clone(&key)).or_insert_with(Lane::new);
        if let Held::Parked { more } = &mut lane.held {
            let change = Change::of(&key, &item, ParkedState::Waiting, None);
            match *more || lane.phase == Phase::Loading || lane.queue.len() >= WINDOW {
                true => *more = true,
                false => lane.queue.push_back(item),
            }
            self.change(part, change);
            return;
        }
        item.payload = Some(payload);
        lane.queue.push_back(item);
        let first = lane.queue.len() == 1;
        self.open += 1;
        self.partitions[index].begin(part, Key::clone(&key));
        if first {
            self.ready.push_back(key);
        }
    }

    /// How many events may be behind one, of its key or of its partition, before it is parked so that they go on.
    fn share(&self) -> usize {
        self.bounds.in_flight / self.bounds.partitions
    }

    /// What is to be delivered now.
    pub(super) fn deliveries(&mut self, now: Instant) -> Vec<Delivery<E>> {
        while let Some((until, key)) = self.pauses.first().cloned()
            && until <= now
        {
            self.pauses.pop_first();
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.phase = Phase::Ready;
                self.ready.push_back(key);
            }
        }
        let crowding = self.crowding().filter(|(.., since)| *since + PATIENCE <= now);
        if let Some((_, key)) = crowding.map(|(key, fills, _)| (fills, Key::clone(key))).max() {
            self.park_lane(&key);
        }
        let mut deliveries = Vec::new();
        while !self.is_recovering()
            && self.running < self.bounds.concurrency
            && self.unstored < self.bounds.in_flight
            && let Some(key) = self.ready.pop_front()
        {
            let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.phase == Phase::Ready) else {
                continue;
            };
            let Some(item) = lane.queue.front() else { continue };
            lane.phase = Phase::Running(now);
            self.running += 1;
            let attempt = item.attempts.saturating_sub(item.forgiven) + 1;
            let (part, payload) = (item.part, item.payload.clone());
            deliveries.push(Delivery { key, part, attempt, payload });
        }
        deliveries
    }

    /// Moves the events of a key from memory to the store, where they hold up nobody.
    fn park_lane(&mut self, key: &Key) {
        let Some(lane) = self.lanes.get_mut(key).filter(|lane| !lane.is_parked()) else { return };
        let index = partition::of(key, self.bounds.partitions);
        for item in &mut lane.queue {
            item.payload = None;
            self.partitions[index].finish(item.part);
            self.changes.insert(item.part, Change::of(key, item, ParkedState::Waiting, None));
        }
        self.open -= lane.queue.len();
        self.unstored += lane.queue.len();
        let more = lane.queue.len() > WINDOW;
        lane.queue.truncate(WINDOW);
        lane.held = Held::Parked { more };
        self.parked_lanes += 1;
    }

    /// Begins to deliver what the store has of a key.
    fn open_parked(&mut self, key: Key, at: EventPart) {
        self.lanes.insert(Key::clone(&key), Lane::parked(at));
        self.parked_lanes += 1;
        self.loads.push((key, EventPart::ZERO));
    }

    /// What is to be read of parked lanes, once everything up to now is stored. Nothing is until what is read again is
    /// parked: it may belong between events that are.
    pub(super) fn take_loads(&mut self) -> Vec<(Key, EventPart)> {
        if self.is_recovering() {
            return Vec::new();
        }
        for (key, _) in &self.loads {
            if let Some(lane) = self.lanes.get_mut(key) {
                // What is parked from now on may be stored too late to be read.
                lane.held = Held::Parked { more: false };
            }
        }
        std::mem::take(&mut self.loads)
    }

    /// Whether parked lanes are to be read.
    pub(super) fn has_loads(&self) -> bool {
        !self.loads.is_empty() && !self.is_recovering()
    }
}
