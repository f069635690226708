//! The leases: for each name, who has it.

use std::collections::HashMap;

use cqrs_core::{Lease, Timestamp};
use uuid::Uuid;

use crate::fact::{Change, Claim, Fact};

#[derive(Default)]
pub(crate) struct Leases(HashMap<String, Claim>);

impl Leases {
    /// Judges who asks for a lease.
    pub(crate) fn acquire(
        &self,
        lease: String,
        holder: Uuid,
        now: Timestamp,
        until: Timestamp,
    ) -> (Change, Lease) {
        match self.0.get(&lease) {
            Some(claim) if claim.holder != holder && claim.until > now => {
                (Change::new(), Lease::HeldBy { holder: claim.holder, until: claim.until })
            }
            _ => (vec![Fact::Lease(lease, Some(Claim { holder, until }))], Lease::Held),
        }
    }

    pub(crate) fn holders(&self, leases: &[String], now: Timestamp) -> Vec<Option<Uuid>> {
        let found = leases.iter().map(|lease| self.0.get(lease).filter(|claim| claim.until > now));
        found.map(|claim| claim.map(|claim| claim.holder)).collect()
    }

    /// Judges who gives a lease back.
    pub(crate) fn release(&self, lease: String, holder: Uuid) -> Change {
        match self.0.get(&lease) {
            Some(claim) if claim.holder == holder => vec![Fact::Lease(lease, None)],
            _ => Change::new(),
        }
    }

    pub(crate) fn put(&mut self, lease: String, claim: Option<Claim>) {
        match claim {
            Some(claim) => drop(self.0.insert(lease, claim)),
            None => drop(self.0.remove(&lease)),
        }
    }
}
