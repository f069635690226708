//! Parked events, and what operators do with them.

use cqrs_core::*;
use cqrs_memory::MemoryStore;

use crate::common::add;
use crate::probe::{NAME, Pots, Probe, held, once};

use ParkedState::{Parked, Waiting};

/// An application whose handler has parked pot `a`, of which there are the positions 1, 3 and 5; `b` has 2 and 4.
async fn parked() -> (MemoryStore, Pots, Probe, App) {
    let store = MemoryStore::new();
    let pots = Pots::of(&["a"]);
    let probe = Probe::failing(&pots);
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    for pot in ["a", "b", "a", "b", "a"] {
        app.dispatch(add(pot, 1)).wait_for([NAME]).await.unwrap();
    }
    (store, pots, probe, app)
}

fn row(position: u64, attempts: u32, state: ParkedState) -> (String, u64, u32, ParkedState) {
    ("a".to_owned(), position, attempts, state)
}

/// Waits until the store holds nothing back, by what the handler does next for somebody who waits for it.
async fn until_free(store: &MemoryStore, probe: &Probe, of_a: usize) {
    while probe.of("a").len() < of_a || !held(store).await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_is_parked_with_the_later_ones_of_its_key_and_the_others_go_on() {
    let (store, _, probe, app) = parked().await;
    assert_eq!(held(&store).await, [row(1, 1, Parked), row(3, 0, Waiting), row(5, 0, Waiting)]);
    assert_eq!((probe.of("a"), probe.of("b")), (vec![], vec![2, 4]));
    let page = app.parked_events(NAME, EventPart::ZERO, 2).await.unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(page[0].last_error.as_deref(), Some("a is down"));
    assert_eq!((page[0].key.as_str(), page[1].last_error.as_deref()), ("pot-a", None));
    let log = store.read_log(Position::ZERO, &EventFilter::all(), 1).await.unwrap().events;
    assert_eq!(page[0].event, log[0].id);
    let rest = app.parked_events(NAME, page[1].part, 2).await.unwrap();
    assert_eq!(rest.iter().map(|event| event.part.position.as_u64()).collect::<Vec<_>>(), [5]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_delivers_the_events_of_the_key_in_order_and_then_as_before() {
    for set in [
        ParkedSet::All,
        ParkedSet::Key("pot-a".into()),
        ParkedSet::Event(Position::new(1).into()),
        ParkedSet::Event(Position::new(5).into()),
    ] {
        let (store, pots, probe, app) = parked().await;
        pots.heal();
        assert_eq!(app.retry_parked(NAME, &set).await.unwrap(), 1, "{set:?}");
        until_free(&store, &probe, 3).await;
        assert_eq!(probe.of("a"), [1, 3, 5]);
        app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
        assert_eq!(probe.of("a"), [1, 3, 5, 6]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_fails_parks_again_at_the_head_of_the_key() {
    let (store, pots, probe, app) = parked().await;
    for attempts in 2..5 {
        app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
        while held(&store).await[0] != row(1, attempts, Parked) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(held(&store).await[1..], [row(3, 0, Waiting), row(5, 0, Waiting)]);
    }
    pots.heal();
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    until_free(&store, &probe, 3).await;
    assert_eq!(probe.of("a"), [1, 3, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_has_all_its_attempts_again() {
    let store = MemoryStore::new();
    let pots = Pots::of(&["a"]);
    let mut options = once();
    options.max_attempts = 3;
    let probe = Probe::failing(&pots);
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), options).start().await.unwrap();
    app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    assert_eq!(probe.begun().len(), 3);
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    probe.until_begun(6).await;
    while held(&store).await[0] != row(1, 6, Parked) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(probe.begun().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_event_is_never_handled_and_those_behind_it_go_on() {
    let (store, pots, probe, app) = parked().await;
    pots.heal();
    assert_eq!(app.drop_parked(NAME, &ParkedSet::Event(Position::new(1).into())).await.unwrap(), 1);
    until_free(&store, &probe, 2).await;
    assert_eq!(probe.of("a"), [3, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_event_behind_another_leaves_that_one_parked() {
    let (store, pots, probe, app) = parked().await;
    app.drop_parked(NAME, &ParkedSet::Event(Position::new(3).into())).await.unwrap();
    while held(&store).await.len() > 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(held(&store).await, [row(1, 1, Parked), row(5, 0, Waiting)]);
    pots.heal();
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    until_free(&store, &probe, 2).await;
    assert_eq!(probe.of("a"), [1, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_dropped_as_a_whole_is_free_again() {
    let (store, pots, probe, app) = parked().await;
    pots.heal();
    assert_eq!(app.drop_parked(NAME, &ParkedSet::Key("pot-a".into())).await.unwrap(), 3);
    until_free(&store, &probe, 0).await;
    app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    assert_eq!(probe.of("a"), [6]);
}

#[tokio::test(start_paused = true)]
async fn an_event_between_two_attempts_can_be_dropped() {
    let store = MemoryStore::new();
    let probe = Probe::failing(&Pots::of(&["a"]));
    let probe = probe.saying(|_| Policy::RetryAfter(std::time::Duration::from_secs(3_600)));
    let app = App::builder(store.clone()).event_handler(probe.clone()).start().await.unwrap();
    app.dispatch(add("a", 1)).await.unwrap();
    while held(&store).await != [row(1, 1, Waiting)] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    app.drop_parked(NAME, &ParkedSet::All).await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    assert_eq!(held(&store).await, []);
    assert_eq!(app.status()[0].state, SubscriberState::Running);
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_is_parked_after_a_restart_and_what_an_operator_wants_is_done_then() {
    let (store, pots, probe, app) = parked().await;
    app.shutdown().await;
    let before = held(&store).await;
    pots.heal();
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    assert_eq!(held(&store).await[..3], before);
    assert_eq!(held(&store).await[3], row(6, 0, Waiting));
    app.shutdown().await;
    let operator = App::builder(store.clone()).start().await.unwrap();
    operator.retry_parked(NAME, &ParkedSet::Key("pot-a".into())).await.unwrap();
    assert!(probe.of("a").is_empty(), "nobody runs the handler");
    let _app = App::builder(store.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    until_free(&store, &probe, 4).await;
    assert_eq!(probe.of("a"), [1, 3, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_operator_in_another_process_is_heard() {
    let (store, pots, probe, _app) = parked().await;
    pots.heal();
    let operator = App::builder(store.clone()).start().await.unwrap();
    operator.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    until_free(&store, &probe, 3).await;
    assert_eq!(probe.of("a"), [1, 3, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_long_parked_key_is_delivered_in_order_page_by_page_while_more_comes() {
    let store = MemoryStore::new();
    let pots = Pots::of(&["a"]);
    let probe = Probe::failing(&pots);
    let app = App::builder(store.clone()).event_handler_with(probe.clone(), once()).start().await.unwrap();
    for _ in 0..100 {
        app.dispatch(add("a", 1)).wait_for([NAME]).await.unwrap();
    }
    pots.heal();
    app.retry_parked(NAME, &ParkedSet::All).await.unwrap();
    for _ in 0..100 {
        app.dispatch(add("a", 1)).await.unwrap();
    }
    until_free(&store, &probe, 200).await;
    assert_eq!(probe.of("a"), (1..=200).collect::<Vec<_>>());
}
