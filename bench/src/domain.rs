//! The smallest domain with an event of a usual size.

use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle, Snapshots};
use serde::{Deserialize, Serialize};

/// Counts what it was given. A snapshot of it is made after so many events; none if that is zero.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Meter<const SNAPSHOT_AFTER: u64 = 0> {
    total: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum MeterEvent {
    Read { meter_id: u64, value: u64 },
}

impl Event for MeterEvent {
    const CATEGORY: &'static str = "meter";
}

impl<const SNAPSHOT_AFTER: u64> Aggregate for Meter<SNAPSHOT_AFTER> {
    type Id = u64;
    type Event = MeterEvent;

    fn apply(&mut self, event: &MeterEvent) {
        let MeterEvent::Read { value, .. } = event;
        self.total = self.total.wrapping_add(*value);
    }

    fn snapshots() -> Option<Snapshots<Self>> {
        (SNAPSHOT_AFTER > 0).then(|| Snapshots::every(SNAPSHOT_AFTER))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Read<const SNAPSHOT_AFTER: u64 = 0> {
    pub(crate) meter_id: u64,
    pub(crate) value: u64,
}

impl<const SNAPSHOT_AFTER: u64> Command for Read<SNAPSHOT_AFTER> {
    const NAME: &'static str = "Read";
    type Aggregate = Meter<SNAPSHOT_AFTER>;

    fn aggregate_id(&self) -> &u64 {
        &self.meter_id
    }
}

impl<const SNAPSHOT_AFTER: u64> Handle<Read<SNAPSHOT_AFTER>> for Meter<SNAPSHOT_AFTER> {
    type Error = Infallible;

    fn handle(&self, command: &Read<SNAPSHOT_AFTER>) -> Result<Vec<MeterEvent>, Infallible> {
        Ok(vec![MeterEvent::Read { meter_id: command.meter_id, value: command.value }])
    }
}
