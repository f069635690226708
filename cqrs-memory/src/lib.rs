//! An event store and read models in memory, for tests and demonstrations.
//!
//! [`MemoryStore`] keeps every rule of a store's contract save durability, and is the simplest code that
//! does: read it to learn what a store must do. [`InMemory`] makes any Rust value a read model.

mod handlers;
mod leases;
mod log;
mod process;
mod read_model;
mod snapshots;
mod store;

pub use read_model::{InMemory, MemoryTransaction};
pub use store::MemoryStore;
