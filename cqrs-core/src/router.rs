//! The by-name face of dispatch.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;

use crate::dispatch::{Dispatcher, Envelope};
use crate::{BoxCommand, Command, DispatchError, Dispatched, Json, Rejection};

/// Leads a command's name to its type, and so to its aggregate.
///
/// Commands that arrive as a name and JSON need a route: from HTTP, from a queue, and from the process
/// managers' outbox. Typed dispatch needs none.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let router = Router::new().route::<Deposit>().route::<Withdraw>();
/// assert!(router.knows("Deposit"));
/// let app = App::builder(MemoryStore::new()).router(router).start().await?;
/// let unknown = app.dispatch(BoxCommand::new("Steal", Json::parse("{}")?)).await.unwrap_err();
/// assert!(matches!(unknown, DispatchError::UnknownCommand { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Router {
    routes: BTreeMap<&'static str, Arc<dyn Route>>,
    twice: Vec<&'static str>,
}

#[async_trait]
trait Route: Send + Sync {
    async fn dispatch(
        &self,
        dispatcher: &Dispatcher,
        data: &Json,
        envelope: Envelope,
        wait: bool,
    ) -> Result<Dispatched, DispatchError<Rejection>>;
}

struct RouteOf<C>(PhantomData<fn() -> C>);

#[async_trait]
impl<C: Command> Route for RouteOf<C> {
    async fn dispatch(
        &self,
        dispatcher: &Dispatcher,
        data: &Json,
        envelope: Envelope,
        wait: bool,
    ) -> Result<Dispatched, DispatchError<Rejection>> {
        let command: C = data
            .decode()
            .map_err(|source| DispatchError::Malformed { name: C::NAME.to_owned(), source })?;
        let reply = dispatcher.dispatch(command, envelope, None, wait).await;
        reply.map_err(|error| error.map_rejection(|rejection| Rejection(rejection.into())))
    }
}

impl Router {
    /// A router without routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a command under its [`Command::NAME`]. A name that is routed twice keeps the application from
    /// starting.
    #[must_use]
    pub fn route<C: Command>(mut self) -> Self {
        if self.routes.insert(C::NAME, Arc::new(RouteOf::<C>(PhantomData))).is_some() {
            self.twice.push(C::NAME);
        }
        self
    }

    /// The names that are routed, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.routes.keys().copied()
    }

    /// Whether a name is routed.
    pub fn knows(&self, name: &str) -> bool {
        self.routes.contains_key(name)
    }

    /// The first name that was routed twice.
    pub(crate) fn routed_twice(&self) -> Option<&'static str> {
        self.twice.first().copied()
    }

    pub(crate) async fn dispatch(
        &self,
        dispatcher: &Dispatcher,
        command: &BoxCommand,
        envelope: Envelope,
        wait: bool,
    ) -> Result<Dispatched, DispatchError<Rejection>> {
        let Some(route) = self.routes.get(&*command.name) else {
            return Err(DispatchError::UnknownCommand {
                name: command.name.clone(),
                routed: self.names().collect::<Vec<_>>().join(", "),
            });
        };
        route.dispatch(dispatcher, &command.data, envelope, wait).await
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
