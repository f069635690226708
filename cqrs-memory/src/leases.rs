//! The leases: for each name, who has it until when.

use std::collections::HashMap;

use cqrs_core::{Lease, Timestamp};
use uuid::Uuid;

#[derive(Default)]
pub(crate) struct Leases(HashMap<String, (Uuid, Timestamp)>);

impl Leases {
    pub(crate) fn acquire(&mut self, lease: &str, holder: Uuid, now: Timestamp, until: Timestamp) -> Lease {
        match self.0.get(lease) {
            Some(&(other, until)) if other != holder && until > now => {
                Lease::HeldBy { holder: other, until }
            }
            _ => {
                self.0.insert(lease.to_owned(), (holder, until));
                Lease::Held
            }
        }
    }

    pub(crate) fn holders(&self, leases: &[String], now: Timestamp) -> Vec<Option<Uuid>> {
        let found = leases.iter().map(|lease| self.0.get(lease).filter(|(_, until)| *until > now));
        found.map(|claim| claim.map(|(holder, _)| *holder)).collect()
    }

    pub(crate) fn release(&mut self, lease: &str, holder: Uuid) {
        if self.0.get(lease).is_some_and(|(found, _)| *found == holder) {
            self.0.remove(lease);
        }
    }
}
