//! What follows the log.

mod projection;

pub use projection::{Projection, ReadModel};
