//! A read model without transactions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_core::*;

use crate::world::Amounts;

/// Writes at once, and keeps its checkpoint besides: what is tried again counts again.
#[derive(Clone, Default)]
pub(crate) struct CountsTwice(Arc<Mutex<(Amounts, Option<Checkpoint>)>>);

impl CountsTwice {
    pub(crate) fn value(&self) -> Amounts {
        self.0.lock().unwrap().0.clone()
    }
}

/// Changes that are written when it is dropped, whatever becomes of the checkpoint.
pub(crate) struct Writing {
    model: CountsTwice,
    from: Option<Checkpoint>,
    before: Amounts,
    after: Amounts,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut model = self.model.0.lock().unwrap();
        for (purse, amount) in &self.after {
            let change = amount - self.before.get(purse).copied().unwrap_or_default();
            *model.0.entry(purse.clone()).or_default() += change;
        }
    }
}

#[async_trait]
impl ReadModel for CountsTwice {
    type Target = Amounts;
    type Transaction = Writing;

    async fn begin(&self, _: &str, from: Option<Checkpoint>) -> Result<Writing, StepError> {
        let before = self.value();
        Ok(Writing { model: self.clone(), from, after: before.clone(), before })
    }

    fn target(writing: &mut Writing) -> &mut Amounts {
        &mut writing.after
    }

    async fn checkpoint(&self, _: &str) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.0.lock().unwrap().1)
    }

    async fn commit(&self, writing: Writing, to: Checkpoint) -> Result<(), StepError> {
        let from = writing.from;
        drop(writing);
        let mut model = self.0.lock().unwrap();
        if model.1 != from {
            return Err(StepError::Fenced);
        }
        model.1 = Some(to);
        Ok(())
    }

    async fn shadow(&self, _: &str) -> Result<Self, StoreError> {
        Ok(Self::default())
    }

    async fn replace(&self, _: &str, shadow: &Self, _: Position) -> Result<(), StepError> {
        *self.0.lock().unwrap() = shadow.0.lock().unwrap().clone();
        Ok(())
    }

    fn place(&self) -> Option<String> {
        None
    }
}
