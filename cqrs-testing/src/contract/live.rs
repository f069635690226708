//! From catch-up to live: what a subscriber does, while writers run.

use std::sync::Arc;

use cqrs_core::{EventFilter, EventStore, ExpectedVersion, Position, RecordedEvent};

use super::build::{append, events, one, stream_of};
use super::look::{log, next_page, positions, soon};
use super::violation::want_eq;
use super::{StoreFactory, Verdict, Violation};

const WRITERS: u64 = 4;
const APPENDS: u64 = 40;

/// Reads after a position and waits for more, until the log was looked at up to `until`.
async fn follow(
    store: Arc<impl EventStore>,
    filter: EventFilter,
    mut after: Position,
    limit: usize,
    until: Position,
) -> Result<Vec<RecordedEvent>, Violation> {
    let mut seen = Vec::new();
    while after < until {
        let page = next_page(&*store, after, &filter, limit).await?;
        after = page.scanned_to;
        seen.extend(page.events);
    }
    Ok(seen)
}

/// Starts the writers, each on two streams of different categories, two events an append.
fn start_writers(store: &Arc<impl EventStore>) -> Vec<tokio::task::JoinHandle<Verdict>> {
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for n in 0..APPENDS {
                let to = stream_of(["even", "odd"][n as usize % 2], &format!("{writer}"));
                one(&*store, append(&to, ExpectedVersion::Any, events(2))).await??;
            }
            Ok(())
        })
    });
    writers.collect()
}

/// Readers who begin at any position, with any filter and page size, come from the past to the present
/// without a gap or a repetition while writers run.
pub async fn readers_go_from_the_past_to_the_present<F: StoreFactory>(factory: &F) -> Verdict {
    let store = Arc::new(factory.make().await);
    let past = 300;
    one(&*store, append(&stream_of("past", "a"), ExpectedVersion::Any, events(past))).await??;
    let until = Position::new(past + WRITERS * APPENDS * 2);
    let wanted = [
        (EventFilter::all(), 0, 10),
        (EventFilter::all(), 150, 1),
        (EventFilter::all(), past, 1000),
        (EventFilter::category("even"), 0, 7),
        (EventFilter::categories_of(["odd", "past"]), 299, 1000),
        (EventFilter::category("none"), 0, 100),
    ];
    let writers = start_writers(&store);
    let readers = wanted.clone().map(|(filter, after, limit)| {
        tokio::spawn(follow(Arc::clone(&store), filter, Position::new(after), limit, until))
    });
    for writer in writers {
        writer.await.map_err(Violation::new)??;
    }
    let all = log(&*store).await?;
    want_eq!(store.head().await?, until, "the head when all have written");
    for (reader, (filter, after, limit)) in readers.into_iter().zip(wanted) {
        let seen = soon("the end of a reader", reader).await?.map_err(Violation::new)??;
        let after = Position::new(after);
        let wanted: Vec<_> =
            all.iter().filter(|event| event.position > after && filter.matches(event)).cloned().collect();
        let what = format!("by a reader of {filter:?} after {after} in pages of {limit}");
        want_eq!(positions(&seen), positions(&wanted), "the positions seen {what}");
        want_eq!(seen, wanted, "the events seen {what}");
    }
    Ok(())
}
