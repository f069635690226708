//! Whatever goes wrong, whenever: each event is handled at least once, and in order within its key.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{FaultRates, Faults, FaultyStore, for_seeds};
use futures::future::join_all;

use crate::common::add;
use crate::probe::{NAME, Pots, Probe, held};

const SEEDS: u64 = 200;
const EVENTS: u64 = 120;
const POTS: u64 = 7;

/// A storm, with more crashes from seed to seed.
fn storm(seed: u64) -> Faults {
    let mut rates = FaultRates::default();
    (rates.fail, rates.lose_answer, rates.crash) = (0.05, 0.05, 0.01 * (seed % 8) as f64);
    (rates.delay, rates.longest_delay, rates.reorder) = (0.2, Duration::from_millis(40), 0.3);
    Faults::seeded(seed).rates(rates)
}

/// Fails now and then, by position and attempt, and takes its time now and then.
fn moody(seed: u64) -> Probe {
    let tries = Arc::new(Mutex::new(BTreeMap::new()));
    Probe::new(move |(_, position)| {
        let attempt =
            *tries.lock().unwrap().entry(position).and_modify(|tries| *tries += 1).or_insert(1_u64);
        let mood = (position * 31 + attempt * 17 + seed * 13) % 11;
        async move {
            tokio::time::sleep(Duration::from_millis([0, 0, 1, 30, 1_500][(mood % 5) as usize])).await;
            if mood < 3 { Err("not in the mood".into()) } else { Ok(()) }
        }
    })
}

fn options(seed: u64) -> HandlerOptions {
    let mut options = HandlerOptions::default();
    (options.in_flight, options.partitions) = ([4, 16, 512][(seed % 3) as usize], 1 + (seed % 4) as usize);
    (options.concurrency, options.max_attempts) = ([2, 32][(seed % 2) as usize], u32::MAX);
    options
}

/// Runs applications on one store until all events are handled.
async fn live(seed: u64, applications: usize) {
    let store = MemoryStore::new();
    let writer = App::builder(store.clone()).start().await.unwrap();
    let faulty = FaultyStore::new(store.clone(), storm(seed));
    let probes: Vec<_> = (0..applications).map(|_| moody(seed)).collect();
    let runs = probes.iter().map(async |probe| {
        let mut handle = faulty.restart();
        loop {
            let lived = handle.until_crash(async {
                let builder = App::builder(handle.clone()).event_handler_with(
                    probe.of_process({
                        let handle = handle.clone();
                        move || handle.has_crashed()
                    }),
                    options(seed),
                );
                let Ok(app) = builder.start().await else { return false };
                store.wait_beyond(Position::new(EVENTS - 1)).await.unwrap();
                while app.settle().await.ok() != Some(Consistency::Reached) {
                    assert!(!matches!(app.status()[0].state, SubscriberState::Stopped { .. }));
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                app.shutdown().await;
                true
            });
            match lived.await {
                Some(true) => return,
                Some(false) => {}
                None => handle = handle.restart(),
            }
        }
    });
    let writes = async {
        for n in 0..EVENTS {
            writer.dispatch(add(&(n * n % POTS).to_string(), 1)).await.unwrap();
            if n % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    };
    futures::join!(writes, join_all(runs));
    let report = faulty.report();
    let log = store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await.unwrap();
    check(&probes, &log.events, &report);
    assert_eq!(held(&store).await, [], "{report}");
}

/// Each event was handled, and whoever handled it had handled all those before it of its key, or knew that
/// somebody had: where a handler goes back it repeats what follows, in order.
fn check(probes: &[Probe], log: &[RecordedEvent], report: &str) {
    let of = |event: &RecordedEvent| (event.stream.key().to_owned(), event.position.as_u64());
    for event in log {
        let seen = probes.iter().any(|probe| probe.ended().contains(&of(event)));
        assert!(seen, "position {} was skipped; {report}", event.position);
    }
    for pot in 0..POTS {
        let pot = pot.to_string();
        let all: Vec<_> = log.iter().map(of).filter(|(of, _)| *of == pot).map(|(_, at)| at).collect();
        for probe in probes.iter().filter(|_| probes.len() == 1) {
            let mut next = 0;
            for position in probe.of(&pot) {
                let index = all.iter().position(|at| *at == position).unwrap();
                assert!(index <= next, "position {position} of pot {pot} came too early; {report}");
                next = index + 1;
            }
            assert_eq!(next, all.len(), "the last one handled of pot {pot} is not the last; {report}");
        }
    }
}

fn seeds(applications: usize) {
    for_seeds(SEEDS, async |seed| {
        let lived = tokio::time::timeout(Duration::from_secs(36_000), live(seed, applications)).await;
        assert!(lived.is_ok(), "somebody waits for ever");
    });
}

#[test]
fn in_a_storm_nothing_is_skipped_and_each_key_is_in_order() {
    seeds(1);
}

#[test]
fn in_a_storm_two_applications_skip_nothing() {
    seeds(2);
}

/// What was recorded is never ahead of what was handled, at any moment of a storm.
#[test]
fn a_watermark_is_never_ahead_of_an_event_that_was_not_delivered() {
    for_seeds(SEEDS / 4, async |seed| {
        let store = MemoryStore::new();
        let writer = App::builder(store.clone()).start().await.unwrap();
        for n in 0..EVENTS {
            writer.dispatch(add(&(n % POTS).to_string(), 1)).await.unwrap();
        }
        let faulty = FaultyStore::new(store.clone(), storm(seed));
        let pots = Pots::of(&["3"]);
        let failing = Probe::failing(&pots);
        let app = loop {
            let mut options = options(seed);
            options.max_attempts = 2;
            let handle = faulty.restart();
            let builder = App::builder(handle.clone()).event_handler_with(failing.clone(), options);
            if let Some(Ok(app)) = handle.until_crash(builder.start()).await {
                break app;
            }
        };
        let mut before = HandlerCheckpoint::default();
        for _ in 0..200 {
            let checkpoint = store.handler_checkpoint(NAME).await.unwrap();
            let held = held(&store).await;
            let low = checkpoint.watermarks.iter().min().copied().unwrap_or_default().as_u64();
            for position in 1..=low {
                let pot = ((position - 1) % POTS).to_string();
                let handled = failing.of(&pot).contains(&position);
                let parked = held.iter().any(|(_, at, ..)| *at == position);
                assert!(handled || parked, "watermark {low} is ahead of {position}; {}", faulty.report());
            }
            for (was, is) in before.watermarks.iter().zip(&checkpoint.watermarks) {
                assert!(was <= is, "a watermark went back; {}", faulty.report());
            }
            before = checkpoint;
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        drop(app);
    });
}
