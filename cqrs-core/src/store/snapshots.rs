//! Snapshots: the state of an aggregate as of a version, so that not all of its events must be read.

use async_trait::async_trait;

use super::StoreError;
use crate::{Json, StreamId, Version};

/// The state of an aggregate as of one version of its stream.
///
/// It is a copy that can be made again at any time, and never a fact: without it, the state is the fold of all
/// events.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The aggregate's stream.
    pub stream: StreamId,
    /// The last event that is in the state.
    pub version: Version,
    /// Which shape the state has, see [`Snapshots::schema_version`](crate::Snapshots::schema_version).
    pub schema_version: u32,
    /// The state.
    pub state: Json,
}

/// Where snapshots are kept: one for each stream, the newest.
///
/// A snapshot may be less durable than an append: one that is lost is made again.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let store = MemoryStore::new();
/// let app = App::builder(store.clone()).start().await?;
/// for amount in [5, 6] {
///     app.dispatch(deposit("me", amount)).await?;
/// }
/// let stream = Account::stream(&"me".to_owned())?;
/// let snapshot = |version, balance| {
///     Ok::<_, BoxError>(Snapshot {
///         stream: stream.clone(),
///         version: Version::new(version),
///         schema_version: 1,
///         state: Json::of(&serde_json::json!({ "balance": balance }))?,
///     })
/// };
/// assert!(store.save_snapshot(snapshot(2, 11)?).await?);
/// // Not an older one in place of a newer one, nor one of events that are not there.
/// assert!(!store.save_snapshot(snapshot(1, 5)?).await?);
/// assert!(!store.save_snapshot(snapshot(3, 11)?).await?);
/// assert_eq!(store.snapshot(&stream).await?.map(|snapshot| snapshot.version), Some(Version::new(2)));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// The snapshot of a stream, if there is one.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError>;

    /// Keeps a snapshot in place of the one that was there, and says whether it did.
    ///
    /// It is not kept when its stream has not come so far, when its version is zero, and when the one that is
    /// there is as new: of a higher version, or of the same version and the same or a higher schema version. So a
    /// slow writer never brings an older state back. All of that is judged and done in one transaction.
    ///
    /// # Errors
    ///
    /// When the store cannot be written; then nothing was changed.
    async fn save_snapshot(&self, snapshot: Snapshot) -> Result<bool, StoreError>;
}
