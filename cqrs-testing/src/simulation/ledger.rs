//! What clients asked for, and what they were told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use cqrs_core::{CausationId, CommandId, Dispatched, EventId, RecordedEvent};

/// What clients asked for, and what they were told. It outlives the processes.
#[derive(Default)]
pub(super) struct Ledger {
    /// The commands that were dispatched, answered or not.
    tried: RefCell<BTreeSet<CommandId>>,
    told: RefCell<BTreeMap<CommandId, Vec<Told>>>,
}

/// What a client was told of a command; none when a rule refused it.
type Told = Option<Dispatched>;

impl Ledger {
    /// Writes down an attempt. True when there was none before, so that the command cannot have taken effect.
    pub(super) fn tries(&self, id: CommandId) -> bool {
        self.tried.borrow_mut().insert(id)
    }

    pub(super) fn told(&self, id: CommandId, told: Told) {
        self.told.borrow_mut().entry(id).or_default().push(told);
    }

    /// How many commands were answered.
    pub(super) fn commands(&self) -> u64 {
        self.told.borrow().len() as u64
    }

    /// Holds the log against what clients were told: each command took effect once if somebody was told that it did,
    /// never if it was refused, and as was told. Nothing took effect twice, whoever asked for it.
    pub(super) fn check(&self, log: &[RecordedEvent]) {
        let mut effects: HashMap<CausationId, Vec<&RecordedEvent>> = HashMap::new();
        let mut ids: HashMap<EventId, &RecordedEvent> = HashMap::new();
        for event in log {
            if let Some(first) = ids.insert(event.id, event) {
                let (stream, first) = (&event.stream, first.position);
                panic!(
                    "the event {} of {stream} at {} was at {first} already: its command took effect twice",
                    event.event_type, event.position
                );
            }
            if let Some(cause) = event.metadata.causation_id {
                effects.entry(cause).or_default().push(event);
            }
        }
        for (id, told) in self.told.borrow().iter() {
            let found = effects.get(&(*id).into()).map_or(&[][..], Vec::as_slice);
            check_told(*id, told, found);
        }
    }
}

fn check_told(id: CommandId, told: &[Told], found: &[&RecordedEvent]) {
    let mut outcomes = told.iter().flatten();
    let Some(first) = outcomes.next() else {
        let found: Vec<_> = found.iter().map(|event| (event.position, &event.event_type)).collect();
        assert!(found.is_empty(), "command {id} was refused, and took effect: {found:?}");
        return;
    };
    for outcome in outcomes {
        let facts = |outcome: &Dispatched| (outcome.version, outcome.position, outcome.events);
        assert_eq!(facts(outcome), facts(first), "command {id} was told two outcomes");
    }
    let fresh = told.iter().flatten().filter(|outcome| !outcome.duplicate).count();
    assert!(fresh <= 1, "command {id} took effect for the first time {fresh} times, clients were told");
    assert_eq!(found.len() as u64, first.events, "the events of command {id}, and how many were told");
    if let Some(last) = found.last() {
        let (found, told) = ((last.position, last.version), (first.position, first.version));
        assert_eq!(found, told, "where the events of command {id} end, and where was told");
    }
}
