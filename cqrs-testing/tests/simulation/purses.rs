//! A domain in which every mistake costs something: a second leg that is not careful, and one that may be refused.

use std::convert::Infallible;

use cqrs_core::*;
use serde::{Deserialize, Serialize};

/// A purse holds so much, and no more.
const FULL: i64 = 12;

/// Whoever sends to this purse waits for an operator.
pub(crate) const CURSED: &str = "cursed";

#[derive(Default)]
pub(crate) struct Purse {
    amount: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum PurseEvent {
    Filled {
        purse: String,
        amount: i64,
    },
    Sent {
        purse: String,
        to: String,
        amount: i64,
        via: String,
    },
    Taken {
        purse: String,
        amount: i64,
        via: String,
    },
    GivenBack {
        purse: String,
        amount: i64,
        via: String,
    },
    /// The sender waits no longer. What was asked for by then goes on.
    Forgotten {
        purse: String,
        via: String,
    },
}

impl Event for PurseEvent {
    const CATEGORY: &'static str = "purse";
}

impl PurseEvent {
    /// Whose event it is, and what it changes.
    pub(crate) fn change(&self) -> (&str, i64) {
        match self {
            Self::Filled { purse, amount }
            | Self::Taken { purse, amount, .. }
            | Self::GivenBack { purse, amount, .. } => (purse, *amount),
            Self::Sent { purse, amount, .. } => (purse, -amount),
            Self::Forgotten { purse, .. } => (purse, 0),
        }
    }
}

impl Aggregate for Purse {
    type Id = String;
    type Event = PurseEvent;

    fn apply(&mut self, event: &PurseEvent) {
        self.amount += event.change().1;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the purse has {0}")]
pub(crate) struct Refused(i64);

macro_rules! command {
    ($name:ident { $($field:ident: $type:ty),* } -> $error:ty) => {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(crate) struct $name {
            pub(crate) purse: String,
            $(pub(crate) $field: $type,)*
        }

        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Purse;

            fn aggregate_id(&self) -> &String {
                &self.purse
            }
        }

        impl Handle<$name> for Purse {
            type Error = $error;

            fn handle(&self, command: &$name) -> Result<Vec<PurseEvent>, $error> {
                command.clone().decide(self)
            }
        }
    };
}

command!(Fill { amount: i64 } -> Refused);
command!(Send { to: String, amount: i64, via: String } -> Refused);
command!(Take { amount: i64, via: String } -> Refused);
command!(Forget { via: String } -> Infallible);
command!(GiveBack { amount: i64, via: String } -> Infallible);

impl Fill {
    fn decide(self, purse: &Purse) -> Result<Vec<PurseEvent>, Refused> {
        let Self { purse: id, amount } = self;
        purse.holds(amount)?;
        Ok(vec![PurseEvent::Filled { purse: id, amount }])
    }
}

impl Send {
    fn decide(self, purse: &Purse) -> Result<Vec<PurseEvent>, Refused> {
        let Self { purse: id, to, amount, via } = self;
        if amount > purse.amount {
            return Err(Refused(purse.amount));
        }
        Ok(vec![PurseEvent::Sent { purse: id, to, amount, via }])
    }
}

impl Take {
    /// It takes whatever fits, also a second time: only the receipt knows better.
    fn decide(self, purse: &Purse) -> Result<Vec<PurseEvent>, Refused> {
        let Self { purse: id, amount, via } = self;
        if id == CURSED {
            return Err(Refused(0));
        }
        purse.holds(amount)?;
        Ok(vec![PurseEvent::Taken { purse: id, amount, via }])
    }
}

impl Forget {
    fn decide(self, _: &Purse) -> Result<Vec<PurseEvent>, Infallible> {
        let Self { purse, via } = self;
        Ok(vec![PurseEvent::Forgotten { purse, via }])
    }
}

impl GiveBack {
    fn decide(self, _: &Purse) -> Result<Vec<PurseEvent>, Infallible> {
        let Self { purse, amount, via } = self;
        Ok(vec![PurseEvent::GivenBack { purse, amount, via }])
    }
}

impl Purse {
    fn holds(&self, more: i64) -> Result<(), Refused> {
        if self.amount + more > FULL { Err(Refused(self.amount)) } else { Ok(()) }
    }
}

/// Carries an amount to another purse, and back when that is full. What it asks for when it is refused is in its state
/// alone.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Carry {
    from: Option<(String, i64, String)>,
}

impl ProcessManager for Carry {
    const NAME: &'static str = "carry";
    type Event = PurseEvent;

    fn interested(event: &PurseEvent) -> Interest {
        match event {
            PurseEvent::Sent { via, .. } => Interest::start(via),
            PurseEvent::Taken { via, .. }
            | PurseEvent::GivenBack { via, .. }
            | PurseEvent::Forgotten { via, .. } => Interest::stop(via),
            PurseEvent::Filled { .. } => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<PurseEvent>) -> Vec<Outgoing> {
        match event.data.clone() {
            PurseEvent::Sent { to: purse, amount, via, .. } => {
                vec![Outgoing::command(Take { purse, amount, via })]
            }
            _ => Vec::new(),
        }
    }

    fn apply(&mut self, event: &PurseEvent) {
        if let PurseEvent::Sent { purse, amount, via, .. } = event {
            self.from = Some((purse.clone(), *amount, via.clone()));
        }
    }

    fn failed(&self, failure: &Failure) -> Recovery {
        let take: Take = failure.command.data.decode().unwrap();
        match self.from.clone() {
            Some((purse, amount, via)) if take.purse != CURSED => {
                Recovery::Compensate(vec![Outgoing::command(GiveBack { purse, amount, via })])
            }
            _ => Recovery::Park,
        }
    }
}
