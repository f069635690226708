//! Leases: which of several runners works.

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreError;
use crate::Timestamp;

/// What became of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is the caller's, until the moment that he gave.
    Held,
    /// Somebody else has it.
    HeldBy {
        /// Who.
        holder: Uuid,
        /// Until when, unless he renews it.
        until: Timestamp,
    },
}

/// Who works, where several could and one should.
///
/// A lease spares work that would be done twice, and effects of event handlers that would be had twice; nothing that is
/// stored becomes wrong when two believe that they hold it, because every checkpoint is moved by compare-and-set. So a store may keep leases less durably than events, and a
/// store that knows that a holder has died may give his leases away before their time.
#[async_trait]
pub trait LeaseStore: Send + Sync + 'static {
    /// Takes a lease that is free, that has come to its end at `now`, or that the holder has already; then it
    /// is his until `until`. Of several who ask at once, one gets it.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    async fn acquire_lease(
        &self,
        lease: &str,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Lease, StoreError>;

    /// Who has each of these leases at `now`; `None` where nobody has, or the lease has come to its end.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn lease_holders(
        &self,
        leases: &[String],
        now: Timestamp,
    ) -> Result<Vec<Option<Uuid>>, StoreError>;

    /// Gives a lease back. One that somebody else has is left as it is.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    async fn release_lease(&self, lease: &str, holder: Uuid) -> Result<(), StoreError>;
}
