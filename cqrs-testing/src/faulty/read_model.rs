//! A read model that goes wrong.

use async_trait::async_trait;
use cqrs_core::{Checkpoint, Position, ReadModel, StepError, StoreError};

use super::injector::Injector;
use super::plan::Operation;

/// A read model whose calls go wrong by the plan of a [`FaultyStore`](super::FaultyStore), and that dies with it:
/// see [`FaultyStore::read_model`](super::FaultyStore::read_model).
///
/// ```
/// use cqrs_core::ReadModel;
/// use cqrs_memory::{InMemory, MemoryStore};
/// use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = FaultyStore::new(MemoryStore::new(), Faults::default());
/// let answers = store.read_model(InMemory::<Vec<u64>>::default());
/// store.inject(Operation::ReadModelBegin, [Fault::Fail]);
/// assert!(answers.begin("numbers", None).await.is_err());
/// assert!(answers.begin("numbers", None).await.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FaultyReadModel<R> {
    pub(super) inner: R,
    pub(super) injector: Injector,
}

#[async_trait]
impl<R: ReadModel> ReadModel for FaultyReadModel<R> {
    type Target = R::Target;
    type Transaction = R::Transaction;

    async fn begin(&self, projection: &str, from: Option<Checkpoint>) -> Result<R::Transaction, StepError> {
        self.injector.call(Operation::ReadModelBegin, self.inner.begin(projection, from)).await
    }

    fn target(transaction: &mut R::Transaction) -> &mut R::Target {
        R::target(transaction)
    }

    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.injector.call(Operation::ReadModelCheckpoint, self.inner.checkpoint(projection)).await
    }

    async fn commit(&self, transaction: R::Transaction, to: Checkpoint) -> Result<(), StepError> {
        self.injector.call(Operation::ReadModelCommit, self.inner.commit(transaction, to)).await
    }

    /// The shadow goes wrong by the same plan.
    async fn shadow(&self, projection: &str) -> Result<Self, StoreError> {
        let inner = self.injector.call(Operation::ReadModelShadow, self.inner.shadow(projection)).await?;
        Ok(Self { inner, injector: self.injector.clone() })
    }

    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError> {
        let replace = self.inner.replace(projection, &shadow.inner, up_to);
        self.injector.call(Operation::ReadModelReplace, replace).await
    }

    fn place(&self) -> Option<String> {
        self.inner.place()
    }
}
