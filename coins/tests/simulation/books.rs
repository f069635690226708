//! What the log adds up to.

use std::collections::{BTreeMap, BTreeSet};

use coins::{AccountEvent, AccountId, Proof, TransferId};
use cqrs_core::RecordedEvent;

use crate::bank::Balances;

/// A transfer, among those of its sender.
type Transfer = (TransferId, AccountId);

/// What the log adds up to.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) balances: Balances,
    pub(crate) last_nonces: BTreeMap<AccountId, u64>,
    pub(crate) transfers: BTreeSet<Transfer>,
    pub(crate) under_way: BTreeMap<Transfer, (AccountId, i64)>,
    mined: i64,
}

impl Books {
    /// Adds up, and checks on the way what must hold after each event.
    pub(crate) fn of(events: &[RecordedEvent<AccountEvent>]) -> Self {
        let mut books = Self::default();
        for event in events {
            books.take(&event.data);
            let balances: i64 = books.balances.values().sum();
            let under_way: i64 = books.under_way.values().map(|(_, coins)| coins).sum();
            assert_eq!(books.mined, balances + under_way, "coins are conserved at {}", event.position);
        }
        books
    }

    fn take(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::CoinMined { account_id, nonce } => {
                self.change(account_id, 1);
                self.mined += 1;
                assert!(Proof::of(account_id).accepts(*nonce), "{nonce} proves nothing for {account_id}");
                let last = self.last_nonces.insert(account_id.clone(), *nonce);
                assert!(last.is_none_or(|last| last < *nonce), "{account_id} used {nonce} after {last:?}");
            }
            AccountEvent::CoinsSent { account_id, to, amount, transfer_id } => {
                let coins = amount.as_u64() as i64;
                self.change(account_id, -coins);
                let transfer = (*transfer_id, account_id.clone());
                assert!(self.transfers.insert(transfer.clone()), "{transfer:?} is sent twice");
                self.under_way.insert(transfer, (to.clone(), coins));
            }
            AccountEvent::CoinsReceived { account_id, from, amount, transfer_id } => {
                let coins = amount.as_u64() as i64;
                self.change(account_id, coins);
                let arrives = self.under_way.remove(&(*transfer_id, from.clone()));
                assert_eq!(
                    arrives,
                    Some((account_id.clone(), coins)),
                    "{transfer_id} of {from} arrives once"
                );
            }
        }
    }

    fn change(&mut self, account: &AccountId, coins: i64) {
        let balance = self.balances.entry(account.clone()).or_default();
        *balance += coins;
        assert!(*balance >= 0, "{account} has {balance}");
    }
}
