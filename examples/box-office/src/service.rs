//! The service, from start to end.

use std::io;

use cqrs_core::{App, BoxError, Store};
use cqrs_memory::InMemory;
use tokio::net::TcpListener;

use crate::http::routes;
use crate::{Plan, PlanProjection};

/// The box office. A clone is the same.
#[derive(Clone, Debug)]
pub struct Service {
    pub(crate) app: App,
    pub(crate) plan: InMemory<Plan>,
}

impl Service {
    /// Starts the application on a store, and waits until the plan is made.
    ///
    /// # Errors
    ///
    /// When the application does not start, or the store cannot be read.
    pub async fn start(store: impl Store) -> Result<Self, BoxError> {
        let plan = InMemory::default();
        let app = App::builder(store).projection(PlanProjection, plan.clone()).start().await?;
        app.settle().await?;
        Ok(Self { app, plan })
    }

    /// Answers requests until `end`, then finishes what is under way.
    ///
    /// # Errors
    ///
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let app = self.app.clone();
        // The live feeds end with the application, and the server waits for them. So the application ends first.
        let end = async move {
            end.await;
            app.shutdown().await;
        };
        axum::serve(listener, routes(self)).with_graceful_shutdown(end).await
    }
}
