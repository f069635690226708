//! Where a subscriber begins.

use crate::Position;

/// Where a subscriber begins that has no checkpoint yet. Once it has one, it goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first event that ever was.
    #[default]
    Origin,
    /// With the next event.
    Now,
    /// After this position.
    Position(Position),
}
