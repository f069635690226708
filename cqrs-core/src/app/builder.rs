//! Putting an application together.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::{Notify, watch};

use super::rebuild::Rebuilder;
use super::registration::{Made, Registration, Surroundings};
use super::{App, Inner};
use crate::dispatch::Dispatcher;
use crate::handler::{Around, HandlerRunner, begin, stands};
use crate::process::{ErasedProcess, Outbox, ProcessWorker, mend_all};
use crate::subscribe::{Halt, ProjectionWorker, Reporter};
use crate::{
    BoxError, Clock, DispatchOptions, EventHandler, HandlerOptions, IdSource, Middleware, ProcessManager,
    ProcessOptions, Projection, RandomIds, ReadModel, Router, Store, SubscribeOptions, SubscriberKind,
    SubscriberState, SystemClock,
};

/// An application in the making. See [`App::builder`].
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let mut subscribe = SubscribeOptions::default();
/// subscribe.batch_events = 500;
/// let app = App::builder(MemoryStore::new())
///     .router(Router::new().route::<Deposit>().route::<Withdraw>())
///     .projection(Balances, InMemory::default())
///     .subscribe_options(subscribe)
///     .middleware(LogCommands)
///     .start()
///     .await?;
/// # app.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[must_use = "an application runs after `.start().await`"]
pub struct AppBuilder {
    store: Arc<dyn Store>,
    router: Router,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    dispatch: DispatchOptions,
    subscribe: SubscribeOptions,
    process: ProcessOptions,
    middleware: Vec<Arc<dyn Middleware>>,
    subscribers: Vec<Registration>,
}

/// Why an application does not start. Nothing of it runs then.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let twice = App::builder(MemoryStore::new())
///     .projection(Balances, InMemory::default())
///     .projection(Balances, InMemory::default())
///     .start()
///     .await;
/// assert!(matches!(twice, Err(StartError::NamedTwice("balances"))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two commands have one name.
    #[error("the command name {0:?} is routed twice")]
    RoutedTwice(&'static str),
    /// Two subscribers have one name, and so would share a checkpoint.
    #[error("two subscribers are named {0:?}")]
    NamedTwice(&'static str),
    /// A projection could not make its tables.
    #[error("projection {projection:?} could not be set up")]
    Setup {
        /// The projection.
        projection: &'static str,
        /// Why.
        source: BoxError,
    },
    /// A newer version of a projection has made its read model.
    #[error(
        "the read model of projection {projection:?} is of version {stored}; this program has version {known}"
    )]
    Newer {
        /// The projection.
        projection: &'static str,
        /// The version that has made the read model.
        stored: u32,
        /// The version of this program.
        known: u32,
    },
    /// It cannot be read, or written down, where an event handler or a process manager begins.
    #[error("subscriber {subscriber:?} could not begin")]
    Begin {
        /// The event handler, or process manager.
        subscriber: &'static str,
        /// Why.
        source: BoxError,
    },
}

impl AppBuilder {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            router: Router::new(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            dispatch: DispatchOptions::default(),
            subscribe: SubscribeOptions::default(),
            process: ProcessOptions::default(),
            middleware: Vec::new(),
            subscribers: Vec::new(),
        }
    }

    /// The commands that are known by name. Every command that a process manager asks for must be.
    pub fn router(mut self, router: Router) -> Self {
        self.router = router;
        self
    }

    /// Runs a projection, and keeps its answers in a read model.
    pub fn projection<P, R>(self, projection: P, read_model: R) -> Self
    where
        P: Projection,
        R: ReadModel<Target = P::Target>,
    {
        self.register_projection(projection, read_model, None)
    }

    /// Runs a projection with options of its own.
    pub fn projection_with<P, R>(self, projection: P, read_model: R, options: SubscribeOptions) -> Self
    where
        P: Projection,
        R: ReadModel<Target = P::Target>,
    {
        self.register_projection(projection, read_model, Some(options))
    }

    fn register_projection<P, R>(
        mut self,
        projection: P,
        read_model: R,
        options: Option<SubscribeOptions>,
    ) -> Self
    where
        P: Projection,
        R: ReadModel<Target = P::Target>,
    {
        self.subscribers.push(Registration {
            name: P::NAME,
            kind: SubscriberKind::Projection,
            options,
            make: Box::new(move |around, options| {
                let (projection, store) = (Arc::new(projection), Arc::clone(&around.store));
                let worker = Arc::new(ProjectionWorker::new(projection, read_model, store, options));
                let setup = Arc::clone(&worker);
                let rebuild = Arc::clone(&worker);
                Made {
                    setup: Some(async move { setup.setup().await }.boxed()),
                    rebuild: Some(rebuild),
                    ..Made::runs(worker, options)
                }
            }),
            process: None,
        });
        self
    }

    /// Runs a process manager.
    pub fn process_manager<P: ProcessManager>(mut self) -> Self {
        let turn = Arc::default();
        let worker = move |around: &Surroundings| ProcessWorker::<P> {
            store: Arc::clone(&around.store),
            router: Arc::clone(&around.router),
            clock: Arc::clone(&around.clock),
            wake: Arc::clone(&around.wake),
            turn: Arc::clone(&turn),
            page: around.options.batch_events,
            process: PhantomData,
        };
        let by_name = worker.clone();
        self.subscribers.push(Registration {
            name: P::NAME,
            kind: SubscriberKind::ProcessManager,
            options: None,
            make: Box::new(move |around, options| {
                let store = Arc::clone(&around.store);
                let (clock, from) = (Arc::clone(&around.clock), options.start);
                Made {
                    setup: Some(
                        async move { crate::process::begin::<P>(&*store, &*clock, from).await }.boxed(),
                    ),
                    ..Made::runs(worker(around), options)
                }
            }),
            process: Some(Box::new(move |around| Arc::new(by_name(around)))),
        });
        self
    }

    /// Runs an event handler.
    pub fn event_handler<H: EventHandler>(self, handler: H) -> Self {
        self.event_handler_with(handler, HandlerOptions::default())
    }

    /// Runs an event handler, with options of its own.
    pub fn event_handler_with<H: EventHandler>(mut self, handler: H, options: HandlerOptions) -> Self {
        self.subscribers.push(Registration {
            name: H::NAME,
            kind: SubscriberKind::EventHandler,
            options: None,
            make: Box::new(move |around, _| {
                let (store, known) = (Arc::clone(&around.store), Arc::clone(&around.store));
                Made {
                    setup: Some(async move { Ok(begin(&*store, H::NAME, options).await?) }.boxed()),
                    stands: async move { stands(&*known, H::NAME, options).await }.boxed(),
                    rebuild: None,
                    spawn: Box::new(move |around, reporter| {
                        let around = Around {
                            store: Arc::clone(&around.store),
                            clock: Arc::clone(&around.clock),
                            ids: Arc::clone(&around.ids),
                            marks: around.marks.clone(),
                            stop: around.stop.clone(),
                        };
                        tokio::spawn(HandlerRunner::new(handler, options, around, reporter).run())
                    }),
                }
            }),
            process: None,
        });
        self
    }

    /// Puts middleware around every dispatch, within what was added before it.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Bounds of the write path.
    pub fn dispatch_options(mut self, options: DispatchOptions) -> Self {
        self.dispatch = options;
        self
    }

    /// How subscribers work.
    pub fn subscribe_options(mut self, options: SubscribeOptions) -> Self {
        self.subscribe = options;
        self
    }

    /// How process managers' tasks are done.
    pub fn process_options(mut self, options: ProcessOptions) -> Self {
        self.process = options;
        self
    }

    /// Where the time comes from.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where ids and randomness come from.
    pub fn ids(mut self, ids: impl IdSource) -> Self {
        self.ids = Arc::new(ids);
        self
    }

    /// Checks that everything fits, lets projections make their tables, writes down where new event handlers begin, and
    /// starts all subscribers.
    ///
    /// # Errors
    ///
    /// [`StartError`] when something does not fit; then nothing runs.
    pub async fn start(self) -> Result<App, StartError> {
        if let Some(name) = self.router.routed_twice() {
            return Err(StartError::RoutedTwice(name));
        }
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            if self.subscribers[..index].iter().any(|earlier| earlier.name == subscriber.name) {
                return Err(StartError::NamedTwice(subscriber.name));
            }
        }
        let (stop, stopped) = watch::channel(false);
        let (marks, marked) = watch::channel(0);
        let around = Surroundings {
            store: Arc::clone(&self.store),
            router: Arc::new(self.router),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            options: self.subscribe.bounded(),
            wake: Arc::new(Notify::new()),
            marks: marked,
            stop: stopped,
        };
        let mut ready = Vec::new();
        for Registration { name, kind, options, make, process } in self.subscribers {
            let mut made = make(&around, options.map_or(around.options, SubscribeOptions::bounded));
            if let Some(setup) = made.setup.take() {
                setup.await.map_err(|source| StartError::of_setup(name, kind, source))?;
            }
            // Who cannot be told yet says so himself, when he runs.
            let stands = (&mut made.stands).await.unwrap_or_default();
            ready.push((name, kind, made, process, stands));
        }
        let head = self.store.head().await.unwrap_or_default();
        let dispatcher =
            Dispatcher::start(self.store, self.clock, self.ids, self.dispatch, self.middleware.into());
        let progress = Arc::new(Notify::new());
        let mut subscribers = Vec::new();
        let mut rebuilders = HashMap::new();
        let mut tasks = Vec::new();
        let mut processes = BTreeMap::<_, Arc<dyn ErasedProcess>>::new();
        for (name, kind, made, process, (at, parked)) in ready {
            let reporter = Reporter::new(name, kind, Arc::clone(&around.clock));
            reporter.head(head);
            reporter.at(at, SubscriberState::Running);
            reporter.parked(parked);
            subscribers.push(reporter.watch());
            if let Some(projection) = made.rebuild {
                let (status, setback) = (reporter.sender(), reporter.setback());
                rebuilders.insert(name, Rebuilder { projection, status, setback });
            }
            if let Some(process) = process {
                processes.insert(name, process(&around));
            }
            tasks.push((made.spawn)(&around, reporter));
        }
        let all: Vec<_> = processes.values().map(Arc::clone).collect();
        let (mended, has_mended) = watch::channel(false);
        // Without process managers nobody asks for anything.
        if !processes.is_empty() {
            let (all, store, stop) = (all.clone(), Arc::clone(&around.store), around.stop.clone());
            tasks.push(tokio::spawn(async move {
                for process in all {
                    mend_all(process, Arc::clone(&store), stop.clone()).await;
                }
                mended.send_replace(true);
            }));
            let outbox = Outbox {
                dispatcher: dispatcher.clone(),
                router: Arc::clone(&around.router),
                processes,
                options: self.process,
                lease: self.subscribe.lease,
                wake: Arc::clone(&around.wake),
                progress: Arc::clone(&progress),
                stop: around.stop.clone(),
            };
            tasks.push(tokio::spawn(outbox.run()));
        }
        Ok(App(Arc::new(Inner {
            store: around.store,
            dispatcher,
            router: around.router,
            subscribers,
            rebuilders,
            processes: all,
            wake: around.wake,
            progress,
            marks,
            mended: has_mended,
            stop,
            tasks: tasks.into(),
            ending: tokio::sync::Mutex::default(),
        })))
    }
}

impl StartError {
    fn of_setup(name: &'static str, kind: SubscriberKind, source: BoxError) -> Self {
        match (kind, source.downcast_ref()) {
            (SubscriberKind::EventHandler | SubscriberKind::ProcessManager, _) => {
                Self::Begin { subscriber: name, source }
            }
            (_, Some(&Halt::Superseded { stored, known })) => {
                Self::Newer { projection: name, stored, known }
            }
            _ => Self::Setup { projection: name, source },
        }
    }
}

impl fmt::Debug for AppBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subscribers: Vec<_> = self.subscribers.iter().map(|subscriber| subscriber.name).collect();
        f.debug_struct("AppBuilder")
            .field("router", &self.router)
            .field("subscribers", &subscribers)
            .finish()
    }
}
