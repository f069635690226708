//! A read model without transactions.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cqrs_core::*;

use crate::world::Amounts;

/// Writes at once, and keeps its checkpoint besides: what is tried again counts again.
#[derive(Clone, Default)]
pub(crate) struct CountsTwice(Arc<Mutex<(Amounts, Position)>>);

impl CountsTwice {
    pub(crate) fn value(&self) -> Amounts {
        self.0.lock().unwrap().0.clone()
    }
}

/// Changes that are written when it is dropped, whatever becomes of the checkpoint.
pub(crate) struct Writing {
    model: CountsTwice,
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

    async fn begin(&self) -> Result<Writing, StoreError> {
        let before = self.value();
        Ok(Writing { model: self.clone(), after: before.clone(), before })
    }

    fn target(writing: &mut Writing) -> &mut Amounts {
        &mut writing.after
    }

    async fn checkpoint(&self, _: &str) -> Result<Position, StoreError> {
        Ok(self.0.lock().unwrap().1)
    }

    async fn commit(
        &self,
        writing: Writing,
        _: &str,
        from: Position,
        to: Position,
    ) -> Result<(), StepError> {
        drop(writing);
        let mut model = self.0.lock().unwrap();
        if model.1 != from {
            return Err(StepError::Fenced);
        }
        model.1 = to;
        Ok(())
    }
}
