//! Event handlers: each event at least once, in order within its key, and nobody waits for another key.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

#[path = "../common/mod.rs"]
mod common;

mod lease;
mod metrics;
mod order;
mod parked;
mod policies;
mod probe;
mod start;
mod storm;
