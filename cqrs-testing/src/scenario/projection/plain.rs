//! A value in memory as a read model, for one projection of one scenario.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cqrs_core::{Checkpoint, Position, ReadModel, StepError, StoreError};

/// The value, and up to where it has come. A batch under way has the value.
pub(super) struct Plain<T>(Mutex<(T, Option<Checkpoint>)>);

/// A new one, which nobody has projected to.
pub(super) async fn fresh<T: Default>() -> Plain<T> {
    Plain(Mutex::new((T::default(), None)))
}

/// The value; a default takes its place.
pub(super) async fn take<T: Default>(plain: &Plain<T>) -> T {
    std::mem::take(&mut plain.lock().0)
}

impl<T> Plain<T> {
    fn lock(&self) -> MutexGuard<'_, (T, Option<Checkpoint>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl<T: Default + Send + 'static> ReadModel for Plain<T> {
    type Target = T;
    type Transaction = T;

    async fn begin(&self, _: &str, _: Option<Checkpoint>) -> Result<T, StepError> {
        Ok(take(self).await)
    }

    fn target(value: &mut T) -> &mut T {
        value
    }

    async fn checkpoint(&self, _: &str) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.lock().1)
    }

    async fn commit(&self, value: T, to: Checkpoint) -> Result<(), StepError> {
        *self.lock() = (value, Some(to));
        Ok(())
    }

    async fn shadow(&self, _: &str) -> Result<Self, StoreError> {
        Ok(fresh().await)
    }

    async fn replace(&self, _: &str, shadow: &Self, _: Position) -> Result<(), StepError> {
        let content = std::mem::take(&mut *shadow.lock());
        *self.lock() = content;
        Ok(())
    }

    fn place(&self) -> Option<String> {
        None
    }
}
