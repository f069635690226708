//! An event store for many nodes on one PostgreSQL database.
//!
//! [`PostgresStore`] keeps the events, and what process managers and event handlers know, in one schema of a database.
//! [`PostgresReadModel`] lets projections write tables with plain `sqlx`, to a `PgConnection`, in the same schema or in one of its
//! own.
//!
//! ```no_run
//! use cqrs_core::{EventStore, Position};
//! use cqrs_postgres::PostgresStore;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = PostgresStore::connect("postgres://coins@localhost/coins").await?;
//! assert_eq!(store.head().await?, Position::ZERO);
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Durability
//!
//! An append is acknowledged when the server has committed it, as durably as its `synchronous_commit` says, and at least on
//! its disk, unless [`PostgresOptions::synchronous`] says otherwise. Steps of process managers and event handlers, outcomes of
//! tasks, snapshots and leases are written without waiting for the disk, because they follow from the log: a crash of the
//! server may take the newest of them, never one from the middle, and they are made again. The next append makes them durable
//! too.
//!
//! # Many nodes
//!
//! Any number of nodes may use one schema. Each sees what the others append when it is told, by `NOTIFY`, and within
//! [`PostgresOptions::poll_interval`] in any case.

mod append;
mod connection;
mod error;
mod event_row;
mod handlers;
mod head;
mod judge;
mod leases;
mod listen;
mod names;
mod options;
mod process;
mod read;
mod read_model;
mod replace;
mod schema;
mod session;
mod shadow;
mod snapshots;
mod store;
mod tables;
mod text;
mod unstoppable;

pub use error::ConnectError;
pub use options::{PostgresOptions, Synchronous};
pub use read_model::{PostgresReadModel, PostgresTransaction};
pub use store::PostgresStore;
