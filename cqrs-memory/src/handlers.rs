//! What event handlers know, behind no lock of their own.

use std::collections::{BTreeMap, HashMap, HashSet};

use cqrs_core::{
    EventPart, HandlerCheckpoint, HandlerStep, ParkedEvent, ParkedMark, ParkedQuery, ParkedSet,
    ParkedState, StepError,
};

#[derive(Default)]
pub(crate) struct Handlers(HashMap<String, Handler>);

#[derive(Default)]
struct Handler {
    checkpoint: HandlerCheckpoint,
    parked: BTreeMap<EventPart, ParkedEvent>,
}

impl Handlers {
    pub(crate) fn checkpoint(&self, handler: &str) -> HandlerCheckpoint {
        self.0.get(handler).map(|handler| handler.checkpoint.clone()).unwrap_or_default()
    }

    pub(crate) fn commit(&mut self, step: HandlerStep) -> Result<(), StepError> {
        if self.checkpoint(&step.handler).revision + 1 != step.checkpoint.revision {
            return Err(StepError::Fenced);
        }
        let handler = self.0.entry(step.handler).or_default();
        handler.checkpoint = step.checkpoint;
        for event in step.parked {
            handler.park(event);
        }
        for part in step.released {
            handler.parked.remove(&part);
        }
        Ok(())
    }

    pub(crate) fn parked(
        &self,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Vec<ParkedEvent> {
        let Some(handler) = self.0.get(handler) else { return Vec::new() };
        let mut keys = HashSet::new();
        let wanted = handler.parked.values().filter(|event| match query {
            ParkedQuery::All => true,
            ParkedQuery::Key(key) => event.key == *key,
            ParkedQuery::Heads => keys.insert(&event.key),
            ParkedQuery::Marked => matches!(event.state, ParkedState::ToRetry | ParkedState::ToDrop),
        });
        wanted.filter(|event| event.part > after).take(limit).cloned().collect()
    }

    pub(crate) fn mark(&mut self, handler: &str, set: &ParkedSet, mark: ParkedMark) -> u64 {
        let Some(handler) = self.0.get_mut(handler) else { return 0 };
        let is_meant = |event: &ParkedEvent| match set {
            ParkedSet::All => true,
            ParkedSet::Key(key) => event.key == *key,
            ParkedSet::Event(part) => event.part == *part,
        };
        let meant = handler.parked.values().filter(|event| is_meant(event));
        let keys: HashSet<_> = meant.map(|event| event.key.clone()).collect();
        let mut marked = 0;
        for event in handler.parked.values_mut() {
            let state = match mark {
                ParkedMark::Retry if keys.contains(&event.key) && event.state == ParkedState::Parked => {
                    ParkedState::ToRetry
                }
                ParkedMark::Drop if is_meant(event) => ParkedState::ToDrop,
                _ => continue,
            };
            marked += u64::from(event.state != state);
            event.state = state;
        }
        marked
    }
}

impl Handler {
    /// What counts no attempts is new, or is left as it is; and what is to be dropped stays so.
    fn park(&mut self, event: ParkedEvent) {
        let known = self.parked.get(&event.part);
        if known.is_none_or(|known| event.attempts > 0 && known.state != ParkedState::ToDrop) {
            self.parked.insert(event.part, event);
        }
    }
}
