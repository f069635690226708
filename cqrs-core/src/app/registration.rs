//! What an application knows of a subscriber before it runs, and what a subscriber needs of the application.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::process::ErasedProcess;
use crate::subscribe::{Pages, Rebuildable, Reporter, Runner, Tenant, Worker};
use crate::{BoxError, Clock, IdSource, Position, Router, Store, SubscribeOptions, SubscriberKind};

/// What a subscriber needs of the application around it.
pub(super) struct Surroundings {
    pub(super) store: Arc<dyn Store>,
    pub(super) router: Arc<Router>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdSource>,
    pub(super) options: SubscribeOptions,
    /// Tells the outbox of new tasks.
    pub(super) wake: Arc<Notify>,
    /// Tells event handlers that parked events were marked.
    pub(super) marks: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<bool>,
}

type Make = dyn FnOnce(&Surroundings, SubscribeOptions) -> Made + Send;
type ByName = dyn FnOnce(&Surroundings) -> Arc<dyn ErasedProcess> + Send;
type Spawn = dyn FnOnce(&Surroundings, Reporter) -> JoinHandle<()> + Send;

/// A subscriber that somebody wants.
pub(super) struct Registration {
    pub(super) name: &'static str,
    pub(super) kind: SubscriberKind,
    /// Its own options; else those of the application.
    pub(super) options: Option<SubscribeOptions>,
    pub(super) make: Box<Make>,
    pub(super) process: Option<Box<ByName>>,
}

/// A subscriber that is ready to run.
pub(super) struct Made {
    /// To be done before anything runs.
    pub(super) setup: Option<BoxFuture<'static, Result<(), BoxError>>>,
    /// Tells where it goes on from, after that, and how many keys it holds back, so that its status is right from the
    /// start. Never further than where all is done.
    pub(super) stands: BoxFuture<'static, Result<(Position, u64), BoxError>>,
    pub(super) spawn: Box<Spawn>,
    pub(super) rebuild: Option<Arc<dyn Rebuildable>>,
}

impl Made {
    /// One that has only to run.
    pub(super) fn runs<W: Worker>(worker: W, options: SubscribeOptions) -> Self {
        let worker = Arc::new(worker);
        let at = Arc::clone(&worker);
        let spawn =
            move |around: &Surroundings, reporter: Reporter| around.spawn(worker, reporter, options);
        let stands = async move { Ok((at.checkpoint().await?, 0)) }.boxed();
        Self { setup: None, stands, spawn: Box::new(spawn), rebuild: None }
    }
}

impl Surroundings {
    fn spawn<W: Worker>(&self, worker: W, reporter: Reporter, options: SubscribeOptions) -> JoinHandle<()> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let runner = Runner {
            tenant: Tenant::new(store, clock, &*self.ids, worker.lease(), options.lease),
            pages: Pages::new(worker.filter(), options.batch_events),
            worker,
            store: Arc::clone(&self.store),
            ids: Arc::clone(&self.ids),
            reporter,
            options,
            stop: self.stop.clone(),
            looked: None,
        };
        tokio::spawn(runner.run())
    }
}
