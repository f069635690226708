//! A seat among the runners of one outbox: so many seats are taken, into so many shares it is parted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::{Clock, IdSource, Lease, Share, Store, StoreError, Timestamp};

/// How many runners there may be. Whoever comes after them waits for a seat.
const SEATS: usize = 64;

/// How often a runner looks who else has a seat. For so long after one has come or gone, tasks may be done by two, or wait.
const LOOK: Duration = Duration::from_secs(1);

/// A runner's seat, a lease, and what it knows of the others. Call [`Seat::share`] before looking for tasks, and
/// [`Seat::give_up`] at the end.
///
/// Runners that disagree for a moment do some tasks twice, or leave some for that long: receipts see to it that each takes
/// effect once.
pub(super) struct Seat {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    holder: Uuid,
    lasts: Duration,
    /// The names of all seats' leases.
    seats: Vec<String>,
    taken: Option<Taken>,
    share: Option<Share>,
    looked: Option<Instant>,
}

/// A seat that is the runner's.
#[derive(Clone, Copy)]
struct Taken {
    seat: usize,
    since: Timestamp,
    asked: Instant,
}

impl Seat {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: &dyn IdSource,
        lasts: Duration,
    ) -> Self {
        let seats = (0..SEATS).map(|seat| format!("outbox seat {seat}")).collect();
        let holder = ids.next_id();
        Self { store, clock, holder, lasts, seats, taken: None, share: None, looked: None }
    }

    /// The runner's present share; none while it has no seat. Asks the store no more often than needed.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked.
    pub(super) async fn share(&mut self) -> Result<Option<Share>, StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(self.share);
        }
        let now = self.clock.now();
        let mut holders = self.store.lease_holders(&self.seats, now).await?;
        let mut seat = holders.iter().position(|holder| *holder == Some(self.holder));
        // By the time that passes, too: a clock may go back, or stand still.
        let age = |taken: Taken| now.since(taken.since).max(taken.asked.elapsed());
        let is_young = |taken: Taken| Some(taken.seat) == seat && age(taken) < self.lasts / 3;
        if !self.taken.is_some_and(is_young) {
            self.taken = None;
            while self.taken.is_none() {
                let free = || holders.iter().position(Option::is_none);
                let Some(seat) = seat.take().or_else(free) else { break };
                let is_ours = self.take(seat, now).await?;
                if let Some(holder) = holders.get_mut(seat) {
                    // Whoever was faster sits there.
                    *holder = Some(if is_ours { self.holder } else { Uuid::nil() });
                }
            }
        }
        let share = share_of(&holders, self.holder);
        if share != self.share {
            tracing::debug!(?share, "the outbox is shared anew");
        }
        (self.share, self.looked) = (share, Some(Instant::now()));
        Ok(share)
    }

    async fn take(&mut self, seat: usize, now: Timestamp) -> Result<bool, StoreError> {
        let Some(lease) = self.seats.get(seat) else { return Ok(false) };
        let until = now.plus(self.lasts);
        let is_held = self.store.acquire_lease(lease, self.holder, now, until).await? == Lease::Held;
        if is_held {
            self.taken = Some(Taken { seat, since: now, asked: Instant::now() });
        }
        Ok(is_held)
    }

    /// Lets the others have the share at once, or nearly so.
    pub(super) async fn give_up(self) {
        let Some(lease) = self.taken.and_then(|taken| self.seats.get(taken.seat)) else { return };
        if let Err(error) = self.store.release_lease(lease, self.holder).await {
            tracing::debug!(lease, %error, "a seat was not given back, and ends in its time");
        }
    }
}

/// The share of a runner, by who sits where: the taken seats are counted, whatever their numbers.
fn share_of(holders: &[Option<Uuid>], own: Uuid) -> Option<Share> {
    let taken = holders.iter().flatten();
    let number = taken.clone().position(|holder| *holder == own)?;
    Share::new(u16::try_from(number).ok()?, u16::try_from(taken.count()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Uuid = Uuid::from_u128(1);
    const YOU: Uuid = Uuid::from_u128(2);
    const HER: Uuid = Uuid::from_u128(3);

    #[test]
    fn one_alone_has_all() {
        assert_eq!(share_of(&[None, Some(ME), None], ME), Some(Share::ALL));
    }

    #[test]
    fn each_of_several_has_another_share_and_together_they_have_all() {
        let holders = [Some(YOU), None, Some(ME), None, Some(HER)];
        let shares = [YOU, ME, HER].map(|one| share_of(&holders, one));
        assert_eq!(shares, [0, 1, 2].map(|number| Share::new(number, 3)));
    }

    #[test]
    fn who_has_no_seat_has_no_share() {
        assert_eq!(share_of(&[Some(YOU), None], ME), None);
        assert_eq!(share_of(&[], ME), None);
    }

    #[test]
    fn when_one_leaves_the_others_have_all() {
        let shares = [YOU, HER].map(|one| share_of(&[Some(YOU), None, Some(HER)], one));
        assert_eq!(shares, [Share::new(0, 2), Share::new(1, 2)]);
    }
}
