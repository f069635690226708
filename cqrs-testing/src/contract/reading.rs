//! Reading one stream.

use cqrs_core::{Direction, EventStore, ExpectedVersion, StreamId, StreamRead, Version};

use super::build::{append, events, one, stream, stream_of};
use super::look::{of_stream, versions};
use super::violation::want_eq;
use super::{StoreFactory, Verdict, Violation};

/// A stream of 10 events that lie apart in the log.
async fn ten_events(store: &impl EventStore) -> Result<StreamId, Violation> {
    for count in [3, 1, 4, 2] {
        one(store, append(&stream("a"), ExpectedVersion::Any, events(count))).await??;
        one(store, append(&stream("b"), ExpectedVersion::Any, events(count))).await??;
    }
    Ok(stream("a"))
}

/// No versions.
const NONE: Vec<u64> = Vec::new();

/// The versions that a read finds.
async fn found(
    store: &impl EventStore,
    stream: &StreamId,
    read: StreamRead,
) -> Result<Vec<u64>, Violation> {
    Ok(versions(&store.read_stream(stream, read).await?))
}

/// Forward, a page has the events from a version on, from old to new.
pub async fn a_stream_is_read_forward<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    for from in 1..=10 {
        let read = StreamRead::forward(Version::new(from), 100);
        want_eq!(
            found(&store, &stream, read).await?,
            (from..=10).collect::<Vec<_>>(),
            "forward from {from}"
        );
    }
    Ok(())
}

/// Backward, a page has the events from a version down, from new to old.
pub async fn a_stream_is_read_backward<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    for from in 1..=10 {
        let read = StreamRead::backward(Version::new(from), 100);
        let wanted: Vec<_> = (1..=from).rev().collect();
        want_eq!(found(&store, &stream, read).await?, wanted, "backward from {from}");
    }
    Ok(())
}

/// Both ways, page follows page without gap or repetition.
pub async fn a_stream_is_read_in_pages<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    for limit in 1..=11 {
        let (mut forward, mut from) = (Vec::new(), 1);
        while from <= 10 {
            let page = found(&store, &stream, StreamRead::forward(Version::new(from), limit)).await?;
            want_eq!(page.len(), limit.min(11 - from as usize), "events in a page of {limit} from {from}");
            from += page.len() as u64;
            forward.extend(page);
        }
        want_eq!(forward, (1..=10).collect::<Vec<_>>(), "all pages of {limit} forward");
        let (mut backward, mut from) = (Vec::new(), 10);
        while from > 0 {
            let page = found(&store, &stream, StreamRead::backward(Version::new(from), limit)).await?;
            want_eq!(page.len(), limit.min(from as usize), "events in a page of {limit} back from {from}");
            from -= page.len() as u64;
            backward.extend(page);
        }
        want_eq!(backward, (1..=10).rev().collect::<Vec<_>>(), "all pages of {limit} backward");
    }
    Ok(())
}

/// A page of at most no events is empty.
pub async fn a_page_of_no_events_is_empty<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    for direction in [Direction::Forward, Direction::Backward] {
        let read = StreamRead { direction, from: Version::new(5), limit: 0 };
        want_eq!(found(&store, &stream, read).await?, NONE, "{direction:?} with limit 0");
    }
    Ok(())
}

/// Beyond its end a stream reads forward as empty, and backward as a whole.
pub async fn beyond_its_end_a_stream_is_whole_backward_only<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    for from in [11, 12, 1_000_000, u64::MAX] {
        let from = Version::new(from);
        want_eq!(
            found(&store, &stream, StreamRead::forward(from, 100)).await?,
            NONE,
            "forward from {from}"
        );
        let backward = found(&store, &stream, StreamRead::backward(from, 3)).await?;
        want_eq!(backward, vec![10, 9, 8], "backward from {from}");
        let backward = found(&store, &stream, StreamRead::backward(from, usize::MAX)).await?;
        want_eq!(backward.len(), 10, "events backward from {from} without a limit");
    }
    Ok(())
}

/// From version zero a stream reads forward as a whole, and backward as empty.
pub async fn from_zero_a_stream_is_whole_forward_only<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let stream = ten_events(&store).await?;
    let forward = found(&store, &stream, StreamRead::forward(Version::ZERO, 4)).await?;
    want_eq!(forward, vec![1, 2, 3, 4], "forward from 0");
    let forward = found(&store, &stream, StreamRead::forward(Version::ZERO, usize::MAX)).await?;
    want_eq!(forward.len(), 10, "events forward from 0 without a limit");
    let backward = found(&store, &stream, StreamRead::backward(Version::ZERO, 100)).await?;
    want_eq!(backward, NONE, "backward from 0");
    Ok(())
}

/// A missing stream reads as empty, both ways.
pub async fn a_missing_stream_reads_as_empty<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    ten_events(&store).await?;
    for direction in [Direction::Forward, Direction::Backward] {
        for from in [0, 1, 5, u64::MAX] {
            let read = StreamRead { direction, from: Version::new(from), limit: 100 };
            want_eq!(found(&store, &stream("missing"), read).await?, NONE, "{direction:?} from {from}");
        }
    }
    Ok(())
}

/// Streams never mix, however alike their names are.
pub async fn streams_with_like_names_never_mix<F: StoreFactory>(factory: &F) -> Verdict {
    let store = factory.make().await;
    let keys = [
        "a",
        "A",
        "a-",
        "a-b",
        "a/b",
        "a_b",
        "a%b",
        "a*b",
        "aa",
        "ab",
        "-a",
        "-",
        " a",
        "a ",
        "a'b",
        "a\"b",
        "a\\b",
        "a.b",
        "a:b",
        "1",
        "01",
        "1.0",
        "é",
        "e\u{301}",
        "É",
        "🦀",
        "🦀🦀",
        "ß",
        "SS",
        "ﬁ",
        "fi",
        "\u{feff}a",
        "{}",
        "null",
    ];
    let mut streams: Vec<_> = keys.iter().map(|key| stream(key)).collect();
    streams.extend(["Rule", "rule_", "rule_a", "rul", "rule1"].map(|category| stream_of(category, "a")));
    for (n, stream) in streams.iter().enumerate() {
        one(&store, append(stream, ExpectedVersion::NoStream, events(n as u64 + 1))).await??;
    }
    for (n, stream) in streams.iter().enumerate() {
        let found = of_stream(&store, stream).await?;
        want_eq!(
            versions(&found),
            (1..=n as u64 + 1).collect::<Vec<_>>(),
            "the versions of stream {stream}"
        );
        for event in found {
            want_eq!(event.stream, *stream, "the stream of an event in stream {stream}");
        }
    }
    Ok(())
}
