//! A whole application in a test, with a clock that the test moves.

mod clock;
mod ids;
mod stored;

use std::error::Error;
use std::fmt::{self, Debug};
use std::ops::Deref;
use std::panic::Location;
use std::time::Duration;

use cqrs_core::{
    App, AppBuilder, Clock, Consistency, EventFilter, Position, StreamId, StreamRead, SubscriberState,
    SubscriberStatus, Timestamp, Version, describe,
};
use futures::FutureExt;
use futures::future::{pending, select_all};
use tokio::sync::watch;

pub(crate) use clock::BEGINNING;
pub use clock::ManualClock;
pub use ids::SeededIds;
pub use stored::Stored;

/// An [`App`] for a test: time stands until the test moves it, ids are the same in each run, and what the store
/// has is read in one call.
///
/// ```
/// # use cqrs_core::{Aggregate, Command, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # enum DoorEvent { Opened { by: String } }
/// # impl Event for DoorEvent { const CATEGORY: &'static str = "door"; }
/// # #[derive(Default)]
/// # struct Door;
/// # impl Aggregate for Door {
/// #     type Id = String;
/// #     type Event = DoorEvent;
/// #     fn apply(&mut self, _: &DoorEvent) {}
/// # }
/// # #[derive(Serialize, Deserialize)]
/// # struct Open { door: String, by: String }
/// # impl Command for Open {
/// #     const NAME: &'static str = "Open";
/// #     type Aggregate = Door;
/// #     fn aggregate_id(&self) -> &String { &self.door }
/// # }
/// # impl Handle<Open> for Door {
/// #     type Error = std::convert::Infallible;
/// #     fn handle(&self, open: &Open) -> Result<Vec<DoorEvent>, Self::Error> {
/// #         Ok(vec![DoorEvent::Opened { by: open.by.clone() }])
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cqrs_core::BoxError> {
/// use cqrs_core::App;
/// use cqrs_memory::MemoryStore;
/// use cqrs_testing::TestApp;
/// use serde_json::json;
///
/// let app = TestApp::start(App::builder(MemoryStore::new())).await;
/// app.dispatch(Open { door: "front".to_owned(), by: "me".to_owned() }).await?;
/// app.settled().await;
/// assert_eq!(app.stream("door-front").await, [("Opened", json!({ "by": "me" }))]);
/// # Ok(())
/// # }
/// ```
///
/// It is an [`App`], too, and dereferences to it. Nothing in it sleeps: deadlines, delays and the retries of process
/// managers' commands are waited for by its [`ManualClock`], and [`TestApp::settled`] waits for what is done. Only
/// what fails for a technical reason makes a pause, which is real: use tokio's paused clock in such a test.
pub struct TestApp {
    app: App,
    clock: ManualClock,
}

impl TestApp {
    /// Starts an application with a new clock and new ids.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    pub fn start(builder: AppBuilder) -> impl Future<Output = Self> {
        Self::start_with(builder, &ManualClock::new(), &SeededIds::new(1))
    }

    /// Starts an application with a clock and ids of the test's own: where a store has been in use before, those
    /// that it was in use with.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    pub fn start_with(
        builder: AppBuilder,
        clock: &ManualClock,
        ids: &SeededIds,
    ) -> impl Future<Output = Self> + use<> {
        let place = Location::caller();
        let clock = clock.clone();
        let starting = builder.clock(clock.clone()).ids(ids.clone()).start();
        async move {
            match starting.await {
                Ok(app) => Self { app, clock },
                Err(error) => panic!("the application at {place} does not start: {}", describe(&error)),
            }
        }
    }

    /// The application's clock.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Waits until everything that can be done by now is done: projections and process managers are at the head of
    /// the log, and no task is due.
    ///
    /// Where a test makes something fail on purpose and wants it to be tried again, it waits with [`App::settle`].
    ///
    /// # Panics
    ///
    /// When a subscriber fails or has ended, with what it says.
    #[track_caller]
    pub fn settled(&self) -> impl Future<Output = ()> {
        self.settled_at(Location::caller())
    }

    /// Lets time pass, from one due task to the next, and settles before each step and after the last.
    ///
    /// # Panics
    ///
    /// As [`TestApp::settled`].
    #[track_caller]
    pub fn advance(&self, by: Duration) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let end = self.clock.now().plus(by);
            self.settled_at(place).await;
            while let Some(next) = self.next_due(place).await.filter(|next| *next < end) {
                self.clock.set(next);
                self.settled_at(place).await;
            }
            self.clock.set(end);
            self.settled_at(place).await;
        }
    }

    /// The events of a stream, such as `account-me`, in order; none when there is no such stream.
    ///
    /// # Panics
    ///
    /// When the name is none of a stream, or the store cannot be read.
    #[track_caller]
    pub fn stream(&self, stream: &str) -> impl Future<Output = Vec<Stored>> {
        let place = Location::caller();
        async move {
            let stream: StreamId = read(place, stream.parse());
            let mut all: Vec<Stored> = Vec::new();
            loop {
                let from = Version::new(all.len() as u64 + 1);
                let page = self.app.store().read_stream(&stream, StreamRead::forward(from, PAGE)).await;
                let page = read(place, page);
                if page.is_empty() {
                    return all;
                }
                all.extend(page.into_iter().map(Stored::of));
            }
        }
    }

    /// The events of all streams, in order.
    ///
    /// # Panics
    ///
    /// When the store cannot be read.
    #[track_caller]
    pub fn log(&self) -> impl Future<Output = Vec<Stored>> {
        let place = Location::caller();
        async move {
            let (mut all, mut at) = (Vec::new(), Position::ZERO);
            loop {
                let page = read(place, self.app.store().read_log(at, &EventFilter::all(), PAGE).await);
                if page.scanned_to == at {
                    return all;
                }
                at = page.scanned_to;
                all.extend(page.events.into_iter().map(Stored::of));
            }
        }
    }

    async fn settled_at(&self, place: &Location<'_>) {
        let why = tokio::select! {
            biased;
            why = self.failure() => why,
            settled = self.app.settle() => match settled {
                Ok(Consistency::Reached) => return,
                Ok(_) => "a subscriber has ended".to_owned(),
                Err(error) => describe(&error),
            },
        };
        panic!("the application at {place} does not settle: {why}");
    }

    /// Waits until a subscriber fails, and tells with what.
    async fn failure(&self) -> String {
        let subscribers =
            self.app.status().into_iter().filter_map(|status| self.app.watch_status(status.name));
        let failures: Vec<_> = subscribers.map(|status| first_failure(status).boxed()).collect();
        match failures.is_empty() {
            true => pending().await,
            false => select_all(failures).await.0,
        }
    }

    async fn next_due(&self, place: &Location<'_>) -> Option<Timestamp> {
        read(place, self.app.store().next_due(self.clock.now()).await)
    }
}

/// How many events are read at a time.
const PAGE: usize = 1_000;

async fn first_failure(mut status: watch::Receiver<SubscriberStatus>) -> String {
    let failing = |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { .. });
    let failed = status.wait_for(failing).await.ok().map(|status| status.clone());
    match failed {
        Some(SubscriberStatus { name, state: SubscriberState::Retrying { error, .. }, .. }) => {
            format!("{name:?} fails: {error}")
        }
        // The application has ended, which is not for this to tell.
        _ => pending().await,
    }
}

fn read<T, E: Error + 'static>(place: &Location<'_>, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the application at {place} cannot be read: {}", describe(&error)))
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("app", &self.app).field("clock", &self.clock).finish()
    }
}
