//! Hydrating: from the store to a state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::State;
use crate::dispatch::job::Failure;
use crate::dispatch::panic_message;
use crate::{
    Aggregate, RecordedEvent, Snapshots, Store, StoreError, StreamId, StreamRead, Undecodable, Version,
    describe,
};

/// How many events are read at a time: enough to make the round trips few, few enough to keep the memory flat.
const PAGE: usize = 1_000;

/// Rebuilds the state from the newest snapshot, if there is one that can be relied on, and the events after it.
pub(super) async fn hydrate<A: Aggregate>(
    store: &dyn Store,
    stream: &StreamId,
) -> Result<State<A>, Failure> {
    if let Some(snapshots) = A::snapshots()
        && let Some(state) = from_snapshot(store, stream, &snapshots).await
        && let Some(state) = replay(store, stream, state).await?
    {
        return Ok(state);
    }
    let fresh = State { aggregate: A::default(), version: Version::ZERO, snapshot: Version::ZERO };
    let state = replay(store, stream, fresh).await?;
    state.ok_or_else(|| corrupt(format!("stream {stream} does not begin where it was read from")))
}

/// The state of a snapshot. Whatever is wrong with it is no failure: the events are there.
async fn from_snapshot<A: Aggregate>(
    store: &dyn Store,
    stream: &StreamId,
    snapshots: &Snapshots<A>,
) -> Option<State<A>> {
    let snapshot = match store.snapshot(stream).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(%stream, error = %describe(&error), "a snapshot cannot be read; all events are");
            return None;
        }
    };
    // Before anything else: another schema may look like this one and mean something else.
    if snapshot.schema_version != snapshots.version() || snapshot.version == Version::ZERO {
        return None;
    }
    match catch_unwind(AssertUnwindSafe(|| snapshots.read(&snapshot.state))) {
        Ok(Ok(aggregate)) => {
            Some(State { aggregate, version: snapshot.version, snapshot: snapshot.version })
        }
        Ok(Err(error)) => {
            let version = snapshot.version;
            tracing::warn!(%stream, %version, %error, "a snapshot does not fit the state's type; all events are read");
            None
        }
        Err(panic) => {
            let message = panic_message(&*panic);
            tracing::warn!(%stream, %message, "reading a snapshot panicked; all events are read");
            None
        }
    }
}

/// Applies the events after a state's version, page by page.
///
/// It begins with the last event that is in the state already: where that one is missing, the state is newer than
/// the stream, and there is none.
async fn replay<A: Aggregate>(
    store: &dyn Store,
    stream: &StreamId,
    mut state: State<A>,
) -> Result<Option<State<A>>, Failure> {
    let failed = |error: StoreError| Failure::Store(Arc::new(error));
    let mut parts = Vec::with_capacity(1);
    let mut from = state.version.max(Version::new(1));
    loop {
        let page = store.read_stream(stream, StreamRead::forward(from, PAGE)).await.map_err(failed)?;
        if from == state.version && page.first().is_none_or(|first| first.version != from) {
            tracing::warn!(%stream, version = %from, "a snapshot is newer than its stream; all events are read");
            return Ok(None);
        }
        let full = page.len() == PAGE;
        let known = usize::from(from == state.version);
        for event in page.into_iter().skip(known) {
            if event.version != state.version.next() {
                let (found, wanted) = (event.version, state.version.next());
                return Err(corrupt(format!(
                    "stream {stream} has version {found} where {wanted} was expected"
                )));
            }
            let aggregate = &mut state.aggregate;
            let taken_in = catch_unwind(AssertUnwindSafe(|| {
                event.decode_parts::<A::Event>(&mut parts)?;
                parts.drain(..).for_each(|part| aggregate.apply(&part));
                Ok::<(), Undecodable>(())
            }));
            taken_in
                .map_err(|panic| Failure::Panicked(panic_message(&*panic)))?
                .map_err(|error| failed(error.into()))?;
            state.version = event.version;
        }
        if !full {
            return Ok(Some(state));
        }
        from = state.version.next();
    }
}

/// The state as it was at a version, made of all events up to it.
pub(in crate::dispatch) async fn state_at<A: Aggregate>(
    store: &dyn Store,
    id: &A::Id,
    version: Version,
) -> Result<A, StoreError> {
    let stream = A::stream(id).map_err(|error| StoreError::backend("name a stream", error))?;
    let (mut state, mut at) = (A::default(), Version::ZERO);
    while at < version {
        let missing = usize::try_from(version.as_u64() - at.as_u64()).unwrap_or(usize::MAX);
        let page = store.read_stream(&stream, StreamRead::forward(at.next(), missing.min(PAGE))).await?;
        let Some(last) = page.last() else {
            return Err(StoreError::Corrupt {
                what: format!("stream {stream} ends before version {version}"),
            });
        };
        at = last.version;
        for event in RecordedEvent::decode_all::<A::Event>(page)? {
            state.apply(&event.data);
        }
    }
    Ok(state)
}

fn corrupt(what: String) -> Failure {
    Failure::Store(Arc::new(StoreError::Corrupt { what }))
}
