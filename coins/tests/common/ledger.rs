//! What the log of the coins must add up to, and what its read models must have.

use std::collections::{BTreeMap, HashMap, HashSet};

use coins::{AccountEvent, AccountId, TransferId};
use cqrs_core::{EventFilter, EventStore, Position, RecordedEvent};

/// The whole log.
pub(crate) async fn log(store: &impl EventStore) -> Vec<RecordedEvent<AccountEvent>> {
    let mut events: Vec<RecordedEvent<AccountEvent>> = Vec::new();
    loop {
        let after = events.last().map_or(Position::ZERO, |event| event.position);
        let page = store.read_log(after, &EventFilter::all(), 1_000).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(RecordedEvent::decode_all(page.events).unwrap());
    }
}

/// What the log adds up to.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) mined: i64,
    pub(crate) balances: BTreeMap<String, i64>,
    pub(crate) under_way: HashMap<TransferId, i64>,
    /// Each coin that was mined, and each transfer that has arrived.
    pub(crate) said: HashSet<String>,
}

impl Ledger {
    /// Adds up, and checks on the way what must hold after each event.
    pub(crate) fn of(events: &[RecordedEvent<AccountEvent>]) -> Self {
        let mut ledger = Self::default();
        let mut versions = HashMap::new();
        for (position, event) in (1..).zip(events) {
            assert_eq!(event.position, Position::new(position), "positions are dense");
            let version: &mut u64 = versions.entry(event.stream.clone()).or_default();
            *version += 1;
            assert_eq!(event.version.as_u64(), *version, "stream {} is gapless", event.stream);
            ledger.take(&event.data);
            let held: i64 = ledger.balances.values().chain(ledger.under_way.values()).sum();
            assert_eq!(ledger.mined, held, "coins are conserved at position {position}");
        }
        ledger
    }

    fn take(&mut self, event: &AccountEvent) {
        let mut change = |account: &AccountId, coins: i64| {
            let balance = self.balances.entry(account.to_string()).or_default();
            *balance += coins;
            assert!(*balance >= 0, "{account} has {balance}");
        };
        match event {
            AccountEvent::CoinMined { account_id, nonce } => {
                change(account_id, 1);
                self.mined += 1;
                assert!(self.said.insert(format!("mined {account_id}/{nonce}")), "a nonce is used once");
            }
            AccountEvent::CoinsSent { account_id, amount, transfer_id, .. } => {
                let coins = amount.as_u64() as i64;
                change(account_id, -coins);
                assert_eq!(self.under_way.insert(*transfer_id, coins), None, "a transfer is sent once");
            }
            AccountEvent::CoinsReceived { account_id, amount, transfer_id, .. } => {
                let coins = amount.as_u64() as i64;
                change(account_id, coins);
                assert_eq!(self.under_way.remove(transfer_id), Some(coins), "a transfer arrives once");
                self.said.insert(format!("sent {transfer_id}"));
            }
        }
    }

    /// Whether it has all that somebody was told.
    pub(crate) fn check(&self, acknowledged: &HashSet<String>) {
        let lost: Vec<_> = acknowledged.difference(&self.said).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
}

/// What a statement of each account would have: account, version and balance.
pub(crate) fn statements(events: &[RecordedEvent<AccountEvent>]) -> Vec<(String, i64, i64)> {
    let mut ledger = Ledger::default();
    let line = |event: &RecordedEvent<AccountEvent>| {
        ledger.take(&event.data);
        let account = event.data.account_id().to_string();
        let balance = ledger.balances[&account];
        (account, event.version.as_u64() as i64, balance)
    };
    events.iter().map(line).collect()
}

/// Each transfer: its id, its sender, its amount, and whether it has arrived.
pub(crate) fn transfers(events: &[RecordedEvent<AccountEvent>]) -> Vec<(String, String, i64, bool)> {
    let mut transfers = Vec::new();
    for event in events {
        match &event.data {
            AccountEvent::CoinMined { .. } => {}
            AccountEvent::CoinsSent { account_id, amount, transfer_id, .. } => {
                transfers.push((
                    transfer_id.to_string(),
                    account_id.to_string(),
                    amount.as_u64() as i64,
                    false,
                ));
            }
            AccountEvent::CoinsReceived { transfer_id, .. } => {
                let id = transfer_id.to_string();
                let transfer = transfers.iter_mut().find(|transfer| transfer.0 == id);
                transfer.expect("what arrives was sent").3 = true;
            }
        }
    }
    transfers
}
