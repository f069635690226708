//! A seat, and who has it.

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

/// What can happen to a seat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum SeatEvent {
    Reserved { seat: String, guest: String },
    Released { seat: String },
}

impl Event for SeatEvent {
    const CATEGORY: &'static str = "seat";
}

/// A seat.
#[derive(Debug, Default)]
pub struct Seat {
    guest: Option<String>,
}

impl Aggregate for Seat {
    type Id = String;
    type Event = SeatEvent;

    fn apply(&mut self, event: &SeatEvent) {
        self.guest = match event {
            SeatEvent::Reserved { guest, .. } => Some(guest.clone()),
            SeatEvent::Released { .. } => None,
        };
    }
}

/// Keeps a seat for a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Reserve {
    pub seat: String,
    pub guest: String,
}

/// Gives a seat back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Release {
    pub seat: String,
}

impl Command for Reserve {
    const NAME: &'static str = "Reserve";
    type Aggregate = Seat;

    fn aggregate_id(&self) -> &String {
        &self.seat
    }
}

impl Command for Release {
    const NAME: &'static str = "Release";
    type Aggregate = Seat;

    fn aggregate_id(&self) -> &String {
        &self.seat
    }
}

/// What a command becomes, if no rule is against it. By this a repeated request is known.
impl From<&Reserve> for SeatEvent {
    fn from(command: &Reserve) -> Self {
        let Reserve { seat, guest } = command.clone();
        Self::Reserved { seat, guest }
    }
}

impl From<&Release> for SeatEvent {
    fn from(command: &Release) -> Self {
        Self::Released { seat: command.seat.clone() }
    }
}

/// One seat, one guest. Who it is, is nobody's business.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the seat is taken")]
pub struct Taken;

/// What is free cannot be given back.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the seat is not reserved")]
pub struct NotReserved;

impl Handle<Reserve> for Seat {
    type Error = Taken;

    fn handle(&self, command: &Reserve) -> Result<Vec<SeatEvent>, Taken> {
        if self.guest.is_some() {
            return Err(Taken);
        }
        Ok(vec![command.into()])
    }
}

impl Handle<Release> for Seat {
    type Error = NotReserved;

    fn handle(&self, command: &Release) -> Result<Vec<SeatEvent>, NotReserved> {
        if self.guest.is_none() {
            return Err(NotReserved);
        }
        Ok(vec![command.into()])
    }
}
