//! Any Rust value as a read model.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Position, ReadModel, StepError, StoreError};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// A value that a projection writes and queries read. Cheap to clone; every clone is the same value.
///
/// It begins as `T::default()`, or as [`InMemory::new`] says, and is built from the log at each start. Readers
/// see the fold of the log up to [`InMemory::position`], never half a batch.
///
/// A batch that fails may have changed the value already. The value is thrown away then: it begins again as it
/// did the first time, at position zero, and is built anew from the log. Readers see it grow again.
pub struct InMemory<T>(Arc<RwLock<Model<T>>>);

/// A value, whose it is, and up to where it has come.
struct Model<T> {
    value: T,
    position: Position,
    projection: Option<String>,
    /// Makes the value that is there before the first event.
    beginning: Box<dyn Fn() -> T + Send + Sync>,
}

/// A batch under way. Readers wait until it has ended.
pub struct MemoryTransaction<T> {
    model: OwnedRwLockWriteGuard<Model<T>>,
    /// Whether somebody may have changed the value.
    touched: bool,
}

impl<T: Clone + Send + Sync + 'static> InMemory<T> {
    /// Begins with a value other than the default, also when it begins again.
    pub fn new(value: T) -> Self {
        Self::beginning(move || value.clone())
    }
}

impl<T> InMemory<T> {
    fn beginning(beginning: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let model = Model {
            value: beginning(),
            position: Position::ZERO,
            projection: None,
            beginning: Box::new(beginning),
        };
        Self(Arc::new(RwLock::new(model)))
    }

    /// Lets a query look at the value.
    pub async fn read<R>(&self, query: impl FnOnce(&T) -> R) -> R {
        query(&self.0.read().await.value)
    }

    /// Up to where the log is in the value.
    pub async fn position(&self) -> Position {
        self.0.read().await.position
    }
}

impl<T: Default + 'static> Default for InMemory<T> {
    fn default() -> Self {
        Self::beginning(T::default)
    }
}

impl<T> Clone for InMemory<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for InMemory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for MemoryTransaction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction").field("touched", &self.touched).finish_non_exhaustive()
    }
}

impl<T> Drop for MemoryTransaction<T> {
    fn drop(&mut self) {
        if self.touched {
            self.model.value = (self.model.beginning)();
            self.model.position = Position::ZERO;
        }
    }
}

/// A second projection has no place in a value.
#[derive(Debug, thiserror::Error)]
#[error(
    "projection {found:?} cannot share the value of projection {owner:?}: give each an `InMemory` of its own"
)]
struct Shared {
    owner: String,
    found: String,
}

#[async_trait]
impl<T: Send + Sync + 'static> ReadModel for InMemory<T> {
    type Target = T;
    type Transaction = MemoryTransaction<T>;

    async fn begin(&self) -> Result<MemoryTransaction<T>, StoreError> {
        Ok(MemoryTransaction { model: Arc::clone(&self.0).write_owned().await, touched: false })
    }

    fn target(transaction: &mut MemoryTransaction<T>) -> &mut T {
        transaction.touched = true;
        &mut transaction.model.value
    }

    async fn checkpoint(&self, projection: &str) -> Result<Position, StoreError> {
        let model = self.0.read().await;
        match &model.projection {
            Some(owner) if owner != projection => {
                let (owner, found) = (owner.clone(), projection.to_owned());
                Err(StoreError::backend("read a checkpoint", Shared { owner, found }))
            }
            _ => Ok(model.position),
        }
    }

    async fn commit(
        &self,
        mut transaction: MemoryTransaction<T>,
        projection: &str,
        from: Position,
        to: Position,
    ) -> Result<(), StepError> {
        let model = &mut *transaction.model;
        if model.position != from {
            return Err(StepError::Fenced);
        }
        match &model.projection {
            Some(owner) if owner != projection => {
                let (owner, found) = (owner.clone(), projection.to_owned());
                return Err(StoreError::backend("move a checkpoint", Shared { owner, found }).into());
            }
            Some(_) => {}
            None => model.projection = Some(projection.to_owned()),
        }
        model.position = to;
        transaction.touched = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Position = Position::new;

    #[tokio::test]
    async fn a_committed_batch_is_seen_and_a_dropped_one_starts_over() {
        let numbers = InMemory::<Vec<u32>>::default();
        let mut batch = numbers.begin().await.unwrap();
        InMemory::target(&mut batch).push(1);
        numbers.commit(batch, "numbers", AT(0), AT(7)).await.unwrap();
        assert_eq!(numbers.read(Clone::clone).await, [1]);
        let mut batch = numbers.begin().await.unwrap();
        InMemory::target(&mut batch).push(2);
        drop(batch);
        assert!(numbers.read(Vec::is_empty).await);
        assert_eq!(numbers.checkpoint("numbers").await.unwrap(), AT(0));
    }

    #[tokio::test]
    async fn a_batch_that_touched_nothing_leaves_the_value_when_dropped() {
        let numbers = InMemory::new(vec![1]);
        drop(numbers.begin().await.unwrap());
        assert_eq!(numbers.read(Clone::clone).await, [1]);
    }

    /// The default took the place of the beginning once: what a log came to depended on whether a batch failed.
    #[tokio::test]
    async fn what_starts_over_begins_as_it_did_before() {
        let numbers = InMemory::new(vec![1]);
        let mut batch = numbers.begin().await.unwrap();
        InMemory::target(&mut batch).push(2);
        drop(batch);
        assert_eq!(numbers.read(Clone::clone).await, [1]);
        assert_eq!(numbers.position().await, AT(0));
    }

    #[tokio::test]
    async fn a_checkpoint_is_moved_from_where_it_is_and_by_its_owner() {
        let value = InMemory::<u32>::default();
        let batch = value.begin().await.unwrap();
        assert!(matches!(value.commit(batch, "one", AT(1), AT(2)).await, Err(StepError::Fenced)));
        let batch = value.begin().await.unwrap();
        value.commit(batch, "one", AT(0), AT(1)).await.unwrap();
        assert!(value.checkpoint("two").await.is_err());
        let batch = value.begin().await.unwrap();
        assert!(matches!(value.commit(batch, "two", AT(1), AT(2)).await, Err(StepError::Store(_))));
        assert_eq!(value.position().await, AT(1));
    }
}
