//! Putting an application together.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{App, Inner};
use crate::dispatch::Dispatcher;
use crate::handler::{Around, HandlerRunner, begin};
use crate::process::{ErasedProcess, Outbox, ProcessOf, ProcessWorker};
use crate::subscribe::{ProjectionWorker, Reporter, Runner};
use crate::{
    BoxError, Clock, DispatchOptions, EventHandler, HandlerOptions, IdSource, Middleware, ProcessManager,
    ProcessOptions, Projection, RandomIds, ReadModel, Router, Store, SubscribeOptions, SubscriberKind,
    SystemClock,
};

/// An application in the making. See [`App::builder`].
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
    /// It cannot be read, or written down, where an event handler begins.
    #[error("event handler {handler:?} could not begin")]
    Begin {
        /// The event handler.
        handler: &'static str,
        /// Why.
        source: BoxError,
    },
}

/// What a subscriber needs of the application around it.
struct Surroundings {
    store: Arc<dyn Store>,
    router: Arc<Router>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    options: SubscribeOptions,
    /// Tells the outbox of new tasks.
    wake: Arc<Notify>,
    /// Tells event handlers that parked events were marked.
    marks: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
}

type Spawn = dyn FnOnce(&Surroundings, Reporter) -> JoinHandle<()> + Send;
type ByName = dyn FnOnce(&Surroundings) -> Arc<dyn ErasedProcess> + Send;

struct Registration {
    name: &'static str,
    kind: SubscriberKind,
    setup: Option<BoxFuture<'static, Result<(), BoxError>>>,
    spawn: Box<Spawn>,
    process: Option<Box<ByName>>,
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
    pub fn projection<P, R>(mut self, projection: P, read_model: R) -> Self
    where
        P: Projection,
        R: ReadModel<Target = P::Target>,
    {
        let worker = Arc::new(ProjectionWorker { projection, read_model });
        let setup = Arc::clone(&worker);
        self.subscribers.push(Registration {
            name: P::NAME,
            kind: SubscriberKind::Projection,
            setup: Some(async move { setup.setup().await }.boxed()),
            spawn: Box::new(move |around, reporter| around.spawn(worker, reporter)),
            process: None,
        });
        self
    }

    /// Runs a process manager.
    pub fn process_manager<P: ProcessManager>(mut self) -> Self {
        self.subscribers.push(Registration {
            name: P::NAME,
            kind: SubscriberKind::ProcessManager,
            setup: None,
            spawn: Box::new(|around, reporter| {
                let worker = ProcessWorker::<P> {
                    store: Arc::clone(&around.store),
                    router: Arc::clone(&around.router),
                    clock: Arc::clone(&around.clock),
                    wake: Arc::clone(&around.wake),
                    process: PhantomData,
                };
                around.spawn(worker, reporter)
            }),
            process: Some(Box::new(|around| {
                let (store, router) = (Arc::clone(&around.store), Arc::clone(&around.router));
                Arc::new(ProcessOf::<P> { store, router, process: PhantomData })
            })),
        });
        self
    }

    /// Runs an event handler.
    pub fn event_handler<H: EventHandler>(self, handler: H) -> Self {
        self.event_handler_with(handler, HandlerOptions::default())
    }

    /// Runs an event handler, with options of its own.
    pub fn event_handler_with<H: EventHandler>(mut self, handler: H, options: HandlerOptions) -> Self {
        let store = Arc::clone(&self.store);
        self.subscribers.push(Registration {
            name: H::NAME,
            kind: SubscriberKind::EventHandler,
            setup: Some(async move { Ok(begin(&*store, H::NAME, options).await?) }.boxed()),
            spawn: Box::new(move |around, reporter| {
                let around = Around {
                    store: Arc::clone(&around.store),
                    clock: Arc::clone(&around.clock),
                    ids: Arc::clone(&around.ids),
                    marks: around.marks.clone(),
                    stop: around.stop.clone(),
                };
                let runner = HandlerRunner::new(handler, options, around, reporter);
                tokio::spawn(runner.run())
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
    pub async fn start(mut self) -> Result<App, StartError> {
        if let Some(name) = self.router.routed_twice() {
            return Err(StartError::RoutedTwice(name));
        }
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            if self.subscribers[..index].iter().any(|earlier| earlier.name == subscriber.name) {
                return Err(StartError::NamedTwice(subscriber.name));
            }
        }
        for subscriber in &mut self.subscribers {
            if let Some(setup) = subscriber.setup.take() {
                let name = subscriber.name;
                setup.await.map_err(|source| match subscriber.kind {
                    SubscriberKind::EventHandler => StartError::Begin { handler: name, source },
                    _ => StartError::Setup { projection: name, source },
                })?;
            }
        }
        Ok(self.spawn())
    }

    fn spawn(self) -> App {
        let (stop, stopped) = watch::channel(false);
        let progress = Arc::new(Notify::new());
        let (marks, marked) = watch::channel(0);
        let around = Surroundings {
            store: Arc::clone(&self.store),
            router: Arc::new(self.router),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            options: self.subscribe,
            wake: Arc::new(Notify::new()),
            marks: marked,
            stop: stopped,
        };
        let dispatcher = Dispatcher::start(
            Arc::clone(&self.store),
            self.clock,
            self.ids,
            self.dispatch,
            self.middleware.into(),
        );
        let mut subscribers = Vec::new();
        let mut tasks = Vec::new();
        let mut processes = HashMap::new();
        for subscriber in self.subscribers {
            let reporter = Reporter::new(subscriber.name, subscriber.kind);
            subscribers.push(reporter.watch());
            tasks.push((subscriber.spawn)(&around, reporter));
            if let Some(process) = subscriber.process {
                processes.insert(subscriber.name, process(&around));
            }
        }
        // Without process managers nobody asks for anything.
        if !processes.is_empty() {
            let outbox = Outbox {
                dispatcher: dispatcher.clone(),
                router: Arc::clone(&around.router),
                processes,
                options: self.process,
                wake: Arc::clone(&around.wake),
                progress: Arc::clone(&progress),
                stop: around.stop.clone(),
            };
            tasks.push(tokio::spawn(outbox.run()));
        }
        App(Arc::new(Inner {
            store: self.store,
            dispatcher,
            router: around.router,
            subscribers,
            progress,
            marks,
            stop,
            tasks: tasks.into(),
        }))
    }
}

impl Surroundings {
    fn spawn<W: crate::subscribe::Worker>(&self, worker: W, reporter: Reporter) -> JoinHandle<()> {
        let runner = Runner {
            worker,
            store: Arc::clone(&self.store),
            ids: Arc::clone(&self.ids),
            reporter,
            options: self.options,
            stop: self.stop.clone(),
        };
        tokio::spawn(runner.run())
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
