//! A read model that goes wrong.

use async_trait::async_trait;
use cqrs_core::{Position, ReadModel, StepError, StoreError};

use super::injector::Injector;
use super::plan::Operation;

/// A read model whose calls go wrong by the plan of a [`FaultyStore`](super::FaultyStore), and that dies with it:
/// see [`FaultyStore::read_model`](super::FaultyStore::read_model).
#[derive(Clone, Debug)]
pub struct FaultyReadModel<R> {
    pub(super) inner: R,
    pub(super) injector: Injector,
}

#[async_trait]
impl<R: ReadModel> ReadModel for FaultyReadModel<R> {
    type Target = R::Target;
    type Transaction = R::Transaction;

    async fn begin(&self) -> Result<R::Transaction, StoreError> {
        self.injector.call(Operation::ReadModelBegin, self.inner.begin()).await
    }

    fn target(transaction: &mut R::Transaction) -> &mut R::Target {
        R::target(transaction)
    }

    async fn checkpoint(&self, projection: &str) -> Result<Position, StoreError> {
        self.injector.call(Operation::ReadModelCheckpoint, self.inner.checkpoint(projection)).await
    }

    async fn commit(
        &self,
        transaction: R::Transaction,
        projection: &str,
        from: Position,
        to: Position,
    ) -> Result<(), StepError> {
        let commit = self.inner.commit(transaction, projection, from, to);
        self.injector.call(Operation::ReadModelCommit, commit).await
    }
}
