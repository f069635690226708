//! A domain with a rule.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test program uses a part"
)]

mod carry;
mod hand;
mod paused;
mod told;

use std::cell::Cell;

pub use carry::{Carry, carry};
use cqrs_core::*;
pub use hand::Hand;
pub use paused::PausedClock;
use serde::{Deserialize, Serialize};
pub use told::{Text, log_here, measured, metrics_here};

thread_local! {
    /// After how many events pots leave a snapshot, on this thread; zero for never.
    pub static SNAPSHOT_EVERY: Cell<u64> = const { Cell::new(0) };
}

/// Something that holds an amount; it never goes below zero.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Pot {
    pub amount: i64,
    pub applied: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PotEvent {
    Added { pot: String, amount: i64 },
    Moved { pot: String, to: String, amount: i64, via: String },
    Arrived { pot: String, amount: i64, via: String },
    Returned { pot: String, amount: i64, via: String },
    Trapped,
}

impl Event for PotEvent {
    const CATEGORY: &'static str = "pot";
}

impl Aggregate for Pot {
    type Id = String;
    type Event = PotEvent;

    fn apply(&mut self, event: &PotEvent) {
        self.applied += 1;
        match event {
            PotEvent::Added { amount, .. }
            | PotEvent::Arrived { amount, .. }
            | PotEvent::Returned { amount, .. } => self.amount += amount,
            PotEvent::Moved { amount, .. } => self.amount -= amount,
            PotEvent::Trapped => panic!("apply fell into the trap"),
        }
    }

    fn snapshots() -> Option<Snapshots<Self>> {
        Some(SNAPSHOT_EVERY.get()).filter(|every| *every > 0).map(Snapshots::every)
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("the pot has {0}")]
    NotEnough(i64),
    #[error("the pot is closed")]
    Closed,
}

macro_rules! command {
    ($name:ident { $($field:ident: $type:ty),* } -> $error:ty) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            pub pot: String,
            $(pub $field: $type,)*
        }

        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Pot;

            fn aggregate_id(&self) -> &String {
                &self.pot
            }
        }

        impl Handle<$name> for Pot {
            type Error = $error;

            fn handle(&self, command: &$name) -> Result<Vec<PotEvent>, $error> {
                command.decide(self)
            }
        }
    };
}

command!(Add { amount: i64 } -> Refused);
command!(Touch {} -> std::convert::Infallible);
command!(Panic { in_apply: bool } -> std::convert::Infallible);
command!(Move { to: String, amount: i64, via: String } -> Refused);
command!(Arrive { amount: i64, via: String } -> Refused);
command!(GiveBack { amount: i64, via: String } -> std::convert::Infallible);

impl Add {
    /// Adding a negative amount takes; taking more than there is, is refused.
    fn decide(&self, pot: &Pot) -> Result<Vec<PotEvent>, Refused> {
        if pot.amount + self.amount < 0 {
            return Err(Refused::NotEnough(pot.amount));
        }
        Ok(vec![PotEvent::Added { pot: self.pot.clone(), amount: self.amount }])
    }
}

impl Touch {
    fn decide(&self, _: &Pot) -> Result<Vec<PotEvent>, std::convert::Infallible> {
        Ok(Vec::new())
    }
}

impl Panic {
    fn decide(&self, _: &Pot) -> Result<Vec<PotEvent>, std::convert::Infallible> {
        assert!(self.in_apply, "handle fell into the trap");
        // Half of it is applied when the other half panics.
        let pot = self.pot.clone();
        Ok(vec![PotEvent::Added { pot, amount: 1_000 }, PotEvent::Trapped])
    }
}

impl Move {
    fn decide(&self, pot: &Pot) -> Result<Vec<PotEvent>, Refused> {
        if self.amount > pot.amount {
            return Err(Refused::NotEnough(pot.amount));
        }
        let Self { pot, to, amount, via } = self.clone();
        Ok(vec![PotEvent::Moved { pot, to, amount, via }])
    }
}

impl Arrive {
    /// A pot named `closed` takes nothing in.
    fn decide(&self, _: &Pot) -> Result<Vec<PotEvent>, Refused> {
        if self.pot == "closed" {
            return Err(Refused::Closed);
        }
        let Self { pot, amount, via } = self.clone();
        Ok(vec![PotEvent::Arrived { pot, amount, via }])
    }
}

impl GiveBack {
    fn decide(&self, _: &Pot) -> Result<Vec<PotEvent>, std::convert::Infallible> {
        let Self { pot, amount, via } = self.clone();
        Ok(vec![PotEvent::Returned { pot, amount, via }])
    }
}

pub fn add(pot: &str, amount: i64) -> Add {
    Add { pot: pot.to_owned(), amount }
}

pub fn router() -> Router {
    Router::new().route::<Add>().route::<Move>().route::<Arrive>().route::<GiveBack>()
}

pub async fn stream(store: &dyn Store, pot: &str) -> Vec<RecordedEvent> {
    let stream = StreamId::new("pot", pot).unwrap();
    store.read_stream(&stream, StreamRead::forward(Version::new(1), 100_000)).await.unwrap()
}

/// Waits until a subscriber has failed, and tells with what.
pub async fn failure(app: &App, name: &str) -> String {
    let mut status = app.watch_status(name).unwrap();
    let failing = |status: &SubscriberStatus| matches!(status.state, SubscriberState::Retrying { .. });
    let SubscriberState::Retrying { error, .. } = status.wait_for(failing).await.unwrap().state.clone()
    else {
        unreachable!("that is what was waited for");
    };
    error
}
