//! The smallest domain with an event of a usual size.

use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

/// Counts what it was given.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    total: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum MeterEvent {
    Read { meter_id: u64, value: u64 },
}

impl Event for MeterEvent {
    const CATEGORY: &'static str = "meter";
}

impl Aggregate for Meter {
    type Id = u64;
    type Event = MeterEvent;

    fn apply(&mut self, event: &MeterEvent) {
        let MeterEvent::Read { value, .. } = event;
        self.total = self.total.wrapping_add(*value);
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) meter_id: u64,
    pub(crate) value: u64,
}

impl Command for Read {
    const NAME: &'static str = "Read";
    type Aggregate = Meter;

    fn aggregate_id(&self) -> &u64 {
        &self.meter_id
    }
}

impl Handle<Read> for Meter {
    type Error = Infallible;

    fn handle(&self, command: &Read) -> Result<Vec<MeterEvent>, Infallible> {
        Ok(vec![MeterEvent::Read { meter_id: command.meter_id, value: command.value }])
    }
}
