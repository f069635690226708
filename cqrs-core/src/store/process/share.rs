//! A part of the outbox, for one of several runners.

use uuid::Uuid;

use super::{InstanceId, OutboxEntry};

/// How many shards the instances of all process managers are spread over.
pub const SHARDS: u16 = 1_024;

/// A runner's part of the outbox: the tasks of the instances whose shard, divided by how many parts there are, leaves the
/// part's number.
///
/// So all tasks of an instance are in one part, and every task is in exactly one of the parts that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: u16,
    of: u16,
}

impl Share {
    /// The whole outbox.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// One of so many parts, counted from zero; `None` when there is no such part.
    pub fn new(number: u16, of: u16) -> Option<Self> {
        (number < of).then_some(Self { number, of })
    }

    /// Its number, from zero.
    pub fn number(self) -> u16 {
        self.number
    }

    /// How many parts there are.
    pub fn of(self) -> u16 {
        self.of
    }

    /// Whether the tasks of a shard are in it. A store that has a column for the shard asks the same of it.
    pub fn has(self, shard: u16) -> bool {
        shard % self.of == self.number
    }

    /// Whether a task is in it.
    pub fn has_task(self, task: &OutboxEntry) -> bool {
        self.of == 1 || self.has(task.shard())
    }
}

/// The shard of an instance.
fn shard_of(process: &str, instance: &InstanceId) -> u16 {
    /// Drawn at random once; it must never change, since stores keep the shards of tasks.
    const NAMESPACE: Uuid = Uuid::from_u128(0xe3a9_41d6_70f5_4c28_9b61_5f0c_2e87_d94a);
    let name = format!("{}:{process}{instance}", process.len());
    let hash = Uuid::new_v5(&NAMESPACE, name.as_bytes()).into_bytes();
    u16::from_be_bytes([hash[0], hash[1]]) % SHARDS
}

impl OutboxEntry {
    /// The shard of its instance, below [`SHARDS`]. It follows from the names of the process manager and the instance and
    /// never changes.
    pub fn shard(&self) -> u16 {
        shard_of(&self.process, &self.instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(process: &str, instance: &str) -> u16 {
        shard_of(process, &InstanceId::new(instance).unwrap())
    }

    /// What stores keep depends on these values.
    #[test]
    fn shards_are_frozen() {
        assert_eq!(shard("send-coins", "t-1"), 652);
        assert_ne!(shard("send-coins", "t-1"), shard("send-coinst", "-1"));
    }

    #[test]
    fn a_shard_is_in_one_share_of_several() {
        for of in 1..=64 {
            let shares: Vec<_> = (0..of).map(|number| Share::new(number, of).unwrap()).collect();
            for shard in 0..SHARDS {
                assert_eq!(shares.iter().filter(|share| share.has(shard)).count(), 1);
            }
        }
        assert_eq!((Share::new(1, 1), Share::new(0, 0), Share::new(0, 1)), (None, None, Some(Share::ALL)));
    }

    #[test]
    fn instances_are_spread_evenly() {
        let share = Share::new(1, 3).unwrap();
        let in_share = (0..3_000).filter(|id| share.has(shard("send-coins", &format!("t-{id}")))).count();
        assert!((900..1_100).contains(&in_share), "{in_share} of 3000 instances are in a third");
    }
}
