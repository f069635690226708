//! The technical failures of a store.

use crate::{BoxError, Undecodable};

/// The store could not do its work. Nothing of this is the caller's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend failed, and nothing was changed.
    #[error("the store failed to {action}")]
    Backend {
        /// What it was doing, such as "append".
        action: &'static str,
        /// What the backend says.
        source: BoxError,
    },
    /// The backend failed while it committed, and cannot know whether the commit is durable. A retry with
    /// the same command ids is safe.
    #[error("the store failed to commit, and it is not known whether the commit took effect")]
    OutcomeUnknown {
        /// What the backend says.
        source: BoxError,
    },
    /// An event in the store cannot be read.
    #[error("the store holds an event that cannot be read")]
    Undecodable(#[from] Undecodable),
    /// Something else in the store contradicts what the store promises.
    #[error("the store is corrupt: {what}")]
    Corrupt {
        /// What was found, and where.
        what: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Wraps what a backend says, when nothing was changed.
    ///
    /// ```
    /// use cqrs_core::{StoreError, describe};
    ///
    /// fn read(path: &str) -> Result<Vec<u8>, StoreError> {
    ///     std::fs::read(path).map_err(|error| StoreError::backend("read a segment", error))
    /// }
    ///
    /// let error = read("/nowhere/at/all").unwrap_err();
    /// assert!(describe(&error).starts_with("the store failed to read a segment: No such file"));
    /// ```
    pub fn backend(action: &'static str, source: impl Into<BoxError>) -> Self {
        Self::Backend { action, source: source.into() }
    }
}
