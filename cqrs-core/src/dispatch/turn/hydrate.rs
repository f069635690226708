//! Hydrating: from the store to a state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::State;
use crate::dispatch::job::Failure;
use crate::dispatch::panic_message;
use crate::{Aggregate, EventStore, StoreError, StreamId, StreamRead, Version};

/// Rebuilds the state from the whole stream, page by page.
pub(super) async fn hydrate<A: Aggregate>(
    store: &(impl EventStore + ?Sized),
    stream: &StreamId,
) -> Result<State<A>, Failure> {
    /// Large enough to make the round trips few, small enough to keep the memory flat.
    const PAGE: usize = 1_000;
    let failed = |error: StoreError| Failure::Store(Arc::new(error));
    let mut state = State { aggregate: A::default(), version: Version::ZERO };
    loop {
        let page = store
            .read_stream(stream, StreamRead::forward(state.version.next(), PAGE))
            .await
            .map_err(failed)?;
        let full = page.len() == PAGE;
        for recorded in page {
            let event = recorded.decode::<A::Event>().map_err(|error| failed(error.into()))?;
            if event.version != state.version.next() {
                let what = format!(
                    "stream {stream} has version {} where {} was expected",
                    event.version,
                    state.version.next()
                );
                return Err(failed(StoreError::Corrupt { what }));
            }
            catch_unwind(AssertUnwindSafe(|| state.aggregate.apply(&event.data)))
                .map_err(|panic| Failure::Panicked(panic_message(&*panic)))?;
            state.version = event.version;
        }
        if !full {
            return Ok(state);
        }
    }
}
