//! What becomes of an event that fails.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, Faults, FaultyStore, Operation};
use tokio::time::Instant;

use crate::common::add;
use crate::probe::{NAME, Pots, Probe, held, once};

async fn store_of(pots: &[&str]) -> MemoryStore {
    let store = MemoryStore::new();
    let app = App::builder(store.clone()).start().await.unwrap();
    for pot in pots {
        app.dispatch(add(pot, 1)).await.unwrap();
    }
    store
}

/// The moments of attempts at an event that always fails.
async fn attempts(
    options: HandlerOptions,
    say: impl Fn(&HandlerFailure) -> Policy + Send + Sync + 'static,
) -> Vec<Duration> {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (noted, began) = (Arc::clone(&moments), Instant::now());
    let probe = Probe::new(move |_| {
        noted.lock().unwrap().push(began.elapsed());
        async { Err("down".into()) }
    });
    let store = store_of(&["a"]).await;
    let app = App::builder(store).event_handler_with(probe.saying(say), options).start().await.unwrap();
    app.settle().await.unwrap();
    let moments = moments.lock().unwrap();
    moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn attempts_come_after_pauses_that_double_with_jitter_up_to_the_longest() {
    let mut options = HandlerOptions::default();
    (options.max_attempts, options.max_retry) = (9, Duration::from_secs(5));
    let pauses = attempts(options, HandlerFailure::retry_or_park).await;
    assert_eq!(pauses.len(), 8);
    for (pause, n) in pauses.iter().zip(0..) {
        let full = Duration::from_millis(100 << n).min(options.max_retry);
        // The timer of the runtime counts in milliseconds.
        assert!(*pause >= full / 2 && *pause <= full + Duration::from_millis(2), "{pause:?} of {full:?}");
    }
    let other = attempts(options, HandlerFailure::retry_or_park).await;
    assert_ne!(pauses, other, "no jitter");
}

#[tokio::test(start_paused = true)]
async fn a_policy_can_name_the_pause() {
    let say = |failure: &HandlerFailure| match failure.attempts {
        1..4 => Policy::RetryAfter(Duration::from_secs(u64::from(failure.attempts) * 60)),
        _ => Policy::Skip,
    };
    let pauses = attempts(once(), say).await;
    assert_eq!(pauses.iter().map(Duration::as_secs).collect::<Vec<_>>(), [60, 120, 180]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_of_which_event_and_why() {
    let store = store_of(&["b", "a"]).await;
    let pots = Pots::of(&["a"]);
    let told = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&told);
    let probe = Probe::failing(&pots).saying(move |failure| {
        let HandlerFailure { part, event_type, stream, key, attempts, max_attempts, error, .. } = failure;
        *noted.lock().unwrap() =
            format!("{part} {event_type} {stream} {key} {attempts} of {max_attempts}: {error}");
        Policy::Skip
    });
    let app = App::builder(store).event_handler(probe).start().await.unwrap();
    app.settle().await.unwrap();
    assert_eq!(*told.lock().unwrap(), "2 Added pot-a pot-a 1 of 10: a is down");
}

#[tokio::test(start_paused = true)]
async fn a_skipped_event_is_passed_and_the_next_of_its_key_is_handled() {
    let store = store_of(&["a", "b", "a"]).await;
    let probe = Probe::new(async |(_, position)| if position == 1 { Err("no".into()) } else { Ok(()) });
    let probe = probe.saying(|_| Policy::Skip);
    let app = App::builder(store.clone()).event_handler(probe.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(probe.of("a"), [3]);
    assert_eq!(held(&store).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_why_and_the_next_start_begins_at_the_event() {
    let store = store_of(&["b", "a", "b"]).await;
    let pots = Pots::of(&["a"]);
    let probe = Probe::failing(&pots).saying(|_| Policy::Stop);
    let app = App::builder(store.clone()).event_handler(probe.clone()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Stopped, "who waits is told at once");
    let stopped = SubscriberState::Stopped { error: Some("a is down".into()) };
    assert_eq!(app.status()[0].state, stopped);
    let done = app.dispatch(add("b", 1)).wait_for([NAME]).await.unwrap();
    assert_eq!(done.consistency, Consistency::Stopped);
    app.shutdown().await;
    assert_eq!(app.status()[0].state, stopped, "the shutdown says nothing new");
    pots.heal();
    let app = App::builder(store).event_handler(probe.clone()).start().await.unwrap();
    app.settle().await.unwrap();
    assert_eq!((probe.of("a"), probe.of("b")), (vec![2], vec![1, 3, 4]));
}

/// The runner fell over a moment that no clock can tell, began anew, and fell again: each delivery was repeated for ever.
#[tokio::test(start_paused = true)]
async fn a_pause_of_any_length_is_one() {
    let store = store_of(&["a"]).await;
    let pots = Pots::of(&["a"]);
    let probe = Probe::failing(&pots).saying(|_| Policy::RetryAfter(Duration::MAX));
    let mut options = HandlerOptions::default();
    (options.commit_every, options.first_retry) = (Duration::MAX, Duration::MAX);
    let app = App::builder(store).event_handler_with(probe.clone(), options).start().await.unwrap();
    for _ in 0..3 {
        let done = app.dispatch(add("b", 1)).await.unwrap();
        probe.until_ended(done.position.as_u64() as usize - 1).await;
    }
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let begun = probe.begun().into_iter().filter(|(pot, _)| pot == "a").count();
    assert_eq!((begun, probe.of("b")), (1, vec![2, 3, 4]));
}

/// A commit that failed once told that it is tried again, and in the end nothing of why the handler had stopped.
#[tokio::test(start_paused = true)]
async fn what_fails_after_a_stop_does_not_hide_why() {
    let store = store_of(&["b", "a", "b"]).await;
    let faulty = FaultyStore::new(store, Faults::default());
    let failing = faulty.clone();
    let probe = Probe::failing(&Pots::of(&["a"])).saying(move |_| {
        failing.inject(Operation::CommitHandler, [Fault::Fail, Fault::Fail]);
        Policy::Stop
    });
    let app = App::builder(faulty).event_handler(probe).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Stopped);
    app.shutdown().await;
    let stopped = SubscriberState::Stopped { error: Some("a is down".into()) };
    assert_eq!(app.status()[0].state, stopped);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_like_others() {
    let store = store_of(&["a", "b"]).await;
    let probe = Probe::new(async |(pot, _)| {
        assert_ne!(pot, "a", "the handler fell into the trap");
        Ok(())
    });
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    let parked = app.parked_events(NAME, EventPart::ZERO, 10).await.unwrap();
    let error = parked[0].last_error.clone().unwrap();
    assert!(error.starts_with("panicked: ") && error.contains("the handler fell into the trap"), "{error}");
    assert_eq!(probe.of("b"), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_over_a_failure_leaves_the_default_policy() {
    let store = store_of(&["a"]).await;
    let probe = Probe::failing(&Pots::of(&["a"])).saying(|_| panic!("the policy fell into the trap"));
    let app = App::builder(store.clone()).event_handler_with(probe, once()).start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(held(&store).await, [("a".to_owned(), 1, 1, ParkedState::Parked)]);
}
