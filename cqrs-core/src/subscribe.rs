//! What follows the log: one loop, and what projections and process managers do on it.

mod consumer;
mod meter;
mod options;
mod projection;
mod read_model;
mod rebuild;
mod reporter;
mod run;
mod start;
mod status;
mod tenant;
mod worker;

pub(crate) use consumer::follow;
pub use options::SubscribeOptions;
pub use projection::Projection;
pub use read_model::{Checkpoint, ReadModel};
pub(crate) use rebuild::{Rebuildable, UnderWay};
pub(crate) use reporter::{ProgressReporter, Reporter};
pub(crate) use run::{Halt, Runner, Worker};
pub use start::StartFrom;
pub use status::{RebuildProgress, SubscriberKind, SubscriberState, SubscriberStatus};
pub(crate) use tenant::Tenant;
pub(crate) use worker::ProjectionWorker;
