//! Waiting until subscribers have seen what a command did.

use std::time::Duration;

use tokio::sync::watch;

use super::App;
use crate::dispatch::Consistency;
use crate::{CorrelationId, Position, StoreError, SubscriberKind, SubscriberStatus};

/// How often a waiting caller looks for itself: another process may have done what it waits for.
const POLL: Duration = Duration::from_millis(20);

/// What a caller waits for.
#[derive(Clone, Debug)]
pub(crate) enum Wait {
    Nothing,
    Projections,
    Named(Vec<String>),
    Settled,
}

impl App {
    pub(crate) async fn wait(&self, wait: &Wait, chain: CorrelationId, position: Position) -> Consistency {
        match wait {
            Wait::Nothing => Consistency::NotAwaited,
            Wait::Projections => self.reach(SubscriberKind::Projection, position).await,
            Wait::Named(names) => self.reach_named(names, position).await,
            Wait::Settled => self.reach_end_of(chain, position).await,
        }
    }

    /// Waits until everything that the log holds has been worked on: projections, process managers and event handlers
    /// are at its head, and no task is due.
    ///
    /// What an event handler has parked is not waited for, nor are tasks that wait for a later time are not waited for, be it a delay or another attempt.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn settle(&self) -> Result<Consistency, StoreError> {
        loop {
            let done = self.0.progress.notified();
            let head = self.0.store.head().await?;
            for kind in
                [SubscriberKind::ProcessManager, SubscriberKind::EventHandler, SubscriberKind::Projection]
            {
                if self.reach(kind, head).await == Consistency::Stopped {
                    return Ok(Consistency::Stopped);
                }
            }
            let now = self.0.dispatcher.core().clock.now();
            if !self.0.store.due_tasks(now, 1).await?.is_empty() {
                let _ = tokio::time::timeout(POLL, done).await;
            } else if self.0.store.head().await? == head {
                return Ok(Consistency::Reached);
            }
        }
    }

    /// Waits until all subscribers of a kind have worked up to a position.
    async fn reach(&self, kind: SubscriberKind, position: Position) -> Consistency {
        let of_kind = self.0.subscribers.iter().filter(|status| status.borrow().kind == kind);
        for status in of_kind {
            if !is_there(status.clone(), position).await {
                return Consistency::Stopped;
            }
        }
        Consistency::Reached
    }

    async fn reach_named(&self, names: &[String], position: Position) -> Consistency {
        for name in names {
            let Some(status) = self.watch_status(name) else { return Consistency::Stopped };
            if !is_there(status, position).await {
                return Consistency::Stopped;
            }
        }
        Consistency::Reached
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
            if found.parked > 0 {
                return Consistency::Stopped;
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

/// Waits until a subscriber is at a position, or has ended without.
async fn is_there(mut status: watch::Receiver<SubscriberStatus>, position: Position) -> bool {
    let found = status.wait_for(|status| status.position >= position || status.state.is_stopped()).await;
    found.is_ok_and(|status| status.position >= position)
}
