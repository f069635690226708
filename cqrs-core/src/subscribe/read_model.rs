//! Where projections keep their answers.

use async_trait::async_trait;

use crate::{Position, StepError, StoreError};

/// How far a projection has worked, and in which version of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything at or below is in the read model.
    pub position: Position,
    /// The [`Projection::VERSION`](super::Projection::VERSION) that has made what is there.
    pub version: u32,
}

/// Where projections keep their answers: a database, or a value in memory. A clone is the same.
#[async_trait]
pub trait ReadModel: Sized + Send + Sync + 'static {
    /// What a projection writes to.
    type Target: Send + 'static;

    /// A transaction under way. Dropping it leaves the read model as it was, or lets it begin anew: then there is no
    /// checkpoint any more.
    type Transaction: Send + 'static;

    /// Begins a transaction of a projection that is at `from`.
    ///
    /// # Errors
    ///
    /// When the database cannot. [`StepError::Fenced`] when the checkpoint is elsewhere, if that can be told by now;
    /// [`ReadModel::commit`] tells it in any case.
    async fn begin(
        &self,
        projection: &str,
        from: Option<Checkpoint>,
    ) -> Result<Self::Transaction, StepError>;

    /// What a projection writes to within a transaction.
    fn target(transaction: &mut Self::Transaction) -> &mut Self::Target;

    /// How far a projection has worked; `None` when it has never begun.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    async fn checkpoint(&self, projection: &str) -> Result<Option<Checkpoint>, StoreError>;

    /// Moves the projection's checkpoint by compare-and-set, and commits it together with all that was
    /// written. With `to` where it was at the beginning, only what was written is committed.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the checkpoint is not where it was at the beginning, in position and version:
    /// another runner was faster, or the projection was rebuilt. Nothing was changed then.
    async fn commit(&self, transaction: Self::Transaction, to: Checkpoint) -> Result<(), StepError>;

    /// An empty read model of the same kind, for one projection alone, in which its content is made anew while
    /// the old one answers queries. It is thrown away when it is dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or when somebody else is making the same.
    async fn shadow(&self, projection: &str) -> Result<Self, StoreError>;

    /// Puts all that a projection made in its shadow, and its checkpoint there, in the place of what it has here,
    /// in one transaction: a query sees the one or the other. The shadow is of no use afterwards.
    ///
    /// # Errors
    ///
    /// [`StepError::Fenced`] when the checkpoint here lies beyond `up_to`, or is of a newer version than the
    /// shadow's. Nothing was changed then.
    async fn replace(&self, projection: &str, shadow: &Self, up_to: Position) -> Result<(), StepError>;

    /// Names what other processes may write to as well, so that runners in several processes take turns; `None` when
    /// this process alone has it.
    fn place(&self) -> Option<String>;
}
