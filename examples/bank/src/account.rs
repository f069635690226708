//! The account.

use cqrs_core::{Aggregate, Snapshots};
use serde::{Deserialize, Serialize};

use crate::{AccountEvent, Cents};

/// An account, as its events made it.
///
/// It is `Serialize` and `Deserialize` because it is kept in snapshots; an aggregate without them need not be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub(crate) owner: Option<String>,
    pub(crate) balance: Cents,
    fees: Cents,
}

impl Account {
    /// What can be withdrawn.
    pub fn balance(&self) -> Cents {
        self.balance
    }

    /// What the bank took, ever.
    pub fn fees(&self) -> Cents {
        self.fees
    }
}

impl Aggregate for Account {
    type Id = String;
    type Event = AccountEvent;

    /// What is in an event has happened, so nothing is refused here. The sums cannot leave their range: a deposit that
    /// would was refused, and nobody withdraws what is not there.
    fn apply(&mut self, event: &AccountEvent) {
        let less = |from: Cents, amount: &Cents| from.minus(*amount).unwrap_or_default();
        match event {
            AccountEvent::Opened { owner } => self.owner = Some(owner.clone()),
            AccountEvent::Deposited { amount } => {
                self.balance = self.balance.plus(*amount).unwrap_or(self.balance);
            }
            AccountEvent::Withdrawn { amount } => self.balance = less(self.balance, amount),
            AccountEvent::FeeTaken { amount } => {
                self.balance = less(self.balance, amount);
                self.fees = self.fees.plus(*amount).unwrap_or(self.fees);
            }
        }
    }

    /// After a hundred events the state is stored, and whoever needs the account reads that and what came since.
    ///
    /// The first snapshots knew nothing of fees. Nobody converts them: they have another schema version, so they are
    /// not even read, and the state is made of all events once.
    fn snapshots() -> Option<Snapshots<Self>> {
        Some(Snapshots::every(100).schema_version(2))
    }
}
