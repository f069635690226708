//! Stores that break waiting, closing, other handles and restarts.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;
use crate::shapes::waits;

waits! {
    /// Wakes who waits with an append that is not far enough.
    WakesEarly: store, after => {
        store.wait_beyond(Position::new(after.as_u64().saturating_sub(1))).await
    }
    /// Wakes nobody who has begun to wait.
    NeverWakes: store, after => {
        let head = store.head().await?;
        if head > after { Ok(head) } else { pending().await }
    }
    /// Waits for the next append, whatever is there already.
    WaitsForTheNextAppend: store, after => {
        store.wait_beyond(after.max(store.head().await?)).await
    }
    /// Tells the position that was waited for in place of the head.
    TellsAnOldHead: store, after => {
        store.wait_beyond(after).await?;
        Ok(after)
    }
    /// Lets who waits go on waiting when the store is closed.
    WaitsBeyondTheEnd: store, after => {
        match store.wait_beyond(after).await {
            Err(StoreError::Closed) => pending().await,
            woken => woken,
        }
    }
}

/// Forgets all who wait when one of them stops.
#[derive(Default)]
struct ADroppedWaitEndsTheOthers(Arc<AtomicBool>);

struct Drops(Arc<AtomicBool>, bool);

impl Drop for Drops {
    fn drop(&mut self) {
        if !self.1 {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Breach for ADroppedWaitEndsTheOthers {
    async fn wait_beyond(&self, store: &MemoryStore, after: Position) -> Result<Position, StoreError> {
        let mut drops = Drops(Arc::clone(&self.0), false);
        let woken = store.wait_beyond(after).await;
        drops.1 = true;
        if self.0.load(Ordering::Relaxed) { pending().await } else { woken }
    }
}

/// Wakes all who wait with every call, also when nothing was added.
#[derive(Default)]
struct WakesForNothing(tokio::sync::Notify);

#[async_trait]
impl Breach for WakesForNothing {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        let answers = store.append(batch).await;
        self.0.notify_waiters();
        answers
    }

    async fn wait_beyond(&self, store: &MemoryStore, after: Position) -> Result<Position, StoreError> {
        tokio::select! {
            woken = store.wait_beyond(after) => woken,
            () = self.0.notified() => store.head().await,
        }
    }
}

/// Goes on after it was closed.
#[derive(Default)]
struct IgnoresClosing;

#[async_trait]
impl Breach for IgnoresClosing {
    async fn close(&self, _store: &MemoryStore) {}
}

/// Closes all handles with one of them.
#[derive(Default)]
struct ClosesAllHandles(Arc<AtomicBool>);

#[async_trait]
impl Breach for ClosesAllHandles {
    async fn append(&self, store: &MemoryStore, batch: Vec<Append>) -> Answers {
        if self.0.load(Ordering::Relaxed) { Err(StoreError::Closed) } else { store.append(batch).await }
    }

    async fn close(&self, store: &MemoryStore) {
        self.0.store(true, Ordering::Relaxed);
        store.close().await;
    }

    async fn reopen(&self, store: &MemoryStore) -> MemoryStore {
        store.clone()
    }
}

/// A handle that knows of others only what it found when it was opened.
#[derive(Default)]
struct HandlesDoNotHear(bool);

#[async_trait]
impl Breach for HandlesDoNotHear {
    async fn wait_beyond(&self, store: &MemoryStore, after: Position) -> Result<Position, StoreError> {
        let head = store.head().await?;
        if self.0 && head <= after { pending().await } else { store.wait_beyond(after).await }
    }

    fn again(&self) -> Option<Arc<dyn Breach>> {
        Some(Arc::new(Self(true)))
    }
}

/// The events of a log, appended to a new store, with their receipts or without.
async fn copy(store: &MemoryStore, keep: usize, twice: bool) -> MemoryStore {
    let copy = MemoryStore::new();
    let mut events = store.read_log(Position::ZERO, &EventFilter::all(), 1_000_000).await.unwrap().events;
    events.truncate(events.len().saturating_sub(keep));
    if let (true, Some(last)) = (twice, events.last().cloned()) {
        events.push(last);
    }
    for RecordedEvent { stream, id, event_type, data, metadata, recorded_at, .. } in events {
        let events = vec![NewEvent { id, event_type, data, metadata }];
        let writes = vec![StreamWrite { stream, expected: ExpectedVersion::Any, events }];
        copy.append(vec![Append { writes, receipt: None, recorded_at, rests_on_previous: false }])
            .await
            .unwrap();
    }
    copy
}

/// Makes a store that comes back otherwise after a restart.
macro_rules! restarts {
    ($($(#[$doc:meta])* $breach:ident: $store:ident => $reopened:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        #[async_trait]
        impl Breach for $breach {
            async fn reopen(&self, $store: &MemoryStore) -> MemoryStore {
                $reopened
            }
        }
    )*};
}

restarts! {
    /// Begins empty after a restart.
    ForgetsEverythingAtARestart: _store => MemoryStore::new();
    /// Loses the last event at a restart.
    LosesTheLastEventAtARestart: store => copy(store, 1, false).await;
    /// Keeps events and loses receipts, and what processes know, at a restart.
    KeepsOnlyEventsAtARestart: store => copy(store, 0, false).await;
    /// Writes the last event again at a restart.
    RepeatsTheLastEventAtARestart: store => copy(store, 0, true).await;
}

/// Wakes nobody after a restart.
#[derive(Default)]
struct NeverWakesAfterARestart(AtomicBool);

#[async_trait]
impl Breach for NeverWakesAfterARestart {
    async fn reopen(&self, store: &MemoryStore) -> MemoryStore {
        self.0.store(true, Ordering::Relaxed);
        store.clone()
    }

    async fn wait_beyond(&self, store: &MemoryStore, after: Position) -> Result<Position, StoreError> {
        let restarted = self.0.load(Ordering::Relaxed);
        if restarted && store.head().await? <= after {
            pending().await
        } else {
            store.wait_beyond(after).await
        }
    }
}

proofs! {
    WakesEarly:
        others::an_append_wakes_who_waits_by_another_handle,
        others::closing_leaves_other_handles_open,
        restart::waits_work_after_a_restart,
        waiting::a_wait_does_not_end_early,
        waiting::an_append_wakes_who_waits,
        waiting::closing_ends_all_waits,
        waiting::nothing_new_wakes_nobody;
    NeverWakes:
        batch::a_batch_is_seen_whole_or_not_at_all,
        others::an_append_wakes_who_waits_by_another_handle,
        others::closing_keeps_what_was_acknowledged,
        others::closing_leaves_other_handles_open,
        others::positions_are_dense_while_two_handles_write,
        positions::nothing_appears_behind_a_reader,
        restart::waits_work_after_a_restart,
        waiting::a_dropped_wait_disturbs_nobody,
        waiting::a_wait_does_not_end_early,
        waiting::an_append_wakes_who_waits,
        waiting::closing_ends_all_waits,
        waiting::nothing_new_wakes_nobody;
    WaitsForTheNextAppend:
        restart::waits_work_after_a_restart,
        waiting::a_wait_does_not_end_early,
        waiting::a_wait_for_the_past_ends_at_once,
        waiting::all_who_wait_are_woken;
    TellsAnOldHead:
        others::an_append_wakes_who_waits_by_another_handle,
        others::closing_leaves_other_handles_open,
        restart::waits_work_after_a_restart,
        waiting::a_dropped_wait_disturbs_nobody,
        waiting::a_wait_does_not_end_early,
        waiting::a_wait_for_the_past_ends_at_once,
        waiting::all_who_wait_are_woken,
        waiting::an_append_wakes_who_waits,
        waiting::nothing_new_wakes_nobody;
    WaitsBeyondTheEnd: waiting::a_closed_store_says_so, waiting::closing_ends_all_waits;
    ADroppedWaitEndsTheOthers: waiting::a_dropped_wait_disturbs_nobody;
    WakesForNothing: waiting::a_wait_does_not_end_early, waiting::nothing_new_wakes_nobody;
    IgnoresClosing: waiting::a_closed_store_says_so, waiting::closing_ends_all_waits;
    ClosesAllHandles:
        others::closing_leaves_other_handles_open,
        restart::expected_versions_hold_over_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        restart::versions_and_positions_go_on_after_a_restart,
        restart::waits_work_after_a_restart;
    HandlesDoNotHear:
        others::an_append_wakes_who_waits_by_another_handle,
        others::closing_keeps_what_was_acknowledged,
        others::closing_leaves_other_handles_open;
    ForgetsEverythingAtARestart:
        process_restart::checkpoint_and_instances_survive_a_restart,
        process_restart::the_outbox_survives_a_restart,
        restart::events_survive_a_restart,
        restart::expected_versions_hold_over_a_restart,
        restart::handlers_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        restart::snapshots_survive_a_restart,
        restart::versions_and_positions_go_on_after_a_restart,
        restart::waits_work_after_a_restart;
    LosesTheLastEventAtARestart:
        process_restart::checkpoint_and_instances_survive_a_restart,
        process_restart::the_outbox_survives_a_restart,
        restart::events_survive_a_restart,
        restart::expected_versions_hold_over_a_restart,
        restart::handlers_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        restart::snapshots_survive_a_restart,
        restart::versions_and_positions_go_on_after_a_restart,
        restart::waits_work_after_a_restart;
    KeepsOnlyEventsAtARestart:
        process_restart::checkpoint_and_instances_survive_a_restart,
        process_restart::the_outbox_survives_a_restart,
        restart::handlers_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::snapshots_survive_a_restart;
    RepeatsTheLastEventAtARestart:
        process_restart::checkpoint_and_instances_survive_a_restart,
        process_restart::the_outbox_survives_a_restart,
        restart::events_survive_a_restart,
        restart::expected_versions_hold_over_a_restart,
        restart::handlers_survive_a_restart,
        restart::receipts_survive_a_restart,
        restart::restarts_neither_lose_nor_add,
        restart::snapshots_survive_a_restart,
        restart::versions_and_positions_go_on_after_a_restart,
        restart::waits_work_after_a_restart;
    NeverWakesAfterARestart: restart::waits_work_after_a_restart;
}
