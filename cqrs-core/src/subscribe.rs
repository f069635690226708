//! What follows the log: one loop, and what projections and process managers do on it.

mod consumer;
mod meter;
mod options;
mod pages;
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
pub(crate) use options::SHORTEST;
pub use options::SubscribeOptions;
pub(crate) use pages::Pages;
pub use projection::Projection;
pub use read_model::{Checkpoint, ReadModel};
pub(crate) use rebuild::{Rebuildable, UnderWay};
pub(crate) use reporter::{ProgressReporter, Reporter, Setback};
pub(crate) use run::{Halt, Runner, Worker};
pub use start::StartFrom;
pub(crate) use start::began;
pub use status::{RebuildProgress, SubscriberKind, SubscriberState, SubscriberStatus};
pub(crate) use tenant::{Tenant, Whose};
pub(crate) use worker::ProjectionWorker;
