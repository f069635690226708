//! Waiting until subscribers have seen what a command did.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::try_join_all;
use tokio::sync::watch;

use super::App;
use crate::dispatch::Consistency;
use crate::process::chain_of;
use crate::{
    CorrelationId, EventFilter, InstanceQuery, InstanceState, OutboxEntry, OutboxState, Position, Share,
    StoreError, SubscriberKind, SubscriberStatus, TaskQuery,
};

/// How often a waiting caller looks for itself: another process may have done what it waits for.
const POLL: Duration = Duration::from_millis(20);

/// How many events are looked at at a time for the causal chains that they belong to.
const PAGE: usize = 1_000;

/// What a caller waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Nothing,
    Projections,
    Named(Vec<String>),
    Settled,
}

/// Waiting for all that is under way.
impl App {
    pub(crate) async fn wait(&self, wait: &Wait, chain: CorrelationId, position: Position) -> Consistency {
        match wait {
            Wait::Nothing => Consistency::NotAwaited,
            Wait::Projections => self.reach(SubscriberKind::Projection, position).await,
            Wait::Named(names) => self.reach_named(names, position).await,
            Wait::Settled => self.reach_end_of(chain, position).await,
        }
    }

    /// Waits until everything that the log holds now has been worked on, with all that follows from it: process
    /// managers are at its head, no task of the causal chains that were under way is due, and projections and event
    /// handlers have seen what they came to. What others begin meanwhile is not waited for. Instances that were stuck at the start are retried
    /// first.
    ///
    /// Tasks that wait for a later time are not waited for, be it a delay or another attempt. Where a task is parked or
    /// an instance stuck, of whatever chain, the answer is [`Consistency::Parked`] or [`Consistency::Stuck`], when all
    /// else has been worked on.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let balances = InMemory::default();
    /// # let app = App::builder(MemoryStore::new()).projection(Balances, balances.clone()).start().await?;
    /// for amount in [5, 6, 7] {
    ///     app.dispatch(deposit("me", amount)).await?;
    /// }
    /// assert_eq!(app.settle().await?, Consistency::Reached);
    /// assert_eq!(balances.read(|balances| balances["me"]).await, 18);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn settle(&self) -> Result<Consistency, StoreError> {
        // Whoever mends has ended with the application, if it does not tell.
        let _ = self.0.mended.clone().wait_for(|mended| *mended).await;
        let store = &self.0.store;
        let mut last = store.head().await?;
        if self.reach(SubscriberKind::ProcessManager, last).await == Consistency::Stopped {
            return Ok(Consistency::Stopped);
        }
        let chains = self.chains_under_way().await?;
        loop {
            if self.reach(SubscriberKind::ProcessManager, last).await == Consistency::Stopped {
                return Ok(Consistency::Stopped);
            }
            let done = self.0.progress.notified();
            let is_of = |task: &OutboxEntry| {
                task.metadata.correlation_id.is_none_or(|chain| chains.contains(&chain))
            };
            if self.due_tasks().await?.iter().any(is_of) {
                let _ = tokio::time::timeout(POLL, done).await;
                continue;
            }
            let mut further = last;
            for chain in &chains {
                further = further.max(store.chain(*chain).await?.last);
            }
            if further == last {
                break;
            }
            last = further;
        }
        for kind in [SubscriberKind::EventHandler, SubscriberKind::Projection] {
            if self.reach(kind, last).await == Consistency::Stopped {
                return Ok(Consistency::Stopped);
            }
        }
        self.held_up().await
    }

    async fn due_tasks(&self) -> Result<Vec<OutboxEntry>, StoreError> {
        self.0.store.due_tasks(self.0.dispatcher.core().clock.now(), Share::ALL, usize::MAX).await
    }

    /// The causal chains that may go on: what is read first cannot be missed by what is read later. A task is due, or
    /// its events lie behind the checkpoints that were read before.
    async fn chains_under_way(&self) -> Result<HashSet<CorrelationId>, StoreError> {
        let processes =
            self.0.subscribers.iter().filter(|it| it.borrow().kind == SubscriberKind::ProcessManager);
        let Some(mut at) = processes.map(|status| status.borrow().position).min() else {
            return Ok(HashSet::new());
        };
        let due = self.due_tasks().await?;
        let mut chains: HashSet<_> = due.iter().filter_map(|task| task.metadata.correlation_id).collect();
        let head = self.0.store.head().await?;
        while at < head {
            let page = self.0.store.read_log(at, &EventFilter::default(), PAGE).await?;
            chains.extend(page.events.iter().map(chain_of));
            at = page.scanned_to;
        }
        Ok(chains)
    }

    /// Whether an operator must decide about anything.
    async fn held_up(&self) -> Result<Consistency, StoreError> {
        let store = &self.0.store;
        let stuck = InstanceQuery::all(1).standing(InstanceState::Stuck);
        for process in &self.0.processes {
            if !store.list_instances(process.name(), &stuck).await?.is_empty() {
                return Ok(Consistency::Stuck);
            }
            let parked = TaskQuery::all(1).of(process.name()).standing(OutboxState::Parked);
            if !store.list_tasks(&parked).await?.tasks.is_empty() {
                return Ok(Consistency::Parked);
            }
        }
        Ok(Consistency::Reached)
    }

    /// Waits until all subscribers of a kind have worked up to a position.
    async fn reach(&self, kind: SubscriberKind, position: Position) -> Consistency {
        let of_kind = self.0.subscribers.iter().filter(|status| status.borrow().kind == kind);
        are_there(of_kind.cloned(), position).await
    }

    async fn reach_named(&self, names: &[String], position: Position) -> Consistency {
        let found: Option<Vec<_>> = names.iter().map(|name| self.watch_status(name)).collect();
        match found {
            Some(found) => are_there(found, position).await,
            None => Consistency::Stopped,
        }
    }

    /// Follows a causal chain to its end.
    ///
    /// A process manager that is at a position has put all that it asks for because of it into the outbox,
    /// in the same transaction. So once all of them are at the chain's last known event, and then nothing
    /// of the chain is pending, and what was done meanwhile went no further, the chain has ended.
    async fn reach_end_of(&self, chain: CorrelationId, position: Position) -> Consistency {
        let mut last = position;
        loop {
            if self.reach(SubscriberKind::ProcessManager, last).await == Consistency::Stopped {
                return Consistency::Stopped;
            }
            let done = self.0.progress.notified();
            let found = match self.0.store.chain(chain).await {
                Ok(found) => found,
                Err(StoreError::Closed) => return Consistency::Stopped,
                Err(error) => {
                    tracing::warn!(%error, "cannot read how far a causal chain is, and will try again");
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            };
            if found.stuck > 0 {
                return Consistency::Stuck;
            }
            if found.parked > 0 {
                return Consistency::Parked;
            }
            if found.pending > 0 {
                let _ = tokio::time::timeout(POLL, done).await;
            } else if found.last > last {
                last = found.last;
            } else {
                return self.reach(SubscriberKind::Projection, last).await;
            }
        }
    }
}

/// Waits until subscribers are at a position. One that has ended without answers for all, however long the others
/// take.
async fn are_there(
    subscribers: impl IntoIterator<Item = watch::Receiver<SubscriberStatus>>,
    position: Position,
) -> Consistency {
    let each = subscribers.into_iter().map(|mut status| async move {
        let found =
            status.wait_for(|status| status.position >= position || status.state.is_stopped()).await;
        if found.is_ok_and(|status| status.position >= position) {
            Ok(())
        } else {
            Err(Consistency::Stopped)
        }
    });
    match try_join_all(each).await {
        Ok(_) => Consistency::Reached,
        Err(stopped) => stopped,
    }
}
