//! A runner as tenant of its work: among several runners of one work, who holds the lease works.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::{Clock, IdSource, Lease, Store, StoreError, Timestamp};

/// A runner's claim to the lease of its work. Call [`Tenant::hold`] before each piece of it, and
/// [`Tenant::give_back`] at the end.
pub(crate) struct Tenant {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Nothing, for work that nobody else can do.
    lease: Option<String>,
    holder: Uuid,
    lasts: Duration,
    known: Known,
}

#[derive(Clone, Copy)]
enum Known {
    Nothing,
    Held { since: Timestamp, asked: Instant },
    HeldBy { holder: Uuid, until: Timestamp, asked: Instant, since: Instant },
}

/// Whether it is a runner's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Theirs { until: Timestamp },
}

impl Tenant {
    /// How often one who waits for its turn asks again.
    pub(crate) const ASK: Duration = Duration::from_millis(250);

    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: &dyn IdSource,
        lease: Option<String>,
        lasts: Duration,
    ) -> Self {
        Self { store, clock, lease, holder: ids.next_id(), lasts, known: Known::Nothing }
    }

    /// Takes the lease, or renews it when a third of its time has passed; asks the store no more often than needed.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked.
    pub(crate) async fn hold(&mut self) -> Result<Whose, StoreError> {
        let Some(lease) = &self.lease else { return Ok(Whose::Ours) };
        let now = self.clock.now();
        match self.known {
            // By the time that passes, too: a clock may go back, or stand still.
            Known::Held { since, asked } if now.since(since).max(asked.elapsed()) < self.lasts / 3 => {
                return Ok(Whose::Ours);
            }
            Known::HeldBy { until, asked, .. } if asked.elapsed() < Self::ASK => {
                return Ok(Whose::Theirs { until });
            }
            _ => {}
        }
        let mut found = self.store.acquire_lease(lease, self.holder, now, now.plus(self.lasts)).await?;
        if let Lease::HeldBy { holder, until } = found
            && self.is_dead(holder, until)
        {
            found = self.store.acquire_lease(lease, self.holder, until, now.plus(self.lasts)).await?;
        }
        match found {
            Lease::Held => {
                self.known = Known::Held { since: now, asked: Instant::now() };
                Ok(Whose::Ours)
            }
            Lease::HeldBy { holder, until } => {
                let asked = Instant::now();
                let since = self.seen(holder, until).unwrap_or(asked);
                self.known = Known::HeldBy { holder, until, asked, since };
                Ok(Whose::Theirs { until })
            }
        }
    }

    /// Since when somebody is known to have the lease until then.
    fn seen(&self, holder: Uuid, until: Timestamp) -> Option<Instant> {
        match self.known {
            Known::HeldBy { holder: known, until: when, since, .. } if (known, when) == (holder, until) => {
                Some(since)
            }
            _ => None,
        }
    }

    /// Whether somebody has not renewed the lease for as long as it lasts. It may be that his clock was wrong by far, and
    /// the end of his lease is.
    fn is_dead(&self, holder: Uuid, until: Timestamp) -> bool {
        self.seen(holder, until).is_some_and(|since| since.elapsed() >= self.lasts)
    }

    /// Asks the store the next time, since somebody else has worked.
    pub(crate) fn doubt(&mut self) {
        self.known = Known::Nothing;
    }

    /// Whether it has not been renewed for so long that another one may have it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.known, Known::Held { asked, .. } if asked.elapsed() >= self.lasts)
    }

    /// How long one may rest before the lease is to be renewed; `None` for work without one.
    pub(crate) fn rest(&self) -> Option<Duration> {
        self.lease.as_ref().map(|_| self.lasts / 3)
    }

    /// Lets the next one work at once. Who was stopped while he asked may have the lease and not know it.
    pub(crate) async fn give_back(self) {
        let Some(lease) = &self.lease else { return };
        if let Err(error) = self.store.release_lease(lease, self.holder).await {
            tracing::debug!(lease, %error, "a lease was not given back, and ends in its time");
        }
    }
}
