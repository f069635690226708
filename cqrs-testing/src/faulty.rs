//! A store that goes wrong, by a plan and a seed.

mod fate;
mod injector;
mod plan;
mod read_model;
mod store;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use injector::Injector;

pub use injector::Injected;
pub use plan::{Fault, FaultRates, Faults, Operation};
pub use read_model::FaultyReadModel;

/// Wraps a store and makes its calls go wrong, to see that an application loses and doubles nothing.
///
/// Calls fail, lose their answers, come late and out of order, and the process dies at any of them: see [`Fault`]
/// and [`FaultRates`]. What goes wrong follows from the seed of [`Faults`]; time is tokio's, so that a paused clock
/// passes over the delays.
///
/// A clone is the same handle. After a crash no call on it ever returns, as in a process that is dead; what is
/// under way in the store inside ends there, unseen. The store lives on, and [`FaultyStore::restart`] makes the
/// handle of the next process.
///
/// ```
/// # use cqrs_core::*;
/// # use cqrs_memory::MemoryStore;
/// # use serde::{Deserialize, Serialize};
/// # use uuid::Uuid;
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
/// use cqrs_testing::{FaultyStore, Faults};
///
/// /// Counts to ten. A command that may have failed is repeated with its id.
/// async fn count_to_ten(app: &App) {
///     for n in 1..=10 {
///         let id = CommandId::new(Uuid::from_u128(n));
///         while app.dispatch(Count("a".to_owned())).command_id(id).await.is_err() {}
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), BoxError> {
/// for seed in 0..20 {
///     let mut store = FaultyStore::new(MemoryStore::new(), Faults::storm(seed));
///     loop {
///         let app = App::builder(store.clone()).start().await?;
///         match store.until_crash(count_to_ten(&app)).await {
///             Some(()) => break,
///             None => store = store.restart(),
///         }
///     }
///     assert_eq!(store.inner().head().await?, Position::new(10), "{}", store.report());
/// }
/// # Ok(())
/// # }
/// ```
pub struct FaultyStore<S> {
    inner: Arc<S>,
    injector: Injector,
}

impl<S> FaultyStore<S> {
    /// Wraps a store.
    pub fn new(inner: S, faults: Faults) -> Self {
        Self { inner: Arc::new(inner), injector: Injector::new(faults) }
    }

    /// The handle of the next process, on the same store. The plan goes on where it is.
    #[must_use = "the handle that crashed stays so"]
    pub fn restart(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), injector: self.injector.restart() }
    }

    /// The handle of the next process, or of another one, on a store that was opened for it. The plan goes on
    /// where it is, and counts the calls of both.
    #[must_use = "the handle that crashed stays so"]
    pub fn restart_on(&self, inner: S) -> Self {
        Self { inner: Arc::new(inner), injector: self.injector.restart() }
    }

    /// A read model whose calls go wrong by the same plan, and that dies when this handle does.
    pub fn read_model<R>(&self, read_model: R) -> FaultyReadModel<R> {
        FaultyReadModel { inner: read_model, injector: self.injector.clone() }
    }

    /// The store inside, where nothing goes wrong.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Makes the next calls of an operation go wrong, in order, before anything of the plan, and in place of what
    /// an earlier call of this has left over.
    pub fn inject(&self, operation: Operation, faults: impl IntoIterator<Item = Fault>) {
        self.injector.inject(operation, faults.into_iter().collect());
    }

    /// Ends the plan, for all handles: from now on nothing goes wrong but what is injected.
    pub fn calm(&self) {
        self.injector.calm();
    }

    /// Whether the process of this handle has died.
    pub fn has_crashed(&self) -> bool {
        self.injector.has_crashed()
    }

    /// Waits until the process of this handle dies.
    pub async fn crashed(&self) {
        self.injector.crashed().await;
    }

    /// Runs a future until it ends, or until the process of this handle dies: then it is dropped, and there is
    /// nothing.
    ///
    /// What the future has spawned, such as an application, is not dropped. It stands still at its next call.
    pub async fn until_crash<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.crashed() => None,
            output = future => Some(output),
        }
    }

    /// The seed of the plan.
    pub fn seed(&self) -> u64 {
        self.injector.plan().seed()
    }

    /// How often an operation was called, over all handles.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.injector.calls(operation)
    }

    /// What was called on all handles and how each call ended, in order, as one number: two runs that come to the
    /// same have gone the same way, as far as the store can tell.
    pub fn fingerprint(&self) -> u64 {
        self.injector.fingerprint()
    }

    /// Ends the process of this handle, wherever it is. From now on no call on it returns.
    pub fn crash(&self) {
        self.injector.crash();
    }

    /// Waits until so many more calls have begun, over all handles.
    pub(crate) async fn after_calls(&self, more: u64) {
        self.injector.after_calls(more).await;
    }

    /// What went wrong so far, in order, over all handles. Delays are not listed.
    pub fn injected(&self) -> Vec<Injected> {
        self.injector.injected()
    }

    /// The seed and what went wrong so far, for the message of a test.
    pub fn report(&self) -> String {
        let injected: Vec<_> = self.injected().iter().map(Injected::to_string).collect();
        format!("faults of seed {}: {}", self.seed(), injected.join(", "))
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), injector: self.injector.clone() }
    }
}

impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("injector", &self.injector).finish_non_exhaustive()
    }
}
