//! What event handlers know: how far they have come, and the events that they hold back.

use std::collections::{BTreeMap, HashMap, HashSet};

use cqrs_core::{
    EventPart, HandlerCheckpoint, HandlerStep, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    ParkedState, StepError,
};

use crate::fact::{Change, Fact};

#[derive(Default)]
pub(crate) struct Handlers(HashMap<String, Handler>);

#[derive(Default)]
struct Handler {
    checkpoint: HandlerCheckpoint,
    /// In the order of the log.
    parked: BTreeMap<EventPart, ParkedEvent>,
}

impl Handlers {
    pub(crate) fn checkpoint(&self, handler: &str) -> HandlerCheckpoint {
        self.0.get(handler).map(|handler| handler.checkpoint.clone()).unwrap_or_default()
    }

    /// Judges a step: its checkpoint by compare-and-set, and with it everything else.
    pub(crate) fn step(&self, step: HandlerStep) -> Result<Change, StepError> {
        let HandlerStep { handler: name, checkpoint, parked, released } = step;
        if self.checkpoint(&name).revision + 1 != checkpoint.revision {
            return Err(StepError::Fenced);
        }
        let known = self.0.get(&name).map(|handler| &handler.parked);
        let is_new = |event: &ParkedEvent| match known.and_then(|known| known.get(&event.part)) {
            None => true,
            Some(known) => event.attempts > 0 && known.state != ParkedState::ToDrop,
        };
        let mut change = vec![Fact::Handler(name.clone(), checkpoint)];
        change.extend(parked.into_iter().filter(is_new).map(|event| Fact::Parked(name.clone(), event)));
        change.extend(released.into_iter().map(|part| Fact::Released(name.clone(), part)));
        Ok(change)
    }

    /// Judges what an operator wants, and says how many events are marked.
    pub(crate) fn mark(&self, name: &str, set: &ParkedSet, mark: ParkedMark) -> (Change, u64) {
        let Some(handler) = self.0.get(name) else { return (Change::new(), 0) };
        let is_meant = |event: &&ParkedEvent| match set {
            ParkedSet::All => true,
            ParkedSet::Key(key) => event.key == *key,
            ParkedSet::Event(part) => event.part == *part,
        };
        let parked = || handler.parked.values();
        let marked: Vec<_> = match mark {
            ParkedMark::Retry => {
                let keys: HashSet<_> = parked().filter(is_meant).map(|event| &event.key).collect();
                let given_up = parked().filter(|event| event.state == ParkedState::Parked);
                let given_up = given_up.filter(|event| keys.contains(&event.key));
                given_up.map(|event| (event, ParkedState::ToRetry)).collect()
            }
            ParkedMark::Drop => {
                let kept = parked().filter(is_meant).filter(|event| event.state != ParkedState::ToDrop);
                kept.map(|event| (event, ParkedState::ToDrop)).collect()
            }
        };
        let fact = |(event, state): &(&ParkedEvent, _)| {
            Fact::Parked(name.to_owned(), ParkedEvent { state: *state, ..(*event).clone() })
        };
        (marked.iter().map(fact).collect(), marked.len() as u64)
    }

    pub(crate) fn parked(
        &self,
        name: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Vec<ParkedEvent> {
        let Some(handler) = self.0.get(name) else { return Vec::new() };
        let mut keys = HashSet::new();
        let wanted = handler.parked.values().filter(|event| match query {
            ParkedQuery::All => true,
            ParkedQuery::Key(key) => event.key == *key,
            ParkedQuery::Heads => keys.insert(&event.key),
            ParkedQuery::Marked => matches!(event.state, ParkedState::ToRetry | ParkedState::ToDrop),
        });
        wanted.filter(|event| event.part > after).take(limit).cloned().collect()
    }

    pub(crate) fn move_checkpoint(&mut self, name: String, checkpoint: HandlerCheckpoint) {
        self.0.entry(name).or_default().checkpoint = checkpoint;
    }

    pub(crate) fn put(&mut self, name: String, event: ParkedEvent) {
        self.0.entry(name).or_default().parked.insert(event.part, event);
    }

    pub(crate) fn release(&mut self, name: &str, part: EventPart) {
        if let Some(handler) = self.0.get_mut(name) {
            handler.parked.remove(&part);
        }
    }
}
