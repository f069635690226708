//! The write path: decisions, order, retries, failures.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::*;
use cqrs_core::*;
use cqrs_memory::MemoryStore;
use cqrs_testing::{Fault, FaultRates, Faults, FaultyStore, Operation};
use futures::future::join_all;
use uuid::Uuid;

async fn app(store: &MemoryStore) -> App {
    App::builder(store.clone()).router(router()).start().await.unwrap()
}

async fn faulty() -> (FaultyStore<MemoryStore>, App) {
    let store = FaultyStore::new(MemoryStore::new(), Faults::default());
    let app = App::builder(store.clone()).start().await.unwrap();
    (store, app)
}

fn id() -> CommandId {
    CommandId::new(Uuid::now_v7())
}

#[tokio::test]
async fn an_accepted_command_is_in_the_stream_and_a_refused_one_is_not() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let first = app.dispatch(add("a", 5)).await.unwrap();
    assert_eq!((first.version, first.position, first.events), (Version::new(1), Position::new(1), 1));
    let refused = app.dispatch(add("a", -6)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refused::NotEnough(5)));
    let events = stream(&store, "a").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].data.as_str(), r#"{"pot":"a","amount":5}"#);
}

#[tokio::test]
async fn an_event_names_its_command_and_its_chain() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let root = app.dispatch(add("a", 1)).await.unwrap();
    let chain = CorrelationId::new(Uuid::now_v7());
    app.dispatch(add("a", 1)).correlation_id(chain).metadata("user", "zoë").await.unwrap();
    let events = stream(&store, "a").await;
    assert_eq!(events[0].metadata.causation_id, Some(root.command_id.into()));
    assert_eq!(events[0].metadata.correlation_id, Some(root.command_id.into()));
    assert_eq!(events[0].id, EventId::derive(root.command_id, 0));
    assert_eq!(events[1].metadata.correlation_id, Some(chain));
    assert_eq!(events[1].metadata.extra["user"], "zoë");
}

#[tokio::test]
async fn commands_of_one_aggregate_are_decided_in_order_and_share_commits() {
    let (store, app) = faulty().await;
    let all: Vec<_> = (1..=500).map(|amount| add("hot", amount)).collect();
    let answers = join_all(all.into_iter().map(|command| app.dispatch(command).into_future())).await;
    for (version, answer) in (1..).zip(answers) {
        assert_eq!(answer.unwrap().version, Version::new(version));
    }
    let commits = store.calls(Operation::Append);
    assert!(commits < 50, "500 commands took {commits} commits");
}

/// Deciding beside a large commit keeps the store busy; what fails with that commit is not what was decided beside it.
#[tokio::test(start_paused = true)]
async fn beside_a_large_commit_others_decide_and_do_not_fall_with_it() {
    let mut slow = FaultRates::default();
    (slow.delay, slow.longest_delay) = (1.0, Duration::from_secs(1));
    let faults = Faults::seeded(7).rates_of(Operation::Append, slow);
    let store = FaultyStore::new(MemoryStore::new(), faults);
    let app = App::builder(store.clone()).start().await.unwrap();
    let pots = |of: &str| (0..600).map(|pot| add(&format!("{of}-{pot}"), 1)).collect::<Vec<_>>();
    let dispatch_all = |commands: Vec<Add>, decided: Arc<AtomicUsize>| {
        let app = app.clone();
        tokio::spawn(async move {
            let dispatch = |command| {
                let decided = Arc::clone(&decided);
                app.dispatch(command).state(move |_| decided.fetch_add(1, Ordering::Relaxed)).into_future()
            };
            join_all(commands.into_iter().map(dispatch)).await
        })
    };
    let warm: Vec<_> = pots("in-it").into_iter().chain(pots("beside")).collect();
    dispatch_all(warm, Arc::default()).await.unwrap();
    let (commits, [in_it, beside]) = (store.calls(Operation::Append), [(); 2].map(|()| Arc::default()));
    store.inject(Operation::Append, [Fault::Fail]);
    let failing = dispatch_all(pots("in-it"), Arc::clone(&in_it));
    while store.calls(Operation::Append) == commits {
        tokio::task::yield_now().await;
    }
    let through = dispatch_all(pots("beside"), Arc::clone(&beside));
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let decided = [&in_it, &beside].map(|decided| decided.load(Ordering::Relaxed));
    assert_eq!((decided, failing.is_finished()), ([600, 600], false));
    for answer in failing.await.unwrap() {
        assert!(matches!(answer, Err(DispatchError::Store(_))), "{answer:?}");
    }
    for answer in through.await.unwrap() {
        assert_eq!(answer.unwrap().0.version, Version::new(2));
    }
    assert_eq!(store.calls(Operation::Append), commits + 2);
}

/// A decision may rest on a command that is not committed yet, and must fall with it.
#[tokio::test]
async fn a_rejection_that_was_decided_on_a_lost_commit_is_not_told() {
    let (store, app) = faulty().await;
    app.dispatch(add("a", 5)).await.unwrap();
    store.inject(Operation::Append, [Fault::Fail]);
    let commands = [add("a", -5), add("a", -1)].map(|command| app.dispatch(command).into_future());
    let answers = join_all(commands).await;
    for answer in answers {
        assert!(matches!(answer, Err(DispatchError::Store(_))), "{answer:?}");
    }
    app.dispatch(add("a", -5)).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome_and_the_retry_with_the_id_is_safe() {
    for fault in [Fault::LoseAnswer, Fault::Panic] {
        let (store, app) = faulty().await;
        app.dispatch(add("a", 5)).await.unwrap();
        store.inject(Operation::Append, [fault]);
        let id = id();
        let lost = app.dispatch(add("a", -5)).command_id(id).await.unwrap_err();
        assert!(matches!(lost, DispatchError::OutcomeUnknown { command_id, .. } if command_id == id));
        let again = app.dispatch(add("a", -5)).command_id(id).await.unwrap();
        assert_eq!((again.version, again.duplicate), (Version::new(2), fault == Fault::LoseAnswer));
        assert_eq!(stream(store.inner(), "a").await.len(), 2);
    }
}

#[tokio::test]
async fn a_command_id_takes_effect_once_whether_its_second_decision_is_accepted_refused_or_empty() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let (give, take, touch) = (id(), id(), id());
    for round in 0..3 {
        let given = app.dispatch(add("a", 3)).command_id(give).await.unwrap();
        assert_eq!((given.version, given.events, given.duplicate), (Version::new(1), 1, round > 0));
        let taken = app.dispatch(add("a", -3)).command_id(take).await.unwrap();
        assert_eq!((taken.version, taken.duplicate), (Version::new(2), round > 0));
        let touched = app.dispatch(Touch { pot: "a".into() }).command_id(touch).await.unwrap();
        assert_eq!((touched.events, touched.duplicate), (0, round > 0));
    }
    assert_eq!(stream(&store, "a").await.len(), 2);
    let late = app.dispatch(add("a", 3)).command_id(give).expected_version(Version::ZERO).await;
    assert!(late.unwrap().duplicate, "a receipt comes before the expected version");
}

#[tokio::test]
async fn a_duplicate_in_the_middle_of_a_turn_spoils_nothing() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let twice = id();
    app.dispatch(add("a", 10)).command_id(twice).await.unwrap();
    let answers = join_all([
        app.dispatch(add("a", 1)).into_future(),
        app.dispatch(add("a", 10)).command_id(twice).into_future(),
        app.dispatch(add("a", -15)).into_future(),
        app.dispatch(add("a", -11)).into_future(),
    ])
    .await;
    assert_eq!(answers[0].as_ref().unwrap().version, Version::new(2));
    assert!(answers[1].as_ref().unwrap().duplicate);
    assert_eq!(answers[2].as_ref().unwrap_err().rejection(), Some(&Refused::NotEnough(11)));
    assert_eq!(answers[3].as_ref().unwrap().version, Version::new(3));
}

#[tokio::test]
async fn an_expected_version_is_kept_or_told() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    app.dispatch(add("a", 1)).expected_version(Version::ZERO).await.unwrap();
    let error = app.dispatch(add("a", 1)).expected_version(Version::ZERO).await.unwrap_err();
    assert_eq!(error.to_string(), "conflict: stream pot-a was expected at version 0, found at version 1");
    app.dispatch(add("a", 1)).expected_version(Version::new(1)).await.unwrap();
}

#[tokio::test]
async fn two_applications_on_one_store_decide_again_and_lose_nothing() {
    let store = MemoryStore::new();
    let apps = [app(&store).await, app(&store).await];
    let commands = (0..200).map(|n| apps[n % 2].dispatch(add("a", 1)).into_future());
    for answer in join_all(commands).await {
        answer.unwrap();
    }
    assert_eq!(stream(&store, "a").await.len(), 200);
    let all = apps[0].dispatch(add("a", -200)).await;
    assert_eq!(all.unwrap().version, Version::new(201), "both have seen what the other wrote");
}

/// A live state may have been overtaken by another process. An append would find out by its expected version;
/// a rejection, and a decision to do nothing, have to ask.
#[tokio::test]
async fn a_rejection_does_not_rest_on_a_state_that_another_process_has_overtaken() {
    let store = MemoryStore::new();
    let (one, other) = (app(&store).await, app(&store).await);
    one.dispatch(add("a", 1)).await.unwrap();
    other.dispatch(add("a", 9)).await.unwrap();
    let all = one.dispatch(add("a", -10)).await.unwrap();
    assert_eq!(all.version, Version::new(3));
    let touched = other.dispatch(Touch { pot: "a".into() }).await.unwrap();
    assert_eq!((touched.version, touched.position), (Version::new(3), Position::new(3)));
    let third = other.dispatch(add("a", 1)).expected_version(Version::new(3)).await.unwrap();
    assert_eq!(
        one.dispatch(add("a", -1)).expected_version(third.version).await.unwrap().version,
        Version::new(5)
    );
}

/// Two commands are decided on one live state while another process has written one event. The first finds out
/// by its version; the second one's version is right by then, and what it was decided on never came to be.
#[tokio::test]
async fn a_command_falls_with_the_one_that_it_was_decided_on() {
    let store = MemoryStore::new();
    let (one, other) = (app(&store).await, app(&store).await);
    one.dispatch(add("a", 10)).await.unwrap();
    other.dispatch(add("a", -10)).await.unwrap();
    let (first, second) =
        tokio::join!(one.dispatch(add("a", 1)).into_future(), one.dispatch(add("a", -5)).into_future());
    assert_eq!(first.unwrap().version, Version::new(3));
    assert_eq!(second.unwrap_err().rejection(), Some(&Refused::NotEnough(1)));
}

/// A duplicate was applied to the live state and not to the stream. Once another process has brought the
/// stream to the same version, only the content would differ.
#[tokio::test]
async fn a_state_with_a_duplicate_in_it_is_not_kept() {
    let store = MemoryStore::new();
    let twice = id();
    app(&store).await.dispatch(add("a", 10)).command_id(twice).await.unwrap();
    let (one, other) = (app(&store).await, app(&store).await);
    assert!(one.dispatch(add("a", 10)).command_id(twice).await.unwrap().duplicate);
    other.dispatch(add("a", -10)).await.unwrap();
    let refused = one.dispatch(add("a", -15)).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refused::NotEnough(0)));
}

#[tokio::test]
async fn a_panic_fails_its_command_alone() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let trap = |in_apply| Panic { pot: "a".into(), in_apply };
    let (first, second, third, fourth, fifth) = tokio::join!(
        app.dispatch(add("a", 1)).into_future(),
        app.dispatch(trap(false)).into_future(),
        app.dispatch(add("a", 1)).into_future(),
        app.dispatch(trap(true)).into_future(),
        app.dispatch(add("a", -2)).into_future(),
    );
    assert_eq!(first.unwrap().version, Version::new(1));
    let error = second.unwrap_err();
    assert_eq!(error.to_string(), "deciding the command panicked: handle fell into the trap");
    assert_eq!(third.unwrap().version, Version::new(2));
    let error = fourth.unwrap_err();
    assert_eq!(error.to_string(), "deciding the command panicked: apply fell into the trap");
    assert_eq!(fifth.unwrap().version, Version::new(3));
    let empty = app.dispatch(add("a", -1)).await.unwrap_err();
    assert_eq!(empty.rejection(), Some(&Refused::NotEnough(0)), "what was half applied is gone");
    assert_eq!(stream(&store, "a").await.len(), 3);
}

/// A panic outside `handle` and `apply` must not leave the aggregate without anybody who runs its turns.
#[tokio::test]
async fn an_aggregate_outlives_a_panic_in_its_default() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static BROKEN: AtomicBool = AtomicBool::new(true);
    struct Fragile;
    impl Default for Fragile {
        fn default() -> Self {
            assert!(!BROKEN.load(Ordering::SeqCst), "default fell into the trap");
            Self
        }
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    enum FragileEvent {
        Touched,
    }
    impl Event for FragileEvent {
        const CATEGORY: &'static str = "fragile";
    }
    impl Aggregate for Fragile {
        type Id = String;
        type Event = FragileEvent;

        fn apply(&mut self, _: &FragileEvent) {}
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct TouchIt(String);
    impl Command for TouchIt {
        const NAME: &'static str = "TouchIt";
        type Aggregate = Fragile;

        fn aggregate_id(&self) -> &String {
            &self.0
        }
    }
    impl Handle<TouchIt> for Fragile {
        type Error = std::convert::Infallible;

        fn handle(&self, _: &TouchIt) -> Result<Vec<FragileEvent>, Self::Error> {
            Ok(vec![FragileEvent::Touched])
        }
    }
    let app = app(&MemoryStore::new()).await;
    let error = app.dispatch(TouchIt("a".into())).await.unwrap_err();
    assert!(matches!(error, DispatchError::OutcomeUnknown { .. }), "{error:?}");
    BROKEN.store(false, Ordering::SeqCst);
    assert_eq!(app.dispatch(TouchIt("a".into())).await.unwrap().version, Version::new(1));
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_stop_the_command() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let mut dispatch = app.dispatch(add("a", 1)).into_future();
    assert!(futures::poll!(&mut dispatch).is_pending());
    drop(dispatch);
    store.wait_beyond(Position::ZERO).await.unwrap();
    assert_eq!(stream(&store, "a").await.len(), 1);
}

#[tokio::test]
async fn a_full_application_answers_overloaded_or_lets_wait() {
    let mut options = DispatchOptions::default();
    options.max_in_flight = 1;
    let app = App::builder(MemoryStore::new()).dispatch_options(options).start().await.unwrap();
    let mut first = app.dispatch(add("a", 1)).into_future();
    assert!(futures::poll!(&mut first).is_pending());
    let second = app.try_dispatch(add("a", 1)).await;
    assert!(matches!(second, Err(DispatchError::Overloaded { limit: 1 })), "{second:?}");
    let (first, third) = tokio::join!(first, app.dispatch(add("a", 1)).into_future());
    assert_eq!((first.unwrap().version, third.unwrap().version), (Version::new(1), Version::new(2)));
}

#[tokio::test]
async fn shutdown_finishes_what_was_accepted_and_refuses_the_rest() {
    let store = MemoryStore::new();
    let app = app(&store).await;
    let mut accepted: Vec<_> =
        (0..100).map(|n| app.dispatch(add(&n.to_string(), 1)).into_future()).collect();
    for dispatch in &mut accepted {
        assert!(futures::poll!(dispatch).is_pending());
    }
    app.shutdown().await;
    for answer in join_all(accepted).await {
        answer.unwrap();
    }
    let late = app.dispatch(add("late", 1)).await;
    assert!(matches!(late, Err(DispatchError::ShuttingDown)), "{late:?}");
    app.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_before_the_commit_says_that_the_outcome_is_open() {
    let mut options = DispatchOptions::default();
    options.max_in_flight = 1;
    let app = App::builder(MemoryStore::new()).dispatch_options(options).start().await.unwrap();
    let mut first = app.dispatch(add("a", 1)).into_future();
    assert!(futures::poll!(&mut first).is_pending());
    let id = id();
    let second = app.dispatch(add("a", 1)).command_id(id).timeout(Duration::ZERO).await;
    assert!(
        matches!(second, Err(DispatchError::TimedOut { command_id }) if command_id == id),
        "{second:?}"
    );
}

#[tokio::test]
async fn by_name_a_command_is_decided_like_any_other() {
    let app = app(&MemoryStore::new()).await;
    let by_name = |name: &str, json: &str| BoxCommand::new(name, Json::parse(json).unwrap());
    app.dispatch(by_name("Add", r#"{"pot":"a","amount":2}"#)).await.unwrap();
    let refused = app.dispatch(by_name("Add", r#"{"pot":"a","amount":-3}"#)).await.unwrap_err();
    assert_eq!(refused.to_string(), "the pot has 2");
    let unknown = app.dispatch(by_name("Steal", "{}")).await.unwrap_err();
    let says = "no route for a command named \"Steal\"; routed are: Add, Arrive, GiveBack, Move";
    assert_eq!(unknown.to_string(), says);
    let malformed = app.dispatch(by_name("Add", r#"{"pot":7}"#)).await.unwrap_err();
    assert!(matches!(malformed, DispatchError::Malformed { .. }), "{malformed:?}");
}

#[tokio::test]
async fn an_id_that_is_no_stream_key_is_refused_before_anything_else() {
    let app = app(&MemoryStore::new()).await;
    for pot in ["", "a\nb", &"x".repeat(600)] {
        let error = app.dispatch(add(pot, 1)).await.unwrap_err();
        assert!(matches!(error, DispatchError::Invalid(_)), "{error:?}");
    }
}

/// Reading a stream fails for those who wait for it, and for nobody who comes later.
#[tokio::test]
async fn a_stream_that_cannot_be_read_fails_those_who_wait_and_is_read_again() {
    let (store, app) = faulty().await;
    store.inject(Operation::ReadStream, [Fault::Fail]);
    let all =
        join_all([app.dispatch(add("a", 1)), app.dispatch(add("a", 2))].map(IntoFuture::into_future)).await;
    assert!(all.iter().all(|one| matches!(one, Err(DispatchError::Store(_)))), "{all:?}");
    assert_eq!(app.dispatch(add("a", 3)).await.unwrap().version, Version::new(1));
}

/// Whoever was accepted before the end is answered, whatever the store does meanwhile.
#[tokio::test]
async fn shutdown_under_load_on_a_failing_store_answers_everybody() {
    let (store, app) = faulty().await;
    app.dispatch(add("pot 0", 1)).await.unwrap();
    store.inject(Operation::Append, [Fault::Fail, Fault::LoseAnswer, Fault::Panic]);
    let clients = (0..400).map(|number| {
        let app = app.clone();
        tokio::spawn(async move { app.dispatch(add(&format!("pot {}", number % 20), 1)).await })
    });
    let clients: Vec<_> = clients.collect();
    tokio::task::yield_now().await;
    app.shutdown().await;
    let (mut accepted, mut refused) = (1, 0);
    for client in clients {
        match client.await.unwrap() {
            Ok(_) => accepted += 1,
            Err(DispatchError::ShuttingDown) => refused += 1,
            Err(DispatchError::Store(_) | DispatchError::OutcomeUnknown { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused < 400, "some were accepted before the end");
    let log = store.inner().read_log(Position::ZERO, &EventFilter::all(), 1_000).await.unwrap();
    assert!(log.events.len() >= accepted, "what was acknowledged is there");
}
