//! Waiting for the log to grow, whoever writes.

use std::sync::Arc;
use std::time::Duration;

use cqrs_core::{Position, StoreError};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::connection::Database;
use crate::read;

/// The highest position that this process knows of, and who waits for more.
#[derive(Debug)]
pub(crate) struct Head {
    known: watch::Sender<Known>,
    /// When somebody last looked at the log; who holds the lock looks for all.
    looked: Mutex<Option<Instant>>,
    interval: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    head: Position,
    closed: bool,
}

impl Head {
    pub(crate) fn new(interval: Duration) -> Self {
        let known = watch::Sender::new(Known { head: Position::ZERO, closed: false });
        Self { known, looked: Mutex::new(None), interval }
    }

    /// Tells all who wait of a new head.
    pub(crate) fn advance(&self, head: Position) {
        self.known.send_if_modified(|known| {
            let further = head > known.head;
            known.head = known.head.max(head);
            further
        });
    }

    /// The highest position that this process knows of.
    pub(crate) fn known(&self) -> Position {
        self.known.borrow().head
    }

    /// Looks at the log, since there is something new.
    pub(crate) async fn look_now(&self, database: &Database) {
        match read::head(database).await {
            Ok(head) => self.advance(head),
            // Whoever waits finds it by himself.
            Err(error) => tracing::debug!(%error, "the head of the log was not read"),
        }
    }

    /// Ends all waits.
    pub(crate) fn close(&self) {
        self.known.send_modify(|known| known.closed = true);
    }

    /// Waits until the head lies beyond `after`. What this process commits is told; what others commit is
    /// found by looking, one waiter for all of them.
    pub(crate) async fn wait_beyond(
        self: &Arc<Self>,
        database: &Arc<Database>,
        after: Position,
    ) -> Result<Position, StoreError> {
        let mut known = self.known.subscribe();
        let mut pause = Duration::ZERO;
        loop {
            let told = tokio::time::timeout(pause, known.wait_for(|it| it.closed || it.head > after)).await;
            match told.map(|known| known.map(|known| *known)) {
                Ok(Ok(Known { closed: false, head })) => return Ok(head),
                Ok(_) => return Err(StoreError::Closed),
                Err(_) => {
                    // On a task of its own: whoever holds this future and does not poll it must neither keep others
                    // from looking nor keep the store from closing.
                    let (head, database) = (Arc::clone(self), Arc::clone(database));
                    let looked = tokio::spawn(async move { head.look(&database).await }).await;
                    // A task is given up only when the runtime ends.
                    pause = looked.unwrap_or(Err(StoreError::Closed))?;
                }
            }
        }
    }

    /// Looks at the log, unless somebody else does or just did. Returns how long to wait before the next look.
    async fn look(&self, database: &Database) -> Result<Duration, StoreError> {
        let Ok(mut looked) = self.looked.try_lock() else { return Ok(self.interval) };
        let rested = looked.map_or(self.interval, |looked| looked.elapsed());
        if rested < self.interval {
            return Ok(self.interval - rested);
        }
        self.advance(read::head(database).await?);
        *looked = Some(Instant::now());
        Ok(self.interval)
    }
}
