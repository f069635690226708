//! Where a handler begins, and goes on.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use tokio::sync::Semaphore;

use crate::common::add;
use crate::probe::{NAME, Pots, Probe, held, once};

async fn some(store: &MemoryStore, count: u64) {
    let app = App::builder(store.clone()).start().await.unwrap();
    for n in 0..count {
        app.dispatch(add(&(n % 5).to_string(), 1)).await.unwrap();
    }
}

fn from(start: StartFrom) -> HandlerOptions {
    let mut options = HandlerOptions::default();
    options.start = start;
    options
}

/// The positions that a handler sees in one life.
async fn life(store: &MemoryStore, options: HandlerOptions) -> Vec<u64> {
    let probe = Probe::quick();
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), options).start().await.unwrap();
    app.settle().await.unwrap();
    app.shutdown().await;
    let mut seen: Vec<_> = probe.ended().into_iter().map(|(_, position)| position).collect();
    seen.sort_unstable();
    seen
}

#[tokio::test]
async fn a_handler_begins_at_the_origin_after_a_position_or_now() {
    for (start, wanted) in [
        (StartFrom::Origin, vec![1, 2, 3, 4, 5, 6]),
        (StartFrom::Position(Position::new(4)), vec![5, 6]),
        (StartFrom::Now, vec![]),
    ] {
        let store = MemoryStore::new();
        some(&store, 6).await;
        assert_eq!(life(&store, from(start)).await, wanted);
        some(&store, 2).await;
        assert_eq!(life(&store, from(start)).await, [7, 8], "it goes on where it was");
        assert!(
            life(&store, from(StartFrom::Origin)).await.is_empty(),
            "it has run, and does not begin anew"
        );
    }
}

#[tokio::test]
async fn now_is_the_first_start_also_when_nothing_was_handled_before_a_crash() {
    let store = MemoryStore::new();
    some(&store, 3).await;
    let faulty = FaultyStore::new(store.clone(), Faults::default());
    let builder = App::builder(faulty.clone()).event_handler_with(Probe::quick(), from(StartFrom::Now));
    // It dies before it has read anything.
    faulty.inject(Operation::ReadLog, [Fault::CrashBefore]);
    let _app = builder.start().await.unwrap();
    faulty.crashed().await;
    some(&store, 2).await;
    assert_eq!(life(&store, from(StartFrom::Now)).await, [4, 5]);
}

#[tokio::test]
async fn a_store_that_cannot_say_where_to_begin_keeps_the_application_from_starting() {
    let faulty = FaultyStore::new(MemoryStore::new(), Faults::default());
    faulty.inject(Operation::CommitHandler, [Fault::Fail]);
    let refused = App::builder(faulty).event_handler(Probe::quick()).start().await.unwrap_err();
    assert_eq!(refused.to_string(), "subscriber \"probe\" could not begin");
}

#[tokio::test]
async fn other_partitions_go_on_without_skipping_and_after_a_shutdown_without_repeating() {
    let store = MemoryStore::new();
    for (partitions, round) in [8, 3, 1, 16, 0].into_iter().zip(0..) {
        some(&store, 20).await;
        let mut options = HandlerOptions::default();
        options.partitions = partitions;
        let wanted: Vec<_> = (round * 20 + 1..=round * 20 + 20).collect();
        assert_eq!(life(&store, options).await, wanted, "with {partitions} partitions");
        let checkpoint = store.handler_checkpoint(NAME).await.unwrap();
        assert_eq!(checkpoint.watermarks.len(), partitions.max(1));
    }
}

/// With partitions at different places, those that were further repeat, and none skips.
#[tokio::test]
async fn other_partitions_begin_at_the_lowest_of_the_old() {
    let store = MemoryStore::new();
    some(&store, 6).await;
    let checkpoint = HandlerCheckpoint {
        revision: 1,
        read_to: Position::new(6),
        watermarks: vec![Position::new(2), Position::new(5)],
    };
    let step = HandlerStep { handler: NAME.into(), checkpoint, parked: Vec::new(), released: Vec::new() };
    store.commit_handler(step).await.unwrap();
    let mut options = HandlerOptions::default();
    options.partitions = 3;
    assert_eq!(life(&store, options).await, [3, 4, 5, 6]);
}

/// One of them works, and the other one knows what was done.
#[tokio::test(start_paused = true)]
async fn two_applications_with_one_handler_skip_nothing() {
    let store = MemoryStore::new();
    let pots = Pots::of(&["3"]);
    let probes = [Probe::failing(&pots), Probe::failing(&pots)];
    let mut apps = Vec::new();
    for probe in &probes {
        let builder = App::builder(store.clone()).event_handler_with(probe.clone(), once());
        apps.push(builder.start().await.unwrap());
    }
    some(&store, 50).await;
    for app in &apps {
        assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    }
    for position in 1..=50 {
        let pot = ((position - 1) % 5).to_string();
        let seen = probes.iter().any(|probe| probe.of(&pot).contains(&position));
        let parked = held(&store).await.iter().any(|(_, parked, ..)| *parked == position);
        assert!(seen != parked, "position {position}: handled {seen}, parked {parked}");
    }
}

/// What waited in memory was taken for handled when its new key was that of a parked event.
#[tokio::test(start_paused = true)]
async fn a_key_of_a_later_release_that_has_parked_events_skips_none_that_waited_in_memory() {
    let store = MemoryStore::new();
    let pots = Pots::of(&["b"]);
    let gate = Arc::new(Semaphore::new(0));
    let (failing, waiting) = (pots.clone(), Arc::clone(&gate));
    let probe = Probe::new(move |(pot, _)| {
        let (fails, gate) = (failing.has(&pot), Arc::clone(&waiting));
        async move {
            if pot == "a" {
                gate.acquire().await?.forget();
            }
            if fails { Err("down".into()) } else { Ok(()) }
        }
    });
    let mut options = once();
    options.partitions = 1;
    let start = |probe: Probe| App::builder(store.clone()).event_handler_with(probe, options).start();
    let app = start(probe.clone()).await.unwrap();
    for pot in ["a", "b", "a", "a"] {
        app.dispatch(add(pot, 1)).await.unwrap();
    }
    while held(&store).await.is_empty() || probe.begun().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The first event of `a` is finished in order, the others wait.
    let mut shutdown = Box::pin(app.shutdown());
    assert!(futures::poll!(&mut shutdown).is_pending());
    gate.add_permits(1);
    shutdown.await;
    assert_eq!((probe.of("a"), held(&store).await.len()), (vec![1], 1));
    gate.add_permits(9);
    pots.heal();
    let app = start(probe.keyed(|_| "pot-b".into())).await.unwrap();
    app.settle().await.unwrap();
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    let all = tokio::time::timeout(Duration::from_secs(60), probe.until_ended(4));
    assert!(all.await.is_ok(), "only {:?} was handled", probe.ended());
    assert_eq!((probe.of("a"), probe.of("b")), (vec![1, 3, 4], vec![2]));
}

/// Peers drop what they cannot read.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_holds_the_handler_up_by_its_name_and_what_was_before_is_handled() {
    let store = MemoryStore::new();
    some(&store, 2).await;
    let event = NewEvent {
        id: EventId::new(uuid::Uuid::now_v7()),
        event_type: "Melted".into(),
        data: Json::parse("{}").unwrap(),
        metadata: Metadata::default(),
    };
    let stream = StreamId::new("pot", "z").unwrap();
    let write = StreamWrite { stream, expected: ExpectedVersion::NoStream, events: vec![event] };
    let recorded_at = Timestamp::from_micros(0);
    let append = Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false };
    store.append(vec![append]).await.unwrap().remove(0).unwrap();
    some(&store, 1).await;
    let probe = Probe::quick();
    let app = App::builder(store).event_handler(probe.clone()).start().await.unwrap();
    let error = crate::common::failure(&app, NAME).await;
    assert!(error.starts_with("event \"Melted\" at version 1 of stream pot-z (position 3)"), "{error}");
    let mut status = app.watch_status(NAME).unwrap();
    status.wait_for(|status| status.position == Position::new(2)).await.unwrap();
    assert_eq!(probe.ended().len(), 2);
}
