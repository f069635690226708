//! The search for nonces, on all cores.

use rayon::prelude::*;

use crate::{AccountId, Proof};

/// How many nonces are tried at once: about 64 coins, and some milliseconds of one core.
const CHUNK: u64 = 16_384;

/// Looks for the nonces that prove work, in increasing order.
///
/// It is an iterator over chunks: each item has the nonces of the next 16,384 candidates, none now and
/// then. It ends behind the largest nonce. Each step computes on all cores and blocks the calling thread.
///
/// ```
/// use coins::Search;
///
/// let nonces: Vec<u64> = Search::from(&"me".parse()?, 191).flatten().take(3).collect();
/// assert_eq!(nonces, [443, 486, 908]);
/// # Ok::<(), coins::InvalidAccountId>(())
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    proof: Proof,
    next: Option<u64>,
}

impl Search {
    /// Begins at a nonce.
    pub fn from(account: &AccountId, first: u64) -> Self {
        Self { proof: Proof::of(account), next: Some(first) }
    }

    /// Begins behind the last nonce that was used, or at zero when there is none.
    pub fn after(account: &AccountId, last: Option<u64>) -> Self {
        let next = last.map_or(Some(0), |last| last.checked_add(1));
        Self { proof: Proof::of(account), next }
    }

    /// Passes over everything up to a nonce.
    pub fn skip_to_after(&mut self, last: u64) {
        self.next = self.next.and_then(|next| last.checked_add(1).map(|first| next.max(first)));
    }
}

impl Iterator for Search {
    type Item = Vec<u64>;

    fn next(&mut self) -> Option<Vec<u64>> {
        let first = self.next?;
        let last = first.saturating_add(CHUNK - 1);
        self.next = last.checked_add(1);
        // Rayon keeps the order of the range when it collects.
        Some((first..=last).into_par_iter().filter(|nonce| self.proof.accepts(*nonce)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> AccountId {
        "me".parse().unwrap()
    }

    #[test]
    fn it_finds_every_nonce_once_and_in_order_across_chunks() {
        let proof = Proof::of(&me());
        let wanted: Vec<u64> = (0..5 * CHUNK).filter(|nonce| proof.accepts(*nonce)).collect();
        let found: Vec<u64> = Search::after(&me(), None).take(5).flatten().collect();
        assert_eq!(found, wanted);
        assert_eq!(found[..4], [190, 443, 486, 908]);
    }

    #[test]
    fn it_begins_behind_the_last_nonce() {
        let first = |search: Search| search.flatten().next();
        assert_eq!(first(Search::after(&me(), Some(189))), Some(190));
        assert_eq!(first(Search::after(&me(), Some(190))), Some(443));
        assert_eq!(first(Search::from(&me(), 190)), Some(190));
    }

    #[test]
    fn it_passes_over_what_somebody_else_used_and_never_goes_back() {
        let mut search = Search::after(&me(), None);
        search.skip_to_after(443);
        assert_eq!(search.clone().flatten().next(), Some(486));
        search.skip_to_after(3);
        assert_eq!(search.flatten().next(), Some(486));
    }

    #[test]
    fn it_ends_at_the_largest_nonce() {
        let proof = Proof::of(&me());
        let wanted: Vec<u64> =
            (u64::MAX - 2 * CHUNK..=u64::MAX).filter(|nonce| proof.accepts(*nonce)).collect();
        let mut search = Search::from(&me(), u64::MAX - 2 * CHUNK);
        assert_eq!(search.by_ref().flatten().collect::<Vec<_>>(), wanted);
        assert_eq!(search.next(), None);
        assert_eq!(Search::after(&me(), Some(u64::MAX)).next(), None);
        let mut skipped = Search::after(&me(), None);
        skipped.skip_to_after(u64::MAX);
        assert_eq!(skipped.next(), None);
    }
}
