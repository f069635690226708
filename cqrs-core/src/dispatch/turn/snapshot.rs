//! Taking a snapshot, in the background.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::State;
use crate::dispatch::dispatcher::Core;
use crate::dispatch::live::Live;
use crate::dispatch::panic_message;
use crate::dispatch::ready::ReadyQueue;
use crate::{Aggregate, Json, Lifespan, Snapshot, Snapshots, StoreError, Version, describe};

/// Puts a state back where the next turn finds it, for as long as the aggregate's lifespan says; first, when one is due, a snapshot is made of it. True when the
/// aggregate is ready for another turn now.
///
/// A state is serialised on a task of its own, because a large one would hold up the commits of all others.
/// Meanwhile its aggregate waits, since the state must not change.
pub(super) fn put_back<A: Aggregate>(
    live: Arc<Live<A>>,
    mut state: State<A>,
    core: &Arc<Core>,
    queue: &ReadyQueue,
) -> bool {
    // One that panics has said nothing.
    let lifespan = catch_unwind(AssertUnwindSafe(|| state.aggregate.lifespan())).unwrap_or_default();
    live.live_for(match lifespan {
        Lifespan::Default => core.options.live_idle,
        Lifespan::Idle(time) => Some(time),
        Lifespan::End => Some(Duration::ZERO),
    });
    if let Some(snapshots) = A::snapshots()
        && snapshots.is_due(state.version.as_u64().saturating_sub(state.snapshot.as_u64()))
        // As many as may be are under way: it is made after a later turn.
        && let Ok(permit) = Arc::clone(&core.snapshots).try_acquire_owned()
        && let Some(queue) = queue.strong()
    {
        let core = Arc::clone(core);
        tokio::spawn(async move {
            let version = state.version;
            let written = write(&snapshots, &state.aggregate);
            state.snapshot = version;
            let stream = live.stream.clone();
            live.put_state(state);
            if !live.rest() {
                queue.push(live);
            }
            let schema_version = snapshots.version();
            match written {
                Ok(state) => save(&core, Snapshot { stream, version, schema_version, state }).await,
                Err(error) => {
                    tracing::warn!(%stream, %version, %error, "a state cannot be written as a snapshot")
                }
            }
            drop(permit);
        });
        return false;
    }
    live.put_state(state);
    !live.rest()
}

fn write<A>(snapshots: &Snapshots<A>, state: &A) -> Result<Json, String> {
    match catch_unwind(AssertUnwindSafe(|| snapshots.write(state))) {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(panic) => Err(format!("panicked: {}", panic_message(&*panic))),
    }
}

async fn save(core: &Core, snapshot: Snapshot) {
    let (stream, version): (_, Version) = (snapshot.stream.clone(), snapshot.version);
    match core.store.save_snapshot(snapshot).await {
        Ok(kept) => tracing::debug!(%stream, %version, kept, "made a snapshot"),
        Err(StoreError::Closed) => {}
        Err(error) => {
            tracing::warn!(%stream, %version, error = %describe(&error), "a snapshot was not kept")
        }
    }
}
