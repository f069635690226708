//! Stores that break what is said of spoiled events.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::breach::*;
use crate::proofs::proofs;

type Read = Result<Vec<RecordedEvent>, StoreError>;

/// Makes stores that read spoiled events in another way.
macro_rules! spoils {
    ($($(#[$doc:meta])* $breach:ident: $events:ident, $spoiled:ident => $read:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        struct $breach;

        impl Breach for $breach {
            #[allow(unused_mut, reason = "some breaches change the events")]
            fn spoil(&self, mut $events: Vec<RecordedEvent>, $spoiled: &HashSet<Position>) -> Read {
                $read
            }
        }
    )*};
}

spoils! {
    /// Leaves spoiled events out.
    SkipsSpoiledEvents: events, spoiled => {
        events.retain(|event| !spoiled.contains(&event.position));
        Ok(events)
    }
    /// Ends a read before a spoiled event, as if there were nothing more.
    EndsBeforeASpoiledEvent: events, spoiled => {
        let readable = events.iter().position(|event| spoiled.contains(&event.position));
        events.truncate(readable.unwrap_or(events.len()));
        Ok(events)
    }
    /// Puts a default in the place of what it cannot read.
    TakesSpoiledEventsForNull: events, spoiled => {
        for event in events.iter_mut().filter(|event| spoiled.contains(&event.position)) {
            event.data = Json::parse("null").unwrap();
        }
        Ok(events)
    }
    /// Says that something is wrong, and not with what.
    HidesWhichEventIsSpoiled: events, spoiled => {
        if events.iter().any(|event| spoiled.contains(&event.position)) {
            return Err(StoreError::Corrupt { what: "an event".to_owned() });
        }
        Ok(events)
    }
    /// Reads nothing any more once one event is spoiled.
    GivesUpWithASpoiledEvent: _events, spoiled => {
        let what = spoiled.iter().map(|position| format!("event at position {position}")).collect();
        Err(StoreError::Corrupt { what })
    }
}

/// Counts the events that it can read for the head.
#[derive(Default)]
struct CountsReadableEvents(AtomicU64);

#[async_trait]
impl Breach for CountsReadableEvents {
    fn spoiled(&self, _: Position) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    async fn head(&self, store: &MemoryStore) -> Result<Position, StoreError> {
        let head = store.head().await?;
        Ok(Position::new(head.as_u64() - self.0.load(Ordering::Relaxed)))
    }
}

proofs! {
    SkipsSpoiledEvents: damage::a_spoiled_event_fails_every_read_that_has_it;
    EndsBeforeASpoiledEvent: damage::a_spoiled_event_fails_every_read_that_has_it;
    TakesSpoiledEventsForNull: damage::a_spoiled_event_fails_every_read_that_has_it;
    HidesWhichEventIsSpoiled: damage::a_spoiled_event_is_named;
    GivesUpWithASpoiledEvent: damage::a_spoiled_event_leaves_the_others_readable;
    CountsReadableEvents: damage::a_spoiled_event_still_counts;
}
