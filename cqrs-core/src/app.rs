//! The application: everything together, from start to shutdown.

mod builder;
mod look;
mod parked;
mod processes;
mod rebuild;
mod registration;
mod wait;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use builder::{AppBuilder, StartError};
pub use processes::{ProcessError, ProcessHandle};
use rebuild::Rebuilder;
pub use rebuild::{Rebuild, RebuildError};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
pub(crate) use wait::Wait;

use crate::dispatch::Dispatcher;
use crate::process::ErasedProcess;
use crate::{Dispatch, Dispatchable, Router, Store, SubscriberStatus};

/// A running application. Cheap to clone; every clone is the same application.
///
/// When the last clone is dropped without [`App::shutdown`], its background work ends in its own time.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let balances = InMemory::default();
/// let app = App::builder(MemoryStore::new()).projection(Balances, balances.clone()).start().await?;
/// app.dispatch(deposit("me", 5)).strong().await?;
/// assert_eq!(balances.read(|balances| balances["me"]).await, 5);
/// for subscriber in app.status() {
///     println!("{}: {:?}, {} behind", subscriber.name, subscriber.state, subscriber.lag());
/// }
/// app.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    dispatcher: Dispatcher,
    router: Arc<Router>,
    subscribers: Vec<watch::Receiver<SubscriberStatus>>,
    rebuilders: HashMap<&'static str, Rebuilder>,
    processes: Vec<Arc<dyn ErasedProcess>>,
    /// Tells the outbox of new tasks.
    wake: Arc<Notify>,
    /// Tells when tasks of the outbox were done.
    progress: Arc<Notify>,
    /// Tells event handlers that parked events were marked.
    marks: watch::Sender<u64>,
    /// Becomes true when the instances that were stuck at the start have been retried.
    mended: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Who ends the application, and what has not ended yet.
    ending: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// From start to shutdown, and commands in between.
impl App {
    /// Begins an application on a store.
    pub fn builder(store: impl Store) -> AppBuilder {
        AppBuilder::new(Arc::new(store))
    }

    /// Dispatches a command: await what is returned. While as many commands are under way as the options
    /// allow, it waits.
    pub fn dispatch<T: Dispatchable>(&self, command: T) -> Dispatch<'_, T> {
        Dispatch::new(self, command, true)
    }

    /// Dispatches a command, or fails at once with [`DispatchError::Overloaded`](crate::DispatchError::Overloaded)
    /// where [`App::dispatch`] would wait.
    pub fn try_dispatch<T: Dispatchable>(&self, command: T) -> Dispatch<'_, T> {
        Dispatch::new(self, command, false)
    }

    /// The store that the application runs on.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The commands that are known by name.
    pub fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn dispatcher(&self) -> &Dispatcher {
        &self.0.dispatcher
    }

    /// Ends the application: refuses new commands, finishes those under way, lets each subscriber finish
    /// its batch, or what it has under way, and closes the store.
    ///
    /// Tasks of process managers that are not done yet wait in the store for the next start.
    pub async fn shutdown(&self) {
        self.0.dispatcher.drain().await;
        self.0.stop.send_replace(true);
        // Whoever comes second, or again after he was cut off, waits for the same.
        let mut ending = self.0.ending.lock().await;
        ending.append(&mut self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(task) = ending.last_mut() {
            // A task that panicked has ended too, and has said so in its status.
            let _ = task.await;
            ending.pop();
        }
        self.0.store.close().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("router", &self.0.router).field("subscribers", &self.status()).finish()
    }
}
