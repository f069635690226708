//! A store of your own: everything in one file of lines, and the whole contract kept.
//!
//! It is built step by step in `docs/writing-a-store.md`. It is there to be read: all that it holds is in memory too,
//! and one call at a time works on the file.

mod fact;
mod handlers;
mod journal;
mod judge;
mod leases;
mod log;
mod opened;
mod processes;
mod snapshots;
mod state;
mod store;

pub use store::OwnStore;
