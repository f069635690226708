//! The smallest domain with a business transaction over two aggregates.

use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle, Interest, Outgoing, ProcessManager, RecordedEvent};
use serde::{Deserialize, Serialize};

/// What somebody has. It may be overdrawn, so that no transfer is refused.
#[derive(Debug, Default)]
pub(crate) struct Wallet {
    balance: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WalletEvent {
    Opened { wallet: u64 },
    Sent { wallet: u64, to: u64, transfer: u64, amount: u32 },
    Received { wallet: u64, transfer: u64, amount: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) wallet: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) wallet: u64,
    pub(crate) to: u64,
    pub(crate) transfer: u64,
    pub(crate) amount: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receive {
    wallet: u64,
    transfer: u64,
    amount: u32,
}

/// Carries a transfer from one wallet to the other. What it needs is in the event that begins it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Carry {}

impl Event for WalletEvent {
    const CATEGORY: &'static str = "wallet";
}

impl Aggregate for Wallet {
    type Id = u64;
    type Event = WalletEvent;

    fn apply(&mut self, event: &WalletEvent) {
        match event {
            WalletEvent::Opened { .. } => {}
            WalletEvent::Sent { amount, .. } => self.balance -= i64::from(*amount),
            WalletEvent::Received { amount, .. } => self.balance += i64::from(*amount),
        }
    }
}

macro_rules! command {
    ($name:ident, $command:ident => $event:expr) => {
        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Wallet;

            fn aggregate_id(&self) -> &u64 {
                &self.wallet
            }
        }

        impl Handle<$name> for Wallet {
            type Error = Infallible;

            fn handle(&self, $command: &$name) -> Result<Vec<WalletEvent>, Infallible> {
                Ok(vec![$event])
            }
        }
    };
}

command!(Open, open => WalletEvent::Opened { wallet: open.wallet });
command!(Send, send => {
    let Send { wallet, to, transfer, amount } = *send;
    WalletEvent::Sent { wallet, to, transfer, amount }
});
command!(Receive, receive => {
    let Receive { wallet, transfer, amount } = *receive;
    WalletEvent::Received { wallet, transfer, amount }
});

impl ProcessManager for Carry {
    const NAME: &'static str = "carry";
    type Event = WalletEvent;

    fn interested(event: &WalletEvent) -> Interest {
        match event {
            WalletEvent::Opened { .. } => Interest::none(),
            WalletEvent::Sent { transfer, .. } => Interest::start(transfer),
            WalletEvent::Received { transfer, .. } => Interest::stop(transfer),
        }
    }

    fn handle(&self, event: &RecordedEvent<WalletEvent>) -> Vec<Outgoing> {
        match event.data {
            WalletEvent::Sent { to, transfer, amount, .. } => {
                vec![Outgoing::command(Receive { wallet: to, transfer, amount })]
            }
            WalletEvent::Opened { .. } | WalletEvent::Received { .. } => Vec::new(),
        }
    }
}

/// How many transfers were received.
#[cfg(test)]
pub(crate) async fn received(store: &impl cqrs_core::EventStore) -> Result<u64, crate::Error> {
    use cqrs_core::{EventFilter, Position};
    let (mut received, mut at) = (0, Position::ZERO);
    loop {
        let page = store.read_log(at, &EventFilter::default(), 1_000).await?;
        if page.scanned_to == at {
            return Ok(received);
        }
        at = page.scanned_to;
        received += page.events.iter().filter(|event| &*event.event_type == "Received").count() as u64;
    }
}
