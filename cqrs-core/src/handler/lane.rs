//! Lanes: the events of one key, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{EventId, EventPart, ParkedEvent, ParkedState, Timestamp};

pub(super) type Key = Arc<str>;

/// Nobody waits for longer: some clocks come to no moment that is much further away.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The moment after a pause, or a far one when it is longer than any clock can tell.
pub(super) fn after(now: Instant, pause: Duration) -> Instant {
    now + pause.min(FAR)
}

/// An event on its way to the handler. `E` is the event when it is in memory.
#[derive(Debug)]
pub(super) struct Item<E> {
    pub(super) part: EventPart,
    pub(super) event: EventId,
    /// When it was recorded, or, as far as that is known no more, when it last came to the store.
    pub(super) since: Timestamp,
    /// How often it has failed.
    pub(super) attempts: u32,
    /// How often it had failed when an operator wanted it to be tried again.
    pub(super) forgiven: u32,
    /// Whether it was given up.
    pub(super) parked: bool,
    pub(super) payload: Option<E>,
}

impl<E> Item<E> {
    /// What the store has of it.
    pub(super) fn of(row: &ParkedEvent) -> Self {
        let forgiven = if row.state == ParkedState::ToRetry { row.attempts } else { 0 };
        let parked = row.state == ParkedState::Parked;
        let ParkedEvent { part, event, at: since, attempts, .. } = *row;
        Self { part, event, since, attempts, forgiven, parked, payload: None }
    }
}

/// What a lane is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Deliver the first event.
    Ready,
    /// It is being delivered, since then.
    Running(Instant),
    /// Deliver it again then.
    Pausing(Instant),
    /// Read what the store has of the key.
    Loading,
}

/// Where the events of a lane are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// All of them are in memory, and keep the watermark of their partition back.
    InMemory,
    /// All of them are parked in the store; `more` when some of them are not in the queue.
    Parked { more: bool },
}

/// The events of one key that are to be delivered.
#[derive(Debug)]
pub(super) struct Lane<E> {
    pub(super) queue: VecDeque<Item<E>>,
    pub(super) phase: Phase,
    pub(super) held: Held,
    /// Everything of the key before this place is done.
    pub(super) at: EventPart,
}

impl<E> Lane<E> {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), phase: Phase::Ready, held: Held::InMemory, at: EventPart::ZERO }
    }

    /// The events of a key that are in the store, from a place on.
    pub(super) fn parked(at: EventPart) -> Self {
        let held = Held::Parked { more: true };
        Self { queue: VecDeque::new(), phase: Phase::Loading, held, at }
    }

    pub(super) fn is_parked(&self) -> bool {
        self.held != Held::InMemory
    }

    /// The first place that may not be done.
    pub(super) fn first(&self) -> EventPart {
        self.queue.front().map_or(self.at, |item| item.part)
    }
}
