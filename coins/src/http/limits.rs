//! How much a client may ask for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::connections::Peer;
use super::problem::Problem;

/// The requests of each client, as far as they are not forgotten yet.
#[derive(Clone, Debug)]
pub(super) struct Rate(Arc<DefaultKeyedRateLimiter<IpAddr>>);

impl Rate {
    pub(super) fn of(per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(per_second.saturating_mul(TWICE));
        Self(Arc::new(RateLimiter::keyed(quota)))
    }

    /// Forgets clients that have been quiet for so long that they may do as much as new ones.
    pub(super) fn tidy(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

const TWICE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

/// Lets a request pass, unless its client has made too many.
pub(super) async fn rate(State(rate): State<Rate>, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>() else { return next.run(request).await };
    match rate.0.check_key(&client(peer.remote.ip())) {
        Ok(()) => next.run(request).await,
        Err(not_until) => {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            let detail = "too many requests; those after a pause are answered again";
            let status = StatusCode::TOO_MANY_REQUESTS;
            let problem = Problem::new(status, "too_many_requests", "Too many requests", detail);
            problem.retry_after(wait.as_secs() + 1).into_response()
        }
    }
}

/// How many connections each client has, as long as it has any.
#[derive(Clone, Debug)]
pub(super) struct Places {
    most: Option<NonZeroUsize>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    client: IpAddr,
    places: Places,
}

impl Places {
    /// So many for each client, or without end.
    pub(super) fn of(most: Option<NonZeroUsize>) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// A place for one more connection from an address, or none.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let client = client(address);
        let mut taken = self.lock();
        let count = taken.entry(client).or_default();
        if self.most.is_some_and(|most| *count >= most.get()) {
            return None;
        }
        *count += 1;
        Some(Place { client, places: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.places.lock().entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Who counts as one client: an address, or for IPv6 the network that one customer is given.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

/// Lets a request take so long, its body included. What it has set off goes on.
pub(super) async fn time(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request took too long; with an Idempotency-Key it can be sent again";
            let status = StatusCode::REQUEST_TIMEOUT;
            Problem::new(status, "too_slow", "The request took too long", detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_the_network_of_one_customer() {
        let places = Places::of(NonZeroUsize::new(1));
        let mut held = Vec::new();
        for (address, is_new) in [
            ("10.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.2", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff:ffff:ffff:ffff", false),
            ("2001:db8:0:2::1", true),
        ] {
            let place = places.take(address.parse().unwrap());
            assert_eq!(place.is_some(), is_new, "{address}");
            held.extend(place);
        }
        // Nothing is remembered of who has gone.
        held.clear();
        assert!(places.lock().is_empty());
    }
}
