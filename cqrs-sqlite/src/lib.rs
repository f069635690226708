//! An event store in one SQLite file.
//!
//! [`SqliteStore`] keeps the events and what process managers know; [`SqliteReadModel`] lets projections write
//! tables with plain `sqlx`, in the same file or in one of its own.
//!
//! ```
//! use cqrs_core::{EventStore, Position};
//! use cqrs_sqlite::SqliteStore;
//!
//! # async fn example(directory: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let store = SqliteStore::open(directory.join("coins.db")).await?;
//! assert_eq!(store.head().await?, Position::ZERO);
//! store.close().await;
//! # Ok(())
//! # }
//! # let directory = tempfile::tempdir()?;
//! # tokio::runtime::Runtime::new()?.block_on(example(directory.path()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Durability
//!
//! An append is on the disk when it is acknowledged: the file is in WAL mode, with `synchronous = FULL` unless
//! [`SqliteOptions::synchronous`] says otherwise. Steps of process managers, outcomes of tasks and projections
//! are written without waiting for the disk, because they follow from the log: after a power loss the newest of
//! them may be missing, never one from the middle, and they are made again. The next append makes them
//! durable too. A crash of the process alone loses nothing.
//!
//! # Several processes
//!
//! Any number of processes may open one file on one machine. Each sees what the others append within
//! [`SqliteOptions::poll_interval`]. A network file system will not do, since WAL needs shared memory.

mod append;
mod connection;
mod error;
mod event_row;
mod file;
mod gate;
mod handlers;
mod head;
mod judge;
mod leases;
mod lock;
mod log_reader;
mod log_writer;
mod options;
mod process;
mod read;
mod read_model;
mod replace;
mod shadow;
mod snapshots;
mod store;

pub use error::OpenError;
pub use options::{SqliteOptions, Synchronous};
pub use read_model::{SqliteReadModel, SqliteTransaction};
pub use store::SqliteStore;
