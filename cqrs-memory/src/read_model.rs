//! Any Rust value as a read model.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cqrs_core::{Checkpoint, Position, ReadModel, StepError, StoreError};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// A value that a projection writes and queries read. Cheap to clone; every clone is the same value.
///
/// It begins as `T::default()`, or as [`InMemory::new`] says, and is built from the log at each start. Readers
/// see the fold of the log up to [`InMemory::position`], never half a batch.
///
/// A batch that fails may have changed the value already. The value is thrown away then: it begins again as it
/// did the first time, at position zero, and is built anew from the log. Readers see it grow again.
///
/// ```
/// use cqrs_memory::InMemory;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let balances = InMemory::new(vec![0; 3]);
/// // `App::builder(store).projection(MyProjection, balances.clone())` writes it; whoever has a clone asks:
/// assert_eq!(balances.read(|balances| balances.len()).await, 3);
/// # }
/// ```
pub struct InMemory<T>(Arc<RwLock<Model<T>>>);

/// A value, whose it is, and up to where it has come.
struct Model<T> {
    value: T,
    checkpoint: Option<Checkpoint>,
    projection: Option<String>,
    beginning: Beginning<T>,
}

/// Makes the value that is there before the first event.
type Beginning<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// A batch under way. Readers wait until it has ended.
pub struct MemoryTransaction<T> {
    model: OwnedRwLockWriteGuard<Model<T>>,
    /// Whether somebody may have changed the value.
    touched: bool,
}

impl<T: Clone + Send + Sync + 'static> InMemory<T> {
    /// Begins with a value other than the default, also when it begins again.
    pub fn new(value: T) -> Self {
        Self::beginning(Arc::new(move || value.clone()))
    }
}

impl<T> InMemory<T> {
    fn beginning(beginning: Beginning<T>) -> Self {
        let model = Model { value: beginning(), checkpoint: None, projection: None, beginning };
        Self(Arc::new(RwLock::new(model)))
    }

    /// Lets a query look at the value.
    pub async fn read<R>(&self, query: impl FnOnce(&T) -> R) -> R {
        query(&self.0.read().await.value)
    }

    /// Up to where the log is in the value.
    pub async fn position(&self) -> Position {
        self.0.read().await.position()
    }
}

impl<T: Default + 'static> Default for InMemory<T> {
    fn default() -> Self {
        Self::beginning(Arc::new(T::default))
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
            self.model.checkpoint = None;
        }
    }
}

impl<T> Model<T> {
    fn position(&self) -> Position {
        self.checkpoint.map_or(Position::ZERO, |at| at.position)
    }

    /// Fails when the value is another projection's.
    fn owned_by(&self, projection: &str, action: &'static str) -> Result<(), StoreError> {
        match &self.projection {
            Some(owner) if owner != projection => {
                let (owner, found) = (owner.clone(), projection.to_owned());
                Err(StoreError::backend(action, Shared { owner, found }))
            }
            _ => Ok(()),
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

    /// Fenced here already, before the value is touched, and so never later.
    async fn begin(
        &self,
        projection: &str,
        from: Option<Checkpoint>,
    ) -> Result<MemoryTransaction<T>, StepError> {
        let mut model = Arc::clone(&self.0).write_owned().await;
        model.owned_by(projection, "begin a transaction")?;
        if model.checkpoint != from {
            return Err(StepError::Fenced);
        }
        model.projection.get_or_insert_with(|| projection.to_owned());
        Ok(MemoryTransaction { model, touched: false })
    }

    fn target(transaction: &mut MemoryTransaction<T>) -> &mut T {
        transaction.touched = true;
        &mut transaction.model.value
    }

    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError> {
        let model = self.0.read().await;
        model.owned_by(projection, "read a checkpoint")?;
        Ok(model.checkpoint)
    }

    async fn commit(&self, mut transaction: MemoryTransaction<T>, to: Checkpoint) -> Result<(), StepError> {
        transaction.model.checkpoint = Some(to);
        transaction.touched = false;
        Ok(())
    }

    async fn shadow(&self, projection: &str) -> Result<Self, StoreError> {
        let model = self.0.read().await;
        model.owned_by(projection, "begin a rebuild")?;
        Ok(Self::beginning(Arc::clone(&model.beginning)))
    }

    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError> {
        let mut shadow = shadow.0.write().await;
        let mut model = self.0.write().await;
        model.owned_by(projection, "replace a read model")?;
        let version = shadow.checkpoint.map(|at| at.version);
        if model.checkpoint.is_some_and(|at| at.position > up_to || Some(at.version) > version) {
            return Err(StepError::Fenced);
        }
        let model = &mut *model;
        std::mem::swap(&mut model.value, &mut shadow.value);
        std::mem::swap(&mut model.checkpoint, &mut shadow.checkpoint);
        Ok(())
    }

    /// A value is in nobody else's reach.
    fn place(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: u64) -> Checkpoint {
        Checkpoint { position: Position::new(position), version: 1 }
    }

    async fn push(numbers: &InMemory<Vec<u32>>, number: u32) -> MemoryTransaction<Vec<u32>> {
        let from = numbers.checkpoint("numbers").await.unwrap();
        let mut batch = numbers.begin("numbers", from).await.unwrap();
        InMemory::target(&mut batch).push(number);
        batch
    }

    #[tokio::test]
    async fn a_committed_batch_is_seen_and_a_dropped_one_starts_over() {
        let numbers = InMemory::<Vec<u32>>::default();
        let batch = push(&numbers, 1).await;
        numbers.commit(batch, at(7)).await.unwrap();
        assert_eq!(numbers.read(Clone::clone).await, [1]);
        drop(push(&numbers, 2).await);
        assert!(numbers.read(Vec::is_empty).await);
        assert_eq!(numbers.checkpoint("numbers").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_batch_that_touched_nothing_leaves_the_value_when_dropped() {
        let numbers = InMemory::new(vec![1]);
        drop(numbers.begin("numbers", None).await.unwrap());
        assert_eq!(numbers.read(Clone::clone).await, [1]);
    }

    /// The default took the place of the beginning once: what a log came to depended on whether a batch failed.
    #[tokio::test]
    async fn what_starts_over_begins_as_it_did_before() {
        let numbers = InMemory::new(vec![1]);
        drop(push(&numbers, 2).await);
        assert_eq!(numbers.read(Clone::clone).await, [1]);
        assert_eq!(numbers.position().await, Position::ZERO);
        let shadow = numbers.shadow("numbers").await.unwrap();
        assert_eq!(shadow.read(Clone::clone).await, [1]);
    }

    /// A runner that came too late once made the value begin anew, though nothing of it was wrong.
    #[tokio::test]
    async fn a_checkpoint_is_moved_from_where_it_is_and_by_its_owner() {
        let value = InMemory::<u32>::default();
        assert!(matches!(value.begin("one", Some(at(1))).await, Err(StepError::Fenced)));
        let batch = value.begin("one", None).await.unwrap();
        value.commit(batch, at(1)).await.unwrap();
        assert!(value.checkpoint("two").await.is_err());
        assert!(matches!(value.begin("two", Some(at(1))).await, Err(StepError::Store(_))));
        let newer = Checkpoint { version: 2, ..at(1) };
        assert!(matches!(value.begin("one", Some(newer)).await, Err(StepError::Fenced)));
        assert_eq!(value.position().await, Position::new(1));
    }

    #[tokio::test]
    async fn a_shadow_takes_the_place_unless_the_value_is_further_or_newer() {
        let numbers = InMemory::<Vec<u32>>::default();
        let batch = push(&numbers, 1).await;
        numbers.commit(batch, at(5)).await.unwrap();
        let shadow = numbers.shadow("numbers").await.unwrap();
        let batch = push(&shadow, 2).await;
        shadow.commit(batch, at(4)).await.unwrap();
        let up_to = Position::new;
        assert!(matches!(numbers.replace("numbers", &shadow, up_to(4)).await, Err(StepError::Fenced)));
        numbers.replace("numbers", &shadow, up_to(5)).await.unwrap();
        assert_eq!(numbers.read(Clone::clone).await, [2]);
        assert_eq!(numbers.checkpoint("numbers").await.unwrap(), Some(at(4)));
        let newer = numbers.shadow("numbers").await.unwrap();
        let batch = push(&newer, 3).await;
        newer.commit(batch, Checkpoint { version: 2, ..at(4) }).await.unwrap();
        numbers.replace("numbers", &newer, up_to(4)).await.unwrap();
        assert!(matches!(numbers.replace("numbers", &shadow, up_to(9)).await, Err(StepError::Fenced)));
        assert_eq!(numbers.read(Clone::clone).await, [3]);
        assert!(numbers.replace("others", &shadow, up_to(9)).await.is_err());
    }
}
