//! Order within a key, and nobody waits for another key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use tokio::sync::Semaphore;

use crate::common::{Touch, add};
use crate::probe::{NAME, Probe, held};

/// Counts of so many pots in turn, each with so many events.
async fn filled(pots: u64, each: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let app = App::builder(store.clone()).start().await.unwrap();
    for n in 0..pots * each {
        app.dispatch(add(&(n % pots).to_string(), 1)).await.unwrap();
    }
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_a_key_are_handled_one_after_the_other_and_those_of_others_meanwhile() {
    let store = filled(40, 25).await;
    let busy = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, most_seen) = (Arc::clone(&busy), Arc::clone(&most));
    let probe = Probe::new(move |(pot, position)| {
        let (busy, most, now) = (Arc::clone(&busy), Arc::clone(&most), Arc::clone(&now));
        async move {
            let others = std::mem::replace(busy.lock().unwrap().entry(pot.clone()).or_default(), 1);
            assert_eq!(others, 0, "two of pot {pot} at a time");
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..position % 7 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            busy.lock().unwrap().insert(pot, 0);
            Ok(())
        }
    });
    let app = App::builder(store).event_handler(probe.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(probe.ended().len(), 1_000, "each event once, when nothing goes wrong");
    assert_eq!(seen.lock().unwrap().len(), 40);
    for pot in 0..40 {
        let found = probe.of(&pot.to_string());
        assert_eq!(found, (0..25).map(|n| n * 40 + pot + 1).collect::<Vec<_>>());
    }
    assert!(most_seen.load(Ordering::SeqCst) > 1, "nothing was handled at the same time");
    app.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_events_than_allowed_are_handled_at_a_time() {
    let store = filled(20, 2).await;
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let probe = Probe::new(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let mut options = HandlerOptions::default();
    options.concurrency = 3;
    let app = App::builder(store).event_handler_with(probe.clone(), options).start().await.unwrap();
    probe.until_begun(3).await;
    // By the paused clock this passes when nobody has anything left to do.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(probe.begun().len(), 3);
    gate.add_permits(100);
    app.settle().await.unwrap();
    assert_eq!(probe.ended().len(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_slow_key_holds_up_nobody_else_however_many_events_it_has() {
    let store = MemoryStore::new();
    let app = App::builder(store.clone()).start().await.unwrap();
    for _ in 0..400 {
        app.dispatch(add("slow", 1)).await.unwrap();
        app.dispatch(add("quick", 1)).await.unwrap();
    }
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let probe = Probe::new(move |(pot, _)| {
        let gate = Arc::clone(&waiting);
        async move {
            if pot == "slow" {
                gate.acquire().await?.forget();
            }
            Ok(())
        }
    });
    let mut options = HandlerOptions::default();
    (options.in_flight, options.partitions) = (64, 4);
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), options).start().await.unwrap();
    probe.until_ended(400).await;
    assert_eq!(probe.of("quick").len(), 400);
    assert_eq!(app.status()[0].position, Position::ZERO, "the slow one is the first");
    gate.add_permits(400);
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(probe.of("slow"), (0..400).map(|n| 2 * n + 1).collect::<Vec<_>>());
    assert_eq!(probe.ended().len(), 800);
    assert_eq!(held(&store).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_tried_again_holds_up_nobody_else() {
    let store = filled(2, 300).await;
    let mut options = HandlerOptions::default();
    (options.in_flight, options.max_attempts) = (32, u32::MAX);
    let pots = crate::probe::Pots::of(&["1"]);
    let probe = Probe::failing(&pots);
    let app = App::builder(store).event_handler_with(probe.clone(), options).start().await.unwrap();
    probe.until_ended(300).await;
    assert_eq!(probe.of("0").len(), 300);
    let mut status = app.watch_status(NAME).unwrap();
    let retrying = |status: &SubscriberStatus| matches!(&status.state, SubscriberState::Retrying { error, .. } if error == "1 is down");
    status.wait_for(retrying).await.unwrap();
    pots.heal();
    app.settle().await.unwrap();
    assert_eq!(probe.of("1"), (1..=300).map(|n| 2 * n).collect::<Vec<_>>());
    status.wait_for(|status| status.state == SubscriberState::Running).await.unwrap();
}

/// Strong consistency of a peer times out when the subscriber's filter passes the command's events over.
#[tokio::test]
async fn events_that_a_handler_does_not_want_are_waited_for_in_vain_by_nobody() {
    #[derive(serde::Serialize, serde::Deserialize)]
    enum Other {}
    impl Event for Other {
        const CATEGORY: &'static str = "other";
    }
    struct Others;
    #[async_trait::async_trait]
    impl EventHandler for Others {
        const NAME: &'static str = "others";
        type Event = Other;
        async fn handle(&self, _: &RecordedEvent<Other>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let store = MemoryStore::new();
    let app = App::builder(store.clone()).event_handler(Others).start().await.unwrap();
    let done = app.dispatch(add("a", 1)).wait_for(["others"]).await.unwrap();
    assert_eq!(done.consistency, Consistency::Reached);
    let checkpoint = store.handler_checkpoint("others").await.unwrap();
    assert_eq!(checkpoint.watermarks, [done.position; 8]);
    let done = app.dispatch(Touch { pot: "a".into() }).wait_for(["others"]).await.unwrap();
    assert_eq!(done.consistency, Consistency::Reached);
}

#[tokio::test(start_paused = true)]
async fn a_caller_waits_until_the_handler_has_done_it_durably() {
    let store = MemoryStore::new();
    let probe = Probe::quick();
    let app = App::builder(store.clone()).event_handler(probe.clone()).start().await.unwrap();
    for n in 1..=20 {
        let done = app.dispatch(add(&(n % 3).to_string(), 1)).wait_for([NAME]).await.unwrap();
        assert_eq!(done.consistency, Consistency::Reached);
        assert_eq!(probe.ended().len(), n);
        let checkpoint = store.handler_checkpoint(NAME).await.unwrap();
        assert!(checkpoint.watermarks.iter().all(|watermark| *watermark >= done.position));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_finishes_what_is_under_way_and_the_next_start_goes_on() {
    let store = filled(1, 3).await;
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let probe = Probe::new(move |_| {
        let gate = Arc::clone(&waiting);
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    });
    let app = App::builder(store.clone()).event_handler(probe.clone()).start().await.unwrap();
    probe.until_begun(1).await;
    let mut shutdown = Box::pin(app.shutdown());
    assert!(futures::poll!(&mut shutdown).is_pending());
    gate.add_permits(1);
    shutdown.await;
    assert_eq!(probe.of("0"), [1]);
    assert_eq!(app.status()[0].state, SubscriberState::Stopped { error: None });
    gate.add_permits(9);
    let app = App::builder(store).event_handler(probe.clone()).start().await.unwrap();
    app.settle().await.unwrap();
    assert_eq!(probe.of("0"), [1, 2, 3]);
}
