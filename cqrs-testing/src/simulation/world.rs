//! What a simulation is about.

use cqrs_core::{App, AppBuilder, Store};

use super::{Rest, Step};
use crate::FaultyStore;

/// What a [`Simulation`](super::Simulation) is about: an application, what its clients want, and what must hold in
/// the end.
///
/// One value is one seed's world; it outlives all processes in it. Whatever is to survive a crash is a field of it: the
/// store, read models, and what clients have been told. All of it runs on one thread, so that a
/// [`RefCell`](std::cell::RefCell) will do.
///
/// ```
/// # use cqrs_core::{Aggregate, Command, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # enum CounterEvent { Counted }
/// # impl Event for CounterEvent { const CATEGORY: &'static str = "counter"; }
/// # #[derive(Default)]
/// # struct Counter;
/// # impl Aggregate for Counter {
/// #     type Id = String;
/// #     type Event = CounterEvent;
/// #     fn apply(&mut self, _: &CounterEvent) {}
/// # }
/// # #[derive(Serialize, Deserialize)]
/// # struct Count(String);
/// # impl Command for Count {
/// #     const NAME: &'static str = "Count";
/// #     type Aggregate = Counter;
/// #     fn aggregate_id(&self) -> &String { &self.0 }
/// # }
/// # impl Handle<Count> for Counter {
/// #     type Error = std::convert::Infallible;
/// #     fn handle(&self, _: &Count) -> Result<Vec<CounterEvent>, Self::Error> {
/// #         Ok(vec![CounterEvent::Counted])
/// #     }
/// # }
/// use std::cell::Cell;
///
/// use cqrs_core::{App, AppBuilder};
/// use cqrs_memory::MemoryStore;
/// use cqrs_testing::{FaultyStore, Rest, Simulation, Step, World};
///
/// /// Clients who count, and who know how far they have counted.
/// #[derive(Default)]
/// struct Counters {
///     store: MemoryStore,
///     counted: Cell<usize>,
/// }
///
/// impl World for Counters {
///     type Store = MemoryStore;
///
///     fn store(&self) -> MemoryStore {
///         self.store.clone()
///     }
///
///     fn app(&self, store: &FaultyStore<MemoryStore>) -> AppBuilder {
///         App::builder(store.clone())
///     }
///
///     async fn step(&self, app: &App, step: &Step<'_>) {
///         let counter = ["a", "b"][step.below(2) as usize];
///         let counted = step.dispatch(|| app.dispatch(Count(counter.to_owned()))).await;
///         self.counted.set(self.counted.get() + usize::from(counted.is_ok()));
///     }
///
///     async fn check(&self, rest: &Rest<'_, MemoryStore>) {
///         assert_eq!(rest.events::<CounterEvent>().len(), self.counted.get());
///     }
/// }
///
/// let simulated = Simulation::new(|_seed| Counters::default()).run(10);
/// assert_eq!(simulated.commands, 10 * 3 * 5);
/// ```
pub trait World {
    /// The store inside, which keeps its promises.
    type Store: Store;

    /// The store. It is asked for once.
    fn store(&self) -> Self::Store;

    /// Puts the application of one process together, on a handle of the store that goes wrong.
    ///
    /// Read models are wrapped with [`FaultyStore::read_model`]. Clock and ids are set by the simulation.
    fn app(&self, store: &FaultyStore<Self::Store>) -> AppBuilder;

    /// Does what a client does in one step, and returns when the client has its answers.
    ///
    /// When the process dies in the middle of it, it is dropped, and begun anew in the next process. Decisions are
    /// drawn from the [`Step`], which draws the same again, and commands are dispatched with [`Step::dispatch`], which
    /// gives them the same ids again.
    fn step(&self, app: &App, step: &Step<'_>) -> impl Future<Output = ()>;

    /// Looks whether all is as it must be, once everything has come to rest.
    ///
    /// What holds for every application was looked at before: see [`Simulation`](super::Simulation).
    fn check(&self, rest: &Rest<'_, Self::Store>) -> impl Future<Output = ()>;

    /// How many tasks must be parked in the end, since a process manager gave them up. None, as it is.
    fn parked(&self) -> u64 {
        0
    }
}
