//! An event store and read models in memory, for tests and demonstrations.
//!
//! [`MemoryStore`] keeps every rule of a store's contract save durability, and is the simplest code that
//! does: read it to learn what a store must do. [`InMemory`] makes any Rust value a read model.
//!
//! A clone of either is the same store or value. What is stored is gone with the last clone, so an application that is
//! started again on a clone is how a test plays a restart.
//!
//! ```
//! use cqrs_core::{App, EventStore, Position};
//! use cqrs_memory::{InMemory, MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryStore::new();
//! let app = App::builder(store.clone()).start().await?;
//! app.shutdown().await;
//! assert_eq!(store.head().await?, Position::ZERO);
//!
//! // `.projection(MyProjection, names.clone())` lets a projection write it; whoever has a clone reads.
//! let names = InMemory::<Vec<String>>::default();
//! assert!(names.read(|names| names.is_empty()).await);
//! # Ok(())
//! # }
//! ```
//!
//! A whole domain on both is on the front page of [`cqrs_core`].

mod handlers;
mod leases;
mod log;
mod process;
mod read_model;
mod snapshots;
mod store;

pub use read_model::{InMemory, MemoryTransaction};
pub use store::MemoryStore;
