//! The plan of the seats that are taken.

use std::collections::BTreeMap;

use async_trait::async_trait;
use cqrs_core::{BoxError, Projection, RecordedEvent};

use crate::SeatEvent;

/// Which seats are taken, and by whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan(pub BTreeMap<String, String>);

/// Keeps the [`Plan`] up to date.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanProjection;

#[async_trait]
impl Projection for PlanProjection {
    const NAME: &'static str = "plan";
    type Event = SeatEvent;
    type Target = Plan;

    async fn project(
        &self,
        event: &RecordedEvent<SeatEvent>,
        Plan(plan): &mut Plan,
    ) -> Result<(), BoxError> {
        match &event.data {
            SeatEvent::Reserved { seat, guest } => plan.insert(seat.clone(), guest.clone()),
            SeatEvent::Released { seat } => plan.remove(seat),
        };
        Ok(())
    }
}
