//! Event handlers: events in, side effects out, each event at least once.
//!
//! What is delivered when, and what is stored because of it, is decided in `desk.rs`, without any I/O. The runner
//! around it reads the log, delivers, and commits.

mod begin;
mod calls;
mod delivery;
mod desk;
mod event_handler;
mod failure;
mod insist;
mod lane;
mod measure;
mod options;
mod partition;
mod runner;

pub(crate) use begin::{begin, stands};
pub use event_handler::EventHandler;
pub use failure::{HandlerFailure, Policy};
pub use options::HandlerOptions;
pub(crate) use runner::{Around, HandlerRunner};
