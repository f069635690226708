//! Where a subscriber begins.

use crate::Position;

/// Where a subscriber begins when it has never run. One that has run goes on where it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first event of the log.
    #[default]
    Origin,
    /// At the first event that is stored after the first start. That place is durable before the application has started.
    Now,
    /// At the first event after a position.
    Position(Position),
}
