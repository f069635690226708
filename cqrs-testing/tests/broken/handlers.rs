//! Stores that break what event handlers keep.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;

type Parked = Result<Vec<ParkedEvent>, StoreError>;

/// Takes a first step for a handler that nobody has started.
#[derive(Default)]
struct BeginsHandlersAtOne;

#[async_trait]
impl Breach for BeginsHandlersAtOne {
    async fn handler_checkpoint(
        &self,
        store: &MemoryStore,
        handler: &str,
    ) -> Result<HandlerCheckpoint, StoreError> {
        let found = store.handler_checkpoint(handler).await?;
        Ok(HandlerCheckpoint { revision: found.revision.max(1), ..found })
    }
}

/// Keeps as many watermarks as there were at first.
#[derive(Default)]
struct FixesThePartitions;

#[async_trait]
impl Breach for FixesThePartitions {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        let known = store.handler_checkpoint(&step.handler).await?;
        if known.revision > 0 {
            step.checkpoint.watermarks.resize(known.watermarks.len(), Position::ZERO);
        }
        store.commit_handler(step).await
    }
}

/// Keeps watermarks as floating-point numbers.
#[derive(Default)]
struct RoundsWatermarks;

#[async_trait]
impl Breach for RoundsWatermarks {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        for watermark in &mut step.checkpoint.watermarks {
            *watermark = Position::new(watermark.as_u64() as f64 as u64);
        }
        store.commit_handler(step).await
    }
}

/// Takes every step of a handler.
#[derive(Default)]
struct TakesAnyRevision;

#[async_trait]
impl Breach for TakesAnyRevision {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        step.checkpoint.revision = store.handler_checkpoint(&step.handler).await?.revision + 1;
        store.commit_handler(step).await
    }
}

/// Takes steps that leave revisions out.
#[derive(Default)]
struct TakesLaterRevisions;

#[async_trait]
impl Breach for TakesLaterRevisions {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        let next = store.handler_checkpoint(&step.handler).await?.revision + 1;
        if step.checkpoint.revision > next {
            step.checkpoint.revision = next;
        }
        store.commit_handler(step).await
    }
}

/// Parks what a fenced step wants to be parked.
#[derive(Default)]
struct ParksBeforeItCompares;

#[async_trait]
impl Breach for ParksBeforeItCompares {
    async fn commit_handler(&self, store: &MemoryStore, step: HandlerStep) -> Result<(), StepError> {
        let found = store.handler_checkpoint(&step.handler).await?;
        let fenced = found.revision + 1 != step.checkpoint.revision;
        let revision = found.revision + 1;
        let checkpoint = if fenced { found } else { step.checkpoint.clone() };
        if fenced {
            // The revision moves with what is parked, and nobody hears of it.
            let checkpoint = HandlerCheckpoint { revision, ..checkpoint };
            store.commit_handler(HandlerStep { checkpoint, ..step }).await?;
            return Err(StepError::Fenced);
        }
        store.commit_handler(step).await
    }
}

/// Looks at the revision first, and takes the step later.
#[derive(Default)]
struct ComparesRevisionsBeforeItSets;

#[async_trait]
impl Breach for ComparesRevisionsBeforeItSets {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        if store.handler_checkpoint(&step.handler).await?.revision + 1 != step.checkpoint.revision {
            return Err(StepError::Fenced);
        }
        tokio::task::yield_now().await;
        step.checkpoint.revision = store.handler_checkpoint(&step.handler).await?.revision + 1;
        store.commit_handler(step).await
    }
}

/// Compares names of handlers without regard to case.
#[derive(Default)]
struct FoldsTheCaseOfHandlers;

#[async_trait]
impl Breach for FoldsTheCaseOfHandlers {
    async fn handler_checkpoint(
        &self,
        store: &MemoryStore,
        handler: &str,
    ) -> Result<HandlerCheckpoint, StoreError> {
        store.handler_checkpoint(&handler.to_lowercase()).await
    }

    async fn commit_handler(&self, store: &MemoryStore, step: HandlerStep) -> Result<(), StepError> {
        let handler = step.handler.to_lowercase();
        store.commit_handler(HandlerStep { handler, ..step }).await
    }
}

/// Passes what is parked through a function on the way in.
macro_rules! parks_differently {
    ($(#[$doc:meta])* $name:ident, |$event:ident| $change:block) => {
        $(#[$doc])*
        #[derive(Default)]
        struct $name;

        #[async_trait]
        impl Breach for $name {
            async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
                for $event in &mut step.parked $change
                store.commit_handler(step).await
            }
        }
    };
}

parks_differently!(
    /// Trims keys.
    TrimsKeys,
    |event| { event.key.truncate(255) }
);
parks_differently!(
    /// Keeps the errors of what was given up alone.
    KeepsErrorsOfTheParkedAlone,
    |event| {
        if event.attempts < 4 && event.state != ParkedState::Waiting {
            event.last_error = None;
        }
    }
);
parks_differently!(
    /// Takes the parts of an event for one.
    ParksTheFirstPartAlone,
    |event| { event.part.part = 0 }
);

/// Lists what is parked by key.
#[derive(Default)]
struct SortsByKey;

#[async_trait]
impl Breach for SortsByKey {
    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Parked {
        let mut found = store.parked_events(handler, query, after, limit).await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }
}

/// Answers with all that is parked, whatever the limit.
#[derive(Default)]
struct IgnoresTheLimitOfParked;

#[async_trait]
impl Breach for IgnoresTheLimitOfParked {
    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        _: usize,
    ) -> Parked {
        store.parked_events(handler, query, after, usize::MAX).await
    }
}

/// Begins a page of parked events at a position, not at a part.
#[derive(Default)]
struct PagesByPosition;

#[async_trait]
impl Breach for PagesByPosition {
    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Parked {
        store.parked_events(handler, query, EventPart { part: u32::MAX, ..after }, limit).await
    }
}

/// Takes the first event of a key after a place for the key's first.
#[derive(Default)]
struct FindsHeadsAfterThePlace;

#[async_trait]
impl Breach for FindsHeadsAfterThePlace {
    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Parked {
        if *query != ParkedQuery::Heads {
            return store.parked_events(handler, query, after, limit).await;
        }
        let mut keys = std::collections::HashSet::new();
        let mut found = store.parked_events(handler, &ParkedQuery::All, after, usize::MAX).await?;
        found.retain(|event| keys.insert(event.key.clone()));
        found.truncate(limit);
        Ok(found)
    }
}

/// Takes a step, with what it parks in place of what is there.
async fn replacing(
    store: &MemoryStore,
    step: HandlerStep,
    replaces: impl Fn(&ParkedEvent) -> bool,
) -> Result<(), StepError> {
    // What has no attempts is parked with one, so that it replaces what is there, and reads are not concerned.
    let mut bare = step.clone();
    for event in &mut bare.parked {
        if replaces(event) && event.attempts == 0 {
            event.attempts = 1;
        }
    }
    store.commit_handler(bare).await
}

/// Replaces what is parked already, whatever the attempts.
#[derive(Default)]
struct ForgetsFailures;

#[async_trait]
impl Breach for ForgetsFailures {
    async fn commit_handler(&self, store: &MemoryStore, step: HandlerStep) -> Result<(), StepError> {
        let all =
            store.parked_events(&step.handler, &ParkedQuery::All, EventPart::ZERO, usize::MAX).await?;
        replacing(store, step, |event| all.iter().any(|known| known.part == event.part)).await
    }
}

/// Leaves what is parked already as it is.
#[derive(Default)]
struct NeverCountsAgain;

#[async_trait]
impl Breach for NeverCountsAgain {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        let all =
            store.parked_events(&step.handler, &ParkedQuery::All, EventPart::ZERO, usize::MAX).await?;
        step.parked.retain(|event| all.iter().all(|known| known.part != event.part));
        store.commit_handler(step).await
    }
}

/// Releases first, and parks then.
#[derive(Default)]
struct ReleasesBeforeItParks;

#[async_trait]
impl Breach for ReleasesBeforeItParks {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        step.released.retain(|part| step.parked.iter().all(|event| event.part != *part));
        store.commit_handler(step).await
    }
}

/// Releases all parts of an event.
#[derive(Default)]
struct ReleasesWholeEvents;

#[async_trait]
impl Breach for ReleasesWholeEvents {
    async fn commit_handler(&self, store: &MemoryStore, mut step: HandlerStep) -> Result<(), StepError> {
        let parts =
            |released: &EventPart| (0..3).map(|part| EventPart { part, ..*released }).collect::<Vec<_>>();
        step.released = step.released.iter().flat_map(parts).collect();
        store.commit_handler(step).await
    }
}

/// Marks an event for a retry only if it is the first of its key.
#[derive(Default)]
struct RetriesByTheFirstEventAlone;

#[async_trait]
impl Breach for RetriesByTheFirstEventAlone {
    async fn mark_parked(
        &self,
        store: &MemoryStore,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        if let (ParkedSet::Event(part), ParkedMark::Retry) = (set, mark) {
            let heads =
                store.parked_events(handler, &ParkedQuery::Heads, EventPart::ZERO, usize::MAX).await?;
            if heads.iter().all(|head| head.part != *part) {
                return Ok(0);
            }
        }
        store.mark_parked(handler, set, mark).await
    }
}

/// Counts what is marked, not what it marks.
#[derive(Default)]
struct CountsMarksTwice;

#[async_trait]
impl Breach for CountsMarksTwice {
    async fn mark_parked(
        &self,
        store: &MemoryStore,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        store.mark_parked(handler, set, mark).await?;
        let marked =
            store.parked_events(handler, &ParkedQuery::Marked, EventPart::ZERO, usize::MAX).await?;
        Ok(marked.len() as u64)
    }
}

/// Drops the whole key of an event.
#[derive(Default)]
struct DropsWholeKeys;

#[async_trait]
impl Breach for DropsWholeKeys {
    async fn mark_parked(
        &self,
        store: &MemoryStore,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        if let (ParkedSet::Event(part), ParkedMark::Drop) = (set, mark) {
            let all = store.parked_events(handler, &ParkedQuery::All, EventPart::ZERO, usize::MAX).await?;
            let key = all.iter().find(|event| event.part == *part).map(|event| event.key.clone());
            let set = key.map_or(set.clone(), ParkedSet::Key);
            return store.mark_parked(handler, &set, mark).await;
        }
        store.mark_parked(handler, set, mark).await
    }
}

/// Lets a retry take the mark of a drop away.
#[derive(Default)]
struct RetriesOutliveDrops(Mutex<Vec<EventPart>>);

#[async_trait]
impl Breach for RetriesOutliveDrops {
    async fn mark_parked(
        &self,
        store: &MemoryStore,
        handler: &str,
        set: &ParkedSet,
        mark: ParkedMark,
    ) -> Result<u64, StoreError> {
        if mark == ParkedMark::Retry {
            let all = store.parked_events(handler, &ParkedQuery::All, EventPart::ZERO, usize::MAX).await?;
            let dropped = all.iter().filter(|event| event.state == ParkedState::ToDrop);
            self.0.lock().unwrap().extend(dropped.map(|event| event.part));
        }
        store.mark_parked(handler, set, mark).await
    }

    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Parked {
        let mut found = store.parked_events(handler, query, after, limit).await?;
        let retried = self.0.lock().unwrap();
        for event in found.iter_mut().filter(|event| retried.contains(&event.part)) {
            event.state = ParkedState::ToRetry;
        }
        Ok(found)
    }
}

/// Remembers in each handle what a handler's checkpoint was when it was first read there.
#[derive(Default)]
struct CachesHandlers(Mutex<HashMap<String, HandlerCheckpoint>>);

#[async_trait]
impl Breach for CachesHandlers {
    async fn handler_checkpoint(
        &self,
        store: &MemoryStore,
        handler: &str,
    ) -> Result<HandlerCheckpoint, StoreError> {
        let found = store.handler_checkpoint(handler).await?;
        Ok(self.0.lock().unwrap().entry(handler.to_owned()).or_insert(found).clone())
    }

    async fn commit_handler(&self, store: &MemoryStore, step: HandlerStep) -> Result<(), StepError> {
        self.0.lock().unwrap().remove(&step.handler);
        store.commit_handler(step).await
    }

    fn again(&self) -> Option<Arc<dyn Breach>> {
        Some(Arc::new(Self::default()))
    }
}

/// Keeps parked events in the process alone.
#[derive(Default)]
struct ForgetsParkedEvents(Mutex<bool>);

#[async_trait]
impl Breach for ForgetsParkedEvents {
    async fn parked_events(
        &self,
        store: &MemoryStore,
        handler: &str,
        query: &ParkedQuery,
        after: EventPart,
        limit: usize,
    ) -> Parked {
        let forgotten = *self.0.lock().unwrap();
        if forgotten { Ok(Vec::new()) } else { store.parked_events(handler, query, after, limit).await }
    }

    async fn reopen(&self, store: &MemoryStore) -> MemoryStore {
        *self.0.lock().unwrap() = true;
        store.clone()
    }
}

proofs! {
    BeginsHandlersAtOne: handlers::a_handler_begins_with_nothing, handlers::other_handles_see_parked_events;
    FixesThePartitions: handlers::a_step_replaces_the_checkpoint;
    RoundsWatermarks: handlers::a_step_replaces_the_checkpoint;
    TakesAnyRevision:
        handlers::a_step_of_another_revision_is_fenced,
        handlers::of_two_racing_handler_steps_one_is_fenced,
        restart::handlers_survive_a_restart;
    TakesLaterRevisions: handlers::a_step_of_another_revision_is_fenced;
    ParksBeforeItCompares:
        handlers::a_step_of_another_revision_is_fenced,
        handlers::of_two_racing_handler_steps_one_is_fenced;
    ComparesRevisionsBeforeItSets: handlers::of_two_racing_handler_steps_one_is_fenced;
    FoldsTheCaseOfHandlers: handlers::handlers_do_not_mix;
    TrimsKeys: handlers::a_parked_event_is_read_back_as_written;
    KeepsErrorsOfTheParkedAlone:
        handlers::a_parked_event_is_read_back_as_written,
        handlers::a_parked_event_is_replaced_by_attempts_alone;
    ParksTheFirstPartAlone:
        handlers::a_parked_event_is_read_back_as_written,
        handlers::a_released_event_is_gone,
        handlers::parked_events_come_in_order_and_in_pages;
    SortsByKey:
        handlers::a_parked_event_is_read_back_as_written,
        handlers::a_retry_marks_what_was_given_up,
        handlers::parked_events_are_found_by_key;
    IgnoresTheLimitOfParked:
        handlers::parked_events_are_found_by_key,
        handlers::parked_events_come_in_order_and_in_pages;
    PagesByPosition: handlers::parked_events_come_in_order_and_in_pages;
    FindsHeadsAfterThePlace: handlers::parked_events_are_found_by_key;
    ForgetsFailures: handlers::a_parked_event_is_replaced_by_attempts_alone;
    NeverCountsAgain: handlers::a_parked_event_is_replaced_by_attempts_alone;
    ReleasesBeforeItParks: handlers::a_released_event_is_gone;
    ReleasesWholeEvents: handlers::a_released_event_is_gone;
    RetriesByTheFirstEventAlone: handlers::a_retry_marks_what_was_given_up;
    CountsMarksTwice: handlers::a_drop_marks_the_set_and_stays, handlers::a_retry_marks_what_was_given_up;
    DropsWholeKeys: handlers::a_drop_marks_the_set_and_stays;
    RetriesOutliveDrops: handlers::a_drop_marks_the_set_and_stays;
    CachesHandlers: handlers::other_handles_see_parked_events;
    ForgetsParkedEvents: restart::handlers_survive_a_restart;
}
