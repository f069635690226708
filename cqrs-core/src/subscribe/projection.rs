//! Projections: events in, a read model out.

use async_trait::async_trait;

use crate::{BoxError, EventFilter, EventSet, RecordedEvent};

/// Turns events into a read model that answers queries.
///
/// Each event counts exactly once: what a projection writes and the checkpoint of how far it has come are
/// one transaction of the read model's database.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// /// How often something was withdrawn, by account.
/// struct Withdrawals;
///
/// #[async_trait]
/// impl Projection for Withdrawals {
///     const NAME: &'static str = "withdrawals";
///     type Event = AccountEvent;
///     type Target = BTreeMap<String, u64>;
///
///     async fn project(
///         &self,
///         event: &RecordedEvent<AccountEvent>,
///         times: &mut BTreeMap<String, u64>,
///     ) -> Result<(), BoxError> {
///         if let AccountEvent::Withdrawn { account, .. } = &event.data {
///             *times.entry(account.clone()).or_default() += 1;
///         }
///         Ok(())
///     }
/// }
///
/// let withdrawals = InMemory::default();
/// let app = App::builder(MemoryStore::new()).projection(Withdrawals, withdrawals.clone()).start().await?;
/// app.dispatch(deposit("me", 5)).await?;
/// app.dispatch(withdraw("me", 3)).strong().await?;
/// assert_eq!(withdrawals.read(|times| times["me"]).await, 1);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// The stored name of the checkpoint; unique in its read model, and in an application.
    const NAME: &'static str;

    /// The version of what it makes. Count it up when the same events come to something else than before, in
    /// tables or in rows: then the read model is made anew beside the old one, and takes its place when it has
    /// caught up. A program with an older version stops then, and one that starts too late does not start.
    const VERSION: u32 = 1;

    /// The events that it wants to see.
    type Event: EventSet;

    /// What it writes to: a Rust value with `cqrs-memory`, a connection with a database.
    type Target: Send + 'static;

    /// The events that it is given: those of its set, or fewer. What it leaves out is passed over for good; whoever
    /// wants it later counts [`Projection::VERSION`] up.
    fn filter(&self) -> EventFilter {
        Self::Event::filter()
    }

    /// Makes ready what it writes to, such as tables. Runs at every start, and whenever the read model begins
    /// anew, before the first event; must do no harm when everything is there already.
    ///
    /// What it makes belongs to this projection alone: a rebuild puts all of it in the place of what was there.
    ///
    /// # Errors
    ///
    /// Any error keeps the application from starting.
    async fn setup(&self, _target: &mut Self::Target) -> Result<(), BoxError> {
        Ok(())
    }

    /// Takes one event in.
    ///
    /// # Errors
    ///
    /// Any error rolls the batch back; it is tried again later, for as long as it takes. An event is never
    /// skipped.
    async fn project(
        &self,
        event: &RecordedEvent<Self::Event>,
        target: &mut Self::Target,
    ) -> Result<(), BoxError>;

    /// Takes a batch in, in order of position. Override it to fold many events into one statement.
    ///
    /// # Errors
    ///
    /// As [`Projection::project`].
    async fn project_batch(
        &self,
        events: &[RecordedEvent<Self::Event>],
        target: &mut Self::Target,
    ) -> Result<(), BoxError> {
        for event in events {
            self.project(event, target).await?;
        }
        Ok(())
    }
}
