//! A value in memory as a read model, for one projection of one scenario.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cqrs_core::{Position, ReadModel, StepError, StoreError};

/// The value, and up to where it has come. A batch under way has the value.
pub(super) struct Plain<T>(Mutex<(T, Position)>);

/// A new one, which nobody has projected to.
pub(super) async fn fresh<T: Default>() -> Plain<T> {
    Plain(Mutex::new((T::default(), Position::ZERO)))
}

/// The value; a default takes its place.
pub(super) async fn take<T: Default>(plain: &Plain<T>) -> T {
    std::mem::take(&mut plain.lock().0)
}

impl<T> Plain<T> {
    fn lock(&self) -> MutexGuard<'_, (T, Position)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<T: Default + Send + 'static> ReadModel for Plain<T> {
    type Target = T;
    type Transaction = T;

    async fn begin(&self) -> Result<T, StoreError> {
        Ok(take(self).await)
    }

    fn target(value: &mut T) -> &mut T {
        value
    }

    async fn checkpoint(&self, _: &str) -> Result<Position, StoreError> {
        Ok(self.lock().1)
    }

    async fn commit(&self, value: T, _: &str, _: Position, to: Position) -> Result<(), StepError> {
        *self.lock() = (value, to);
        Ok(())
    }
}
