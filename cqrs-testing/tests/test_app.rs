//! An application in a test: time is the test's, and nothing sleeps.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::{
    Aggregate, App, AppBuilder, BoxError, Clock, Command, CommandId, Event, Failure, Handle, IdSource,
    Interest, Outgoing, ProcessManager, Projection, RecordedEvent, Recovery, Router, Timestamp,
};
use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{ManualClock, SeededIds, TestApp};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Serialize, Deserialize)]
enum BellEvent {
    Wound { bell: String, rings: u32 },
    Rung { bell: String },
}

impl Event for BellEvent {
    const CATEGORY: &'static str = "bell";
}

/// A bell that refuses its first three rings.
#[derive(Default)]
struct Bell;

static REFUSED: AtomicU32 = AtomicU32::new(0);

impl Aggregate for Bell {
    type Id = String;
    type Event = BellEvent;

    fn apply(&mut self, _: &BellEvent) {}
}

macro_rules! command {
    ($name:ident { $($field:ident: $type:ty),* } -> $error:ty, $decide:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name { bell: String, $($field: $type),* }

        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Bell;

            fn aggregate_id(&self) -> &String {
                &self.bell
            }
        }

        impl Handle<$name> for Bell {
            type Error = $error;

            fn handle(&self, command: &$name) -> Result<Vec<BellEvent>, $error> {
                $decide(command)
            }
        }
    };
}

#[derive(Debug, thiserror::Error)]
#[error("the bell is stuck")]
struct Stuck;

command!(Wind { rings: u32 } -> Infallible, |wind: &Wind| {
    Ok(vec![BellEvent::Wound { bell: wind.bell.clone(), rings: wind.rings }])
});
command!(Ring {} -> Stuck, |ring: &Ring| match ring.bell == "stuck" && REFUSED.fetch_add(1, Ordering::SeqCst) < 3 {
    true => Err(Stuck),
    false => Ok(vec![BellEvent::Rung { bell: ring.bell.clone() }]),
});

fn wind(bell: &str, rings: u32) -> Wind {
    Wind { bell: bell.to_owned(), rings }
}

/// Rings every hour, as often as the bell was wound.
#[derive(Default, Serialize, Deserialize)]
struct Clockwork {
    bell: String,
    left: u32,
}

impl ProcessManager for Clockwork {
    const NAME: &'static str = "clockwork";
    type Event = BellEvent;

    fn interested(event: &BellEvent) -> Interest {
        match event {
            BellEvent::Wound { bell, .. } => Interest::start(bell),
            BellEvent::Rung { bell } => Interest::continue_(bell),
        }
    }

    fn handle(&self, event: &RecordedEvent<BellEvent>) -> Vec<Outgoing> {
        match event.data {
            BellEvent::Wound { .. } => vec![Outgoing::deadline("hour", HOUR)],
            BellEvent::Rung { .. } if self.left > 1 => vec![Outgoing::deadline("hour", HOUR)],
            BellEvent::Rung { .. } => Vec::new(),
        }
    }

    fn apply(&mut self, event: &BellEvent) {
        match event {
            BellEvent::Wound { bell, rings } => (self.bell, self.left) = (bell.clone(), *rings),
            BellEvent::Rung { .. } => self.left -= 1,
        }
    }

    fn deadline(&self, _: &str) -> Vec<Outgoing> {
        vec![Outgoing::command(Ring { bell: self.bell.clone() })]
    }

    fn failed(&self, _: &Failure) -> Recovery {
        Recovery::Retry { after: HOUR / 4 }
    }
}

/// When each ring was.
struct Rings;

#[async_trait]
impl Projection for Rings {
    const NAME: &'static str = "rings";
    type Event = BellEvent;
    type Target = Vec<(String, Timestamp)>;

    async fn project(
        &self,
        event: &RecordedEvent<BellEvent>,
        rings: &mut Vec<(String, Timestamp)>,
    ) -> Result<(), BoxError> {
        match &event.data {
            BellEvent::Wound { bell, .. } if bell == "cursed" => return Err("the bell is cursed".into()),
            BellEvent::Wound { .. } => {}
            BellEvent::Rung { bell } => rings.push((bell.clone(), event.recorded_at)),
        }
        Ok(())
    }
}

type Model = InMemory<Vec<(String, Timestamp)>>;

fn bells(store: &MemoryStore, model: &Model) -> AppBuilder {
    App::builder(store.clone())
        .router(Router::new().route::<Ring>())
        .process_manager::<Clockwork>()
        .projection(Rings, model.clone())
}

/// How many minutes after the beginning each ring was.
async fn minutes(model: &Model) -> Vec<u64> {
    let begin = ManualClock::new().now();
    model.read(|rings| rings.iter().map(|(_, at)| at.since(begin).as_secs() / 60).collect()).await
}

/// Tokio's paused clock moves as soon as nobody has anything to do but to wait for it: whoever slept would move it.
#[tokio::test(start_paused = true)]
async fn time_passes_from_one_deadline_to_the_next_and_nothing_sleeps() {
    let begin = tokio::time::Instant::now();
    let model = Model::default();
    let app = TestApp::start(bells(&MemoryStore::new(), &model)).await;
    app.dispatch(wind("tower", 3)).await.unwrap();
    app.settled().await;
    app.advance(HOUR - Duration::from_secs(1)).await;
    assert_eq!(minutes(&model).await, [0_u64; 0]);
    app.advance(Duration::from_secs(1)).await;
    assert_eq!(minutes(&model).await, [60]);
    app.advance(HOUR * 24).await;
    assert_eq!(minutes(&model).await, [60, 120, 180], "each at its hour, though all were passed at once");
    assert_eq!(app.clock().now(), ManualClock::new().now().plus(HOUR * 25));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_refused_command_is_tried_again_when_the_clock_says_so() {
    let begin = tokio::time::Instant::now();
    let model = Model::default();
    let app = TestApp::start(bells(&MemoryStore::new(), &model)).await;
    app.dispatch(wind("stuck", 1)).await.unwrap();
    app.advance(HOUR).await;
    app.clock().advance(HOUR / 4);
    app.settled().await;
    assert_eq!(minutes(&model).await, [0_u64; 0]);
    app.advance(HOUR).await;
    assert_eq!(minutes(&model).await, [105], "an hour, and three quarters");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn what_the_store_has_is_read_by_type_and_json() {
    let model = Model::default();
    let app = TestApp::start(bells(&MemoryStore::new(), &model)).await;
    for bell in ["tower", "gate"] {
        app.dispatch(wind(bell, 1)).await.unwrap();
    }
    app.advance(HOUR).await;
    let wound = |bell: &str| ("Wound", json!({ "rings": 1, "bell": bell }));
    let rung = |bell: &str| ("Rung", json!({ "bell": bell }));
    assert_eq!(app.stream("bell-tower").await, [wound("tower"), rung("tower")]);
    assert_eq!(app.stream("bell-none").await, [] as [(&str, serde_json::Value); 0]);
    let log = app.log().await;
    assert_eq!(log.len(), 4);
    assert_eq!(
        log[..2],
        [("bell-tower", "Wound", wound("tower").1), ("bell-gate", "Wound", wound("gate").1)]
    );
    assert_ne!(log[0], wound("gate"));
    assert_ne!(log[0], ("Rung", wound("tower").1));
    assert_ne!(log[0], ("bell-tower", "Rung", wound("tower").1));
    assert_ne!(log[0], ("bell-gate", "Wound", wound("tower").1));
    assert_eq!(format!("{:?}", log[0]), r#"("bell-tower", "Wound", {"bell":"tower","rings":1})"#);
}

#[tokio::test]
async fn all_pages_of_a_long_stream_are_read() {
    let app = TestApp::start(App::builder(MemoryStore::new())).await;
    let all = (0..2_001).map(|rings| app.dispatch(wind("tower", rings)).into_future());
    futures::future::join_all(all).await;
    assert_eq!((app.stream("bell-tower").await.len(), app.log().await.len()), (2_001, 2_001));
}

#[tokio::test]
async fn what_was_left_undone_is_done_after_a_restart_with_the_same_clock() {
    let (store, clock, ids) = (MemoryStore::new(), ManualClock::new(), SeededIds::new(7));
    let first = TestApp::start_with(bells(&store, &Model::default()), &clock, &ids).await;
    first.dispatch(wind("tower", 1)).await.unwrap();
    first.settled().await;
    first.shutdown().await;
    clock.advance(HOUR * 2);
    let model = Model::default();
    let second = TestApp::start_with(bells(&store, &model), &clock, &ids).await;
    second.settled().await;
    assert_eq!(minutes(&model).await, [120], "late, since nobody was there");
}

/// What an application that does not settle says, without the place that it names.
async fn says<T>(waiting: impl Future<Output = T>) -> String {
    let Err(panic) = AssertUnwindSafe(waiting).catch_unwind().await else { panic!("it did not fail") };
    let said = *panic.downcast::<String>().unwrap();
    let (place, rest) = said.strip_prefix("the application at ").unwrap().split_once(' ').unwrap();
    assert!(place.contains("test_app.rs:"), "{place}");
    rest.to_owned()
}

#[tokio::test]
async fn a_subscriber_that_fails_is_told_and_not_waited_for() {
    let app = TestApp::start(bells(&MemoryStore::new(), &Model::default())).await;
    app.dispatch(wind("cursed", 1)).await.unwrap();
    assert_eq!(says(app.settled()).await, r#"does not settle: "rings" fails: the bell is cursed"#);
    assert!(says(app.advance(HOUR)).await.starts_with("does not settle"));
}

#[tokio::test]
async fn an_application_that_has_ended_or_does_not_start_says_so() {
    let app = TestApp::start(bells(&MemoryStore::new(), &Model::default())).await;
    app.shutdown().await;
    assert_eq!(says(app.settled()).await, "does not settle: the store is closed");
    assert_eq!(says(app.log()).await, "cannot be read: the store is closed");
    assert!(says(app.stream("bell")).await.starts_with("cannot be read: stream id \"bell\" has no `-`"));
    let twice = App::builder(MemoryStore::new()).router(Router::new().route::<Ring>().route::<Ring>());
    let said = says(TestApp::start(twice)).await;
    assert_eq!(said, r#"does not start: the command name "Ring" is routed twice"#);
}

#[tokio::test]
async fn ids_are_the_same_in_each_run_and_never_twice() {
    let run = || async {
        let store = MemoryStore::new();
        let app = TestApp::start(bells(&store, &Model::default())).await;
        let first = app.dispatch(wind("tower", 1)).await.unwrap().command_id;
        [first, app.dispatch(wind("gate", 1)).await.unwrap().command_id]
    };
    let [one, other] = run().await;
    assert_eq!(run().await, [one, other]);
    let all = |seed| {
        let ids = SeededIds::new(seed);
        (0..1_000).map(move |_| CommandId::new(ids.clone().next_id()))
    };
    let mut ids: Vec<_> = all(1).chain(all(2)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2_000);
    // Their events have ids of their own, which differ from theirs in the last four bytes.
    let numbers: Vec<u128> = all(1).map(|id| id.as_uuid().as_u128() >> 80).collect();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    assert_eq!(one.as_uuid().get_version_num(), 8);
}

#[tokio::test]
async fn a_clock_is_waited_for_and_can_be_put_anywhere() {
    let clock = ManualClock::new();
    assert_eq!(clock.now().to_string(), "2000-01-01T00:00:00.000000Z");
    let moment = clock.now().plus(HOUR);
    clock.wait_until(clock.now()).await;
    let mut waiting = Box::pin(clock.wait_until(moment));
    assert!(futures::poll!(&mut waiting).is_pending());
    clock.advance(HOUR / 2);
    assert!(futures::poll!(&mut waiting).is_pending());
    Arc::new(clock.clone()).set(moment);
    waiting.await;
    clock.set(Timestamp::from_micros(0));
    assert_eq!(clock.now(), Timestamp::from_micros(0));
}
