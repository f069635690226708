//! Given, then: tests of a projection.

mod cut;
mod plain;

use std::fmt::{self, Debug, Display};
use std::ops::Range;
use std::panic::Location;

use cqrs_core::{Checkpoint, Event, Position, Projection, ReadModel, StepError, describe};

use super::history::{History, told};
use super::story::Story;
use crate::difference::difference;
use cut::{Cut, cuts};

/// A projection, and the events that it has to answer for.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use async_trait::async_trait;
/// use cqrs_core::{BoxError, Event, Projection, RecordedEvent};
/// use cqrs_testing::ProjectionScenario;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum DoorEvent { Opened, Closed }
///
/// impl Event for DoorEvent { const CATEGORY: &'static str = "door"; }
///
/// /// How often each door was opened.
/// struct Openings;
///
/// #[async_trait]
/// impl Projection for Openings {
///     const NAME: &'static str = "openings";
///     type Event = DoorEvent;
///     type Target = BTreeMap<String, u32>;
///
///     async fn project(
///         &self,
///         event: &RecordedEvent<DoorEvent>,
///         openings: &mut BTreeMap<String, u32>,
///     ) -> Result<(), BoxError> {
///         if let DoorEvent::Opened = event.data {
///             *openings.entry(event.stream.key().to_owned()).or_default() += 1;
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// ProjectionScenario::new(Openings)
///     .in_stream("front")
///     .given([DoorEvent::Opened, DoorEvent::Closed, DoorEvent::Opened])
///     .then_target(BTreeMap::from([("front".to_owned(), 2)]))
///     .await;
/// # }
/// ```
///
/// Nobody knows how many events a projection finds at once. So they are projected one by one, in batches of every
/// size, and in two batches cut at every place, and all must come to the same. The setup runs again before each
/// of the single events, as at a start, and must do no harm.
///
/// Events go through JSON, as with a store, and may be of any category that the projection wants. A value in
/// memory begins as its default; any other read model is passed in with [`ProjectionScenario::on`].
pub struct ProjectionScenario<P> {
    projection: P,
    history: History,
    story: Story,
}

/// A projection on a read model of the test's choice. See [`ProjectionScenario::on`].
#[must_use = "nothing is projected before `.then(…).await`"]
pub struct ReadModelScenario<P, F, L> {
    scenario: ProjectionScenario<P>,
    fresh: F,
    look: L,
}

impl<P: Projection> ProjectionScenario<P> {
    /// Begins where nothing has happened yet.
    pub fn new(projection: P) -> Self {
        Self { projection, history: History::default(), story: Story::default() }
    }

    /// Puts the events that follow into streams with this key. It is `scenario` before.
    #[must_use]
    pub fn in_stream(mut self, key: impl Display) -> Self {
        self.history.stream(&key.to_string());
        self
    }

    /// Adds what has happened, in order. May be called again, for streams and categories that take turns.
    ///
    /// # Panics
    ///
    /// When an event cannot be stored or read, or when its category is none that the projection wants.
    #[track_caller]
    #[must_use]
    pub fn given<E: Event>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        for event in events {
            let recorded = self.history.record::<E, P::Event>(&event, P::NAME).map(told);
            self.story.tell("given", &self.story.get(recorded));
        }
        self
    }

    /// Projects to a read model of the test's choice: `fresh` makes an empty one, each time another; `look` reads
    /// from it what is to be compared.
    pub fn on<R, T, F, L>(self, fresh: F, look: L) -> ReadModelScenario<P, F, L>
    where
        R: ReadModel<Target = P::Target>,
        F: AsyncFn() -> R,
        L: AsyncFn(&R) -> T,
    {
        ReadModelScenario { scenario: self, fresh, look }
    }

    /// Expects the value in memory to be this.
    ///
    /// # Panics
    ///
    /// When it is another, when the projection fails, or when the value depends on how the events are cut into
    /// batches.
    #[track_caller]
    pub fn then_target(self, expected: P::Target) -> impl Future<Output = ()>
    where
        P::Target: Default + Debug + PartialEq,
    {
        let place = Location::caller();
        async move { self.on(plain::fresh, plain::take).expect(place, expected).await }
    }

    /// Lets the test look at the value in memory.
    ///
    /// # Panics
    ///
    /// When the projection fails, or when the value depends on how the events are cut into batches.
    #[track_caller]
    pub fn then(self, look: impl FnOnce(&P::Target)) -> impl Future<Output = ()>
    where
        P::Target: Default + Debug + PartialEq,
    {
        let place = Location::caller();
        async move { look(&self.on(plain::fresh, plain::take).agreed(place).await) }
    }

    /// Expects the projection to fail, with this in what the error or its causes say.
    ///
    /// # Panics
    ///
    /// When it does not fail, fails otherwise, or when that depends on how the events are cut into batches.
    #[track_caller]
    pub fn then_err(self, expected: &str) -> impl Future<Output = ()>
    where
        P::Target: Default + Debug + PartialEq,
    {
        let place = Location::caller();
        async move { self.on(plain::fresh, plain::take).refused(place, expected).await }
    }

    /// Projects the events, cut like this, to an empty read model.
    async fn project<R: ReadModel<Target = P::Target>>(&self, model: &R, cut: &Cut) -> Result<(), String> {
        self.setup(model).await?;
        for batch in &cut.batches {
            if cut.singly {
                self.setup(model).await?;
            }
            self.batch(model, batch.clone(), cut.singly).await?;
        }
        Ok(())
    }

    async fn setup<R: ReadModel<Target = P::Target>>(&self, model: &R) -> Result<(), String> {
        let store = |error: StepError| describe(&error);
        let at = model.checkpoint(P::NAME).await.map_err(|error| describe(&error))?;
        let to = at.unwrap_or(Checkpoint { position: Position::ZERO, version: P::VERSION });
        let mut transaction = model.begin(P::NAME, at).await.map_err(store)?;
        let setup = self.projection.setup(R::target(&mut transaction)).await;
        setup.map_err(|error| format!("the setup failed: {}", describe(&*error)))?;
        model.commit(transaction, to).await.map_err(store)
    }

    async fn batch<R: ReadModel<Target = P::Target>>(
        &self,
        model: &R,
        range: Range<usize>,
        singly: bool,
    ) -> Result<(), String> {
        let events = self.history.read::<P::Event>(range)?;
        let Some(last) = events.last() else { return Ok(()) };
        let from = model.checkpoint(P::NAME).await.map_err(|error| describe(&error))?;
        let mut transaction = model.begin(P::NAME, from).await.map_err(|error| describe(&error))?;
        let target = R::target(&mut transaction);
        let projected = match (singly, &events[..]) {
            (true, [event]) => self.projection.project(event, target).await,
            (_, events) => self.projection.project_batch(events, target).await,
        };
        projected.map_err(|error| describe(&*error))?;
        let to = Checkpoint { position: last.position, version: P::VERSION };
        let committed = model.commit(transaction, to).await;
        committed.map_err(|error| describe(&error))
    }
}

impl<P, R, T, F, L> ReadModelScenario<P, F, L>
where
    P: Projection,
    R: ReadModel<Target = P::Target>,
    T: Debug + PartialEq,
    F: AsyncFn() -> R,
    L: AsyncFn(&R) -> T,
{
    /// Expects the read model to give this.
    ///
    /// # Panics
    ///
    /// When it gives something else, when the projection fails, or when what it gives depends on how the events
    /// are cut into batches.
    #[track_caller]
    pub fn then(self, expected: T) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move { self.expect(place, expected).await }
    }

    /// Expects the projection to fail, with this in what the error or its causes say.
    ///
    /// # Panics
    ///
    /// When it does not fail, fails otherwise, or when that depends on how the events are cut into batches.
    #[track_caller]
    pub fn then_err(self, expected: &str) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move { self.refused(place, expected).await }
    }

    async fn expect(&self, place: &Location<'_>, expected: T) {
        let found = self.agreed(place).await;
        if found != expected {
            let difference = difference(&format!("{expected:#?}"), &format!("{found:#?}"));
            let why = format!("the read model differs (- expected, + projected):\n{difference}");
            self.scenario.story.fail_at(place, &why);
        }
    }

    /// What the read model gives, however the events are cut.
    async fn agreed(&self, place: &Location<'_>) -> T {
        let story = &self.scenario.story;
        let mut first: Option<(String, T)> = None;
        for cut in cuts(self.scenario.history.events.len()) {
            let found = match self.outcome(&cut).await {
                Ok(found) => found,
                Err(error) => story.fail_at(place, &format!("the projection failed, {cut}: {error}")),
            };
            match &first {
                None => first = Some((cut.to_string(), found)),
                Some((_, agreed)) if *agreed == found => {}
                Some((name, agreed)) => {
                    let difference = difference(&format!("{agreed:#?}"), &format!("{found:#?}"));
                    let why =
                        format!("the read model depends on the batches (- {name}, + {cut}):\n{difference}");
                    story.fail_at(place, &why);
                }
            }
        }
        match first {
            Some((_, agreed)) => agreed,
            None => story.fail_at(place, "nothing was projected"),
        }
    }

    async fn refused(&self, place: &Location<'_>, expected: &str) {
        for cut in cuts(self.scenario.history.events.len()) {
            let found = match self.outcome(&cut).await {
                Err(error) if error.contains(expected) => continue,
                Err(error) => format!("but it failed otherwise, {cut}: {error}"),
                Ok(found) => format!("but it did not fail, {cut}, and gives {found:#?}"),
            };
            let why = format!("expected the projection to fail with {expected:?}\n{found}");
            self.scenario.story.fail_at(place, &why);
        }
    }

    async fn outcome(&self, cut: &Cut) -> Result<T, String> {
        let model = (self.fresh)().await;
        self.scenario.project(&model, cut).await?;
        Ok((self.look)(&model).await)
    }
}

impl<P> Debug for ProjectionScenario<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionScenario").field("story", &self.story).finish_non_exhaustive()
    }
}

impl<P, F, L> Debug for ReadModelScenario<P, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let story = &self.scenario.story;
        f.debug_struct("ReadModelScenario").field("story", story).finish_non_exhaustive()
    }
}
