//! Reading the log: pages, filters, and how far a page has looked.

use cqrs_core::{Append, EventFilter, EventStore, ExpectedVersion, Position, RecordedEvent};

use super::build::{append, event, events, one, stream, stream_of};
use super::look::{log as whole_log, page, pages, positions};
use super::violation::{want, want_eq};
use super::{StoreFactory, Verdict, Violation};

/// No positions.
const NONE: Vec<u64> = Vec::new();

/// How many appends of 100 events make a log longer than what a store looks at in one go for a small page.
const LONG: u64 = 240;

/// A log of so many appends of 100 events. One event of each has a type of its own, and one append in ten
/// writes to a category of its own.
async fn long_log(store: &impl EventStore, appends: u64) -> Result<Position, Violation> {
    let batch = (0..appends).map(|n| {
        let category = if n % 10 == 9 { "rare" } else { "rule" };
        let mut events = events(100);
        events[42] = event("Answered", n);
        append(&stream_of(category, &format!("{}", n % 3)), ExpectedVersion::Any, events)
    });
    for answer in store.append(batch.collect()).await? {
        answer?;
    }
    Ok(store.head().await?)
}

/// Events of several categories, types and streams, with names that are alike.
async fn motley_log(store: &impl EventStore) -> Result<Vec<RecordedEvent>, Violation> {
    let types =
        ["Opened", "Closed", "opened", "Open", "Op%", "O'pen", "O\"pen", "O\\pen", "é", "e\u{301}", "🦀"];
    let mut batch: Vec<Append> = Vec::new();
    for round in 0..3 {
        for category in ["rule", "Rule", "rule_", "rul", "other"] {
            for key in ["a", "b", "a-b", "é"] {
                let events = types.iter().skip(round).step_by(2).map(|name| event(name, 1)).collect();
                batch.push(append(&stream_of(category, key), ExpectedVersion::Any, events));
            }
        }
    }
    for answer in store.append(batch).await? {
        answer?;
    }
    whole_log(store).await
}

/// Whether each filter finds what [`EventFilter::matches`] says, in pages of any size.
async fn all_filter<F: StoreFactory>(factory: &F, filters: Vec<EventFilter>) -> Verdict {
    let store = factory.make().await;
    let all = motley_log(&store).await?;
    for filter in filters {
        let wanted: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
        for limit in [1, 7, 1000] {
            let found = pages(&store, &filter, limit).await?;
            want_eq!(positions(&found), positions(&wanted), "positions for {filter:?} in pages of {limit}");
            want_eq!(found, wanted, "events for {filter:?} in pages of {limit}");
        }
    }
    Ok(())
}

/// A page begins right after the position that was asked for, and leads to its last event.
pub async fn a_page_begins_after_a_position<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(10))).await??;
    for after in 0..10 {
        let page = page(&store, Position::new(after), &EventFilter::all(), 100).await?;
        let last = page.scanned_to.as_u64();
        want!(last > after, "the page after {after} must have events, as the head is 10");
        want_eq!(positions(&page.events), (after + 1..=last).collect::<Vec<_>>(), "the log after {after}");
    }
    Ok(())
}

/// A page has at most as many events as were asked for, and passes over none.
pub async fn a_page_keeps_its_limit<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(10))).await??;
    for limit in (1..=11).chain([usize::MAX]) {
        let page = page(&store, Position::ZERO, &EventFilter::all(), limit).await?;
        let last = page.scanned_to.as_u64();
        want!((1..=10).contains(&last), "a page of {limit} from the beginning leads to {last}");
        want_eq!(positions(&page.events), (1..=last).collect::<Vec<_>>(), "a page of {limit}");
    }
    Ok(())
}

/// A page of at most no events is empty, and passes over none.
pub async fn a_page_of_no_events_passes_over_none<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    one(&store, append(&stream("a"), ExpectedVersion::Any, events(10))).await??;
    for after in [0, 4, 10] {
        let page = store.read_log(Position::new(after), &EventFilter::all(), 0).await?;
        want_eq!(positions(&page.events), NONE, "the events of a page with limit 0");
        want_eq!(page.scanned_to, Position::new(after), "where a page with limit 0 leads");
    }
    Ok(())
}

/// At the head, and beyond it, a page is empty and leads to where it was asked for.
pub async fn a_page_at_the_head_does_not_move<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    for head in [0, 10] {
        one(&store, append(&stream("a"), ExpectedVersion::Any, events(head))).await??;
        for after in [head, head + 1, head + 1_000_000] {
            for filter in [EventFilter::all(), EventFilter::category("rule"), EventFilter::category("none")]
            {
                let page = store.read_log(Position::new(after), &filter, 100).await?;
                want_eq!(positions(&page.events), NONE, "events after {after} with the head at {head}");
                want_eq!(
                    page.scanned_to,
                    Position::new(after),
                    "where the page leads, with the head at {head}"
                );
            }
        }
    }
    Ok(())
}

/// More than 3,000 events are read page by page without gap or repetition, with pages of any size.
pub async fn a_long_log_is_read_in_pages<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let head = long_log(&store, 35).await?;
    want_eq!(head, Position::new(3500), "the head of the long log");
    for limit in [777, 3499, 3500, 3501] {
        let found = pages(&store, &EventFilter::all(), limit).await?;
        want!(
            positions(&found).into_iter().eq(1..=3500),
            "all pages of {limit} must have each position of the log once, and have {} events",
            found.len()
        );
    }
    Ok(())
}

/// Few events of interest in a long log are all found, in order.
pub async fn rare_events_in_a_long_log_are_found<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    long_log(&store, LONG).await?;
    let answered = EventFilter::all().and_event_types(["Answered"]);
    let wanted: Vec<_> = (0..LONG).map(|n| n * 100 + 43).collect();
    for limit in [7, 239, 240, 241, 50_000] {
        let found = pages(&store, &answered, limit).await?;
        want_eq!(positions(&found), wanted, "the positions of the rare type in pages of {limit}");
    }
    let rare = pages(&store, &EventFilter::category("rare"), 64).await?;
    let wanted: Vec<_> = (0..LONG / 10).flat_map(|n| n * 1000 + 901..=n * 1000 + 1000).collect();
    want_eq!(positions(&rare), wanted, "the positions of the rare category");
    Ok(())
}

/// A filter that matches nothing comes to the head, each page further than the one before, and not beyond.
pub async fn a_filter_that_matches_nothing_reaches_the_head<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let head = long_log(&store, LONG).await?;
    let nothing = [
        EventFilter::category("none"),
        EventFilter::all().and_event_types(["None"]),
        EventFilter::all().and_streams([stream("none")]),
    ];
    for filter in nothing {
        for limit in [1, 500, 50_000] {
            let mut after = Position::ZERO;
            while after < head {
                let page = store.read_log(after, &filter, limit).await?;
                want_eq!(positions(&page.events), NONE, "the events for {filter:?}");
                want!(page.scanned_to > after, "a page after {after} must move on before the head {head}");
                want!(
                    page.scanned_to <= head,
                    "a page leads to {}, beyond the head {head}",
                    page.scanned_to
                );
                after = page.scanned_to;
            }
        }
    }
    Ok(())
}

/// The log is filtered by category: by the whole name, and by any of several.
pub async fn the_log_is_filtered_by_category<F: StoreFactory>(factory: &F) -> Verdict {
    let filters = ["rule", "Rule", "rule_", "rul", "RULE", "other", "none"].map(EventFilter::category);
    all_filter(factory, filters.into()).await?;
    let several = [
        EventFilter::categories_of(["rule", "other"]),
        EventFilter::categories_of(["other", "none", "rul", "other"]),
    ];
    all_filter(factory, several.into()).await
}

/// The log is filtered by event type, over all categories that have a type of that name.
pub async fn the_log_is_filtered_by_event_type<F: StoreFactory>(factory: &F) -> Verdict {
    let lists: [&[&str]; 11] = [
        &["Opened"],
        &["opened"],
        &["Open"],
        &["Op%"],
        &["O'pen"],
        &["O\"pen", "O\\pen"],
        &["é"],
        &["e\u{301}"],
        &["🦀", "Closed", "Closed"],
        &["None"],
        &["Opened", "None", "Closed"],
    ];
    let filters = lists.map(|list| EventFilter::all().and_event_types(list.iter().copied()));
    all_filter(factory, filters.into()).await
}

/// The log is filtered by stream: by the whole name, and by any of several.
pub async fn the_log_is_filtered_by_stream<F: StoreFactory>(factory: &F) -> Verdict {
    let only = |streams: &[(&str, &str)]| {
        let streams = streams.iter().map(|(category, key)| stream_of(category, key));
        EventFilter::all().and_streams(streams)
    };
    let filters = vec![
        only(&[("rule", "a")]),
        only(&[("Rule", "a")]),
        only(&[("rule", "a-b")]),
        only(&[("rule", "é"), ("other", "b"), ("rule_", "a")]),
        only(&[("rule", "none"), ("rule", "b"), ("rule", "b")]),
    ];
    all_filter(factory, filters).await
}

/// Of a filter with several parts, every part must hold: the same type name in another category does not match.
pub async fn all_parts_of_a_filter_must_hold<F: StoreFactory>(factory: &F) -> Verdict {
    let opened = |filter: EventFilter| filter.and_event_types(["Opened", "Closed"]);
    let filters = vec![
        opened(EventFilter::category("rule")),
        opened(EventFilter::categories_of(["rul", "other"])),
        opened(EventFilter::all().and_streams([stream("a"), stream_of("other", "b")])),
        EventFilter::category("rule").and_streams([stream("a"), stream_of("other", "a")]),
        opened(EventFilter::category("rule")).and_streams([stream("a"), stream_of("other", "a")]),
        EventFilter::category("rule").and_streams([stream_of("other", "a")]),
        EventFilter::category("none").and_streams([stream("a")]),
    ];
    all_filter(factory, filters).await
}

/// A filter with an empty list matches nothing, as none of its names can be met.
pub async fn an_empty_list_matches_nothing<F: StoreFactory>(factory: &F) -> Verdict {
    let filters = vec![
        EventFilter::categories_of([]),
        EventFilter::all().and_event_types([]),
        EventFilter::all().and_streams([]),
        EventFilter::category("rule").and_event_types([]),
        EventFilter::categories_of([]).and_event_types(["Opened"]),
    ];
    all_filter(factory, filters).await
}
