//! A journal, and the state that it tells.

use std::path::Path;

use cqrs_core::StoreError;

use crate::fact::Change;
use crate::journal::Journal;
use crate::state::State;

pub(crate) struct Opened {
    pub(crate) journal: Journal,
    pub(crate) state: State,
}

impl Opened {
    pub(crate) fn new(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { journal: Journal::open(path)?, state: State::default() })
    }

    /// Judges on the state as all handles have left it, and makes what was judged durable and true.
    pub(crate) fn change<T>(&mut self, judge: impl FnOnce(&State) -> (Change, T)) -> Result<T, StoreError> {
        self.journal.lock()?;
        let answer = self.locked(judge);
        self.journal.unlock()?;
        answer
    }

    fn locked<T>(&mut self, judge: impl FnOnce(&State) -> (Change, T)) -> Result<T, StoreError> {
        let news = self.journal.read_on()?;
        self.apply(news)?;
        let (change, answer) = judge(&self.state);
        if !change.is_empty() {
            let written = self.journal.append(&change)?;
            self.apply(written)?;
        }
        Ok(answer)
    }

    fn apply(&mut self, change: Change) -> Result<(), StoreError> {
        change.into_iter().try_for_each(|fact| self.state.apply(fact))
    }
}
