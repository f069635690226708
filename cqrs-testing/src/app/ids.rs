//! Ids that are the same in each run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cqrs_core::IdSource;
use uuid::Uuid;

use crate::dice::mixed;

/// Ids that follow from a seed, each another one. A clone goes on in the same sequence.
///
/// ```
/// use cqrs_core::IdSource;
/// use cqrs_testing::SeededIds;
///
/// let (ids, same) = (SeededIds::new(7), SeededIds::new(7));
/// let first = ids.next_id();
/// assert_eq!(same.next_id(), first);
/// assert_ne!(ids.next_id(), first);
/// ```
#[derive(Clone, Debug)]
pub struct SeededIds {
    seed: u64,
    count: Arc<AtomicU64>,
}

impl SeededIds {
    /// The sequence of a seed, from its beginning. Two sources of one seed give the same ids.
    pub fn new(seed: u64) -> Self {
        Self { seed, count: Arc::default() }
    }
}

impl IdSource for SeededIds {
    fn next_id(&self) -> Uuid {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        // An event's id differs from its command's in the last four bytes. Two commands differ in the first six, which
        // have the number; the seed is in the last eight, from which pauses draw their jitter.
        let bits = u128::from(number) << 80 | u128::from(mixed(self.seed ^ mixed(number)));
        uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid()
    }
}
