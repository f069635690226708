//! A process manager between pots.

use cqrs_core::*;
use serde::{Deserialize, Serialize};

use super::{Arrive, GiveBack, Move, PotEvent};

/// Carries an amount from pot to pot, and gives it back when the other pot does not take it.
#[derive(Default, Serialize, Deserialize)]
pub struct Carry {
    from: Option<String>,
    amount: i64,
}

impl ProcessManager for Carry {
    const NAME: &'static str = "carry";
    type Event = PotEvent;

    fn interested(event: &PotEvent) -> Interest {
        match event {
            PotEvent::Moved { via, .. } => Interest::start(via),
            PotEvent::Arrived { via, .. } | PotEvent::Returned { via, .. } => Interest::stop(via),
            _ => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PotEvent>) -> Vec<Outgoing> {
        match event.data.clone() {
            PotEvent::Moved { to: pot, amount, via, .. } => {
                vec![Outgoing::command(Arrive { pot, amount, via })]
            }
            _ => Vec::new(),
        }
    }

    fn apply(&mut self, event: &PotEvent) {
        if let PotEvent::Moved { pot, amount, .. } = event {
            (self.from, self.amount) = (Some(pot.clone()), *amount);
        }
    }

    fn failed(&self, failure: &Failure) -> Recovery {
        let (Some(pot), Ok(Arrive { via, .. })) = (self.from.clone(), failure.command.data.decode()) else {
            return Recovery::Park;
        };
        Recovery::Compensate(vec![Outgoing::command(GiveBack { pot, amount: self.amount, via })])
    }
}

pub fn carry(pot: &str, to: &str, amount: i64, via: &str) -> Move {
    Move { pot: pot.into(), to: to.into(), amount, via: via.into() }
}
