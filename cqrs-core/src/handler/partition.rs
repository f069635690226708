//! Partitions: which keys have which watermark.

use std::collections::BTreeMap;

use super::lane::Key;
use crate::{EventPart, Position};

/// The partition of a key: FNV-1a, by Fowler, Noll and Vo, modulo the number of partitions. It must never change: the
/// watermarks of every store depend on it.
pub(super) fn of(key: &str, partitions: usize) -> usize {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = key.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    // Less than the number of partitions, which is a `usize`.
    (hash % partitions as u64) as usize
}

/// What of a partition is in memory.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// From the first event that is not finished on, with whether it is.
    open: BTreeMap<EventPart, (Key, bool)>,
    /// How many of them are finished.
    ahead: usize,
}

impl Partition {
    pub(super) fn begin(&mut self, part: EventPart, key: Key) {
        self.open.insert(part, (key, false));
    }

    pub(super) fn finish(&mut self, part: EventPart) {
        if let Some((_, finished)) = self.open.get_mut(&part) {
            *finished = true;
            self.ahead += 1;
        }
        while let Some(first) = self.open.first_entry()
            && first.get().1
        {
            first.remove();
            self.ahead -= 1;
        }
    }

    /// Whatever is at or below it is finished, when the log was read up to `read_to`.
    pub(super) fn watermark(&self, read_to: Position) -> Position {
        self.open.first_key_value().map_or(read_to, |(part, _)| before(part.position))
    }

    /// The keys of what is not finished, up to a position.
    pub(super) fn open_to(&self, position: Position) -> impl Iterator<Item = &Key> {
        let last = EventPart { position, part: u32::MAX };
        self.open.range(..=last).filter(|(_, (_, finished))| !finished).map(|(_, (key, _))| key)
    }

    /// The key that keeps the watermark back, when more than `limit` later events are finished.
    pub(super) fn laggard(&self, limit: usize) -> Option<Key> {
        if self.ahead <= limit {
            return None;
        }
        self.open.first_key_value().map(|(_, (key, _))| Key::clone(key))
    }
}

/// The position before another.
pub(super) fn before(position: Position) -> Position {
    Position::new(position.as_u64().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(position: u64) -> EventPart {
        Position::new(position).into()
    }

    /// Watermarks in every store depend on these numbers.
    #[test]
    fn the_partition_of_a_key_is_frozen() {
        let keys = ["", "account-me", "account-you", "überweisung", "移"];
        assert_eq!(keys.map(|key| of(key, 8)), [5, 5, 2, 1, 0]);
        assert_eq!(keys.map(|key| of(key, 1)), [0; 5]);
    }

    #[test]
    fn a_watermark_stays_before_the_first_event_that_is_not_finished() {
        let mut partition = Partition::default();
        let at = |partition: &Partition| partition.watermark(Position::new(9)).as_u64();
        assert_eq!(at(&partition), 9);
        for position in [3, 5, 7] {
            partition.begin(part(position), "k".into());
        }
        assert_eq!(at(&partition), 2);
        partition.finish(part(5));
        assert_eq!((at(&partition), partition.laggard(0)), (2, Some("k".into())));
        assert_eq!(partition.laggard(1), None);
        partition.finish(part(3));
        assert_eq!((at(&partition), partition.laggard(0)), (6, None));
        partition.finish(part(7));
        assert_eq!(at(&partition), 9);
    }

    #[test]
    fn a_part_that_is_not_finished_keeps_its_whole_event() {
        let mut partition = Partition::default();
        let second = EventPart { position: Position::new(4), part: 1 };
        partition.begin(part(4), "k".into());
        partition.begin(second, "k".into());
        partition.finish(part(4));
        assert_eq!(partition.watermark(Position::new(9)), Position::new(3));
    }
}
