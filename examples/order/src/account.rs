//! A customer's money.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

use crate::{Amount, Customer, OrderId};

/// From this amount on, in cents, the customer is asked before he is charged.
const ASKED_FROM: u64 = 10_000;

/// A customer's money in the shop. It never falls below zero, and an order is charged once at most.
#[derive(Debug, Default)]
pub struct Account {
    // Wider than any sum of amounts that a stream can hold, so that nothing can overflow.
    balance: u128,
    payments: BTreeMap<OrderId, Payment>,
}

/// How far the payment of an order has come.
#[derive(Debug, PartialEq)]
enum Payment {
    /// The customer has been asked.
    Asked(Amount),
    Charged(Amount),
    /// It came back, or was never taken. It stays so.
    Over,
}

/// What can happen to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum AccountEvent {
    Deposited {
        customer: Customer,
        amount: Amount,
    },
    /// The payment waits for the customer.
    ApprovalAsked {
        customer: Customer,
        order_id: OrderId,
        amount: Amount,
    },
    Charged {
        customer: Customer,
        order_id: OrderId,
        amount: Amount,
    },
    Refunded {
        customer: Customer,
        order_id: OrderId,
        amount: Amount,
    },
    /// The customer is asked no longer. Nothing had been taken.
    ApprovalWithdrawn {
        customer: Customer,
        order_id: OrderId,
    },
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

impl Aggregate for Account {
    type Id = Customer;
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited { amount, .. } => self.balance += u128::from(amount.as_u64()),
            AccountEvent::ApprovalAsked { order_id, amount, .. } => {
                self.payments.insert(order_id.clone(), Payment::Asked(*amount));
            }
            AccountEvent::Charged { order_id, amount, .. } => {
                self.balance -= u128::from(amount.as_u64());
                self.payments.insert(order_id.clone(), Payment::Charged(*amount));
            }
            AccountEvent::Refunded { order_id, amount, .. } => {
                self.balance += u128::from(amount.as_u64());
                self.payments.insert(order_id.clone(), Payment::Over);
            }
            AccountEvent::ApprovalWithdrawn { order_id, .. } => {
                self.payments.insert(order_id.clone(), Payment::Over);
            }
        }
    }
}

/// Pays money in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Deposit {
    pub customer: Customer,
    pub amount: Amount,
}

/// Takes the money for an order, or asks the customer first when it is much.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Charge {
    pub customer: Customer,
    pub order_id: OrderId,
    pub amount: Amount,
}

/// The customer agrees to a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Approve {
    pub customer: Customer,
    pub order_id: OrderId,
}

/// Gives back what an order has cost so far, be it money or a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Refund {
    pub customer: Customer,
    pub order_id: OrderId,
}

macro_rules! of_account {
    ($($command:ident)*) => {$(
        impl Command for $command {
            const NAME: &'static str = stringify!($command);
            type Aggregate = Account;

            fn aggregate_id(&self) -> &Customer {
                &self.customer
            }
        }
    )*};
}

of_account!(Deposit Charge Approve Refund);

/// Why an order is not charged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{amount} is to be paid, and the account has {balance} cents")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ChargeError {
    pub amount: Amount,
    pub balance: u128,
}

/// Why a payment is not approved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NothingToApprove {
    /// Nobody has asked, or nobody asks any longer.
    #[error("no payment of order {0} waits for approval")]
    NotAsked(OrderId),
    /// The money has gone elsewhere meanwhile.
    #[error(transparent)]
    NotEnough(#[from] ChargeError),
}

impl Account {
    fn can_pay(&self, amount: Amount) -> Result<(), ChargeError> {
        if u128::from(amount.as_u64()) > self.balance {
            return Err(ChargeError { amount, balance: self.balance });
        }
        Ok(())
    }
}

impl Handle<Deposit> for Account {
    type Error = Infallible;

    fn handle(&self, deposit: &Deposit) -> Result<Vec<AccountEvent>, Infallible> {
        let Deposit { customer, amount } = deposit.clone();
        Ok(vec![AccountEvent::Deposited { customer, amount }])
    }
}

impl Handle<Charge> for Account {
    type Error = ChargeError;

    fn handle(&self, charge: &Charge) -> Result<Vec<AccountEvent>, ChargeError> {
        let Charge { customer, order_id, amount } = charge.clone();
        if self.payments.contains_key(&order_id) {
            return Ok(Vec::new());
        }
        self.can_pay(amount)?;
        Ok(vec![match amount.as_u64() < ASKED_FROM {
            true => AccountEvent::Charged { customer, order_id, amount },
            false => AccountEvent::ApprovalAsked { customer, order_id, amount },
        }])
    }
}

impl Handle<Approve> for Account {
    type Error = NothingToApprove;

    fn handle(&self, approve: &Approve) -> Result<Vec<AccountEvent>, NothingToApprove> {
        let Approve { customer, order_id } = approve.clone();
        match self.payments.get(&order_id) {
            Some(Payment::Asked(amount)) => {
                self.can_pay(*amount)?;
                Ok(vec![AccountEvent::Charged { customer, order_id, amount: *amount }])
            }
            Some(Payment::Charged(_)) => Ok(Vec::new()),
            Some(Payment::Over) | None => Err(NothingToApprove::NotAsked(order_id)),
        }
    }
}

impl Handle<Refund> for Account {
    type Error = Infallible;

    fn handle(&self, refund: &Refund) -> Result<Vec<AccountEvent>, Infallible> {
        let Refund { customer, order_id } = refund.clone();
        Ok(match self.payments.get(&order_id) {
            Some(Payment::Charged(amount)) => {
                vec![AccountEvent::Refunded { customer, order_id, amount: *amount }]
            }
            Some(Payment::Asked(_)) => vec![AccountEvent::ApprovalWithdrawn { customer, order_id }],
            Some(Payment::Over) | None => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testing::Scenario;

    use super::*;

    fn ann() -> Customer {
        "ann".parse().unwrap()
    }

    fn one() -> OrderId {
        "one".parse().unwrap()
    }

    fn cents(number: u64) -> Amount {
        number.try_into().unwrap()
    }

    fn deposited(number: u64) -> AccountEvent {
        AccountEvent::Deposited { customer: ann(), amount: cents(number) }
    }

    fn charge(number: u64) -> Charge {
        Charge { customer: ann(), order_id: one(), amount: cents(number) }
    }

    fn charged(number: u64) -> AccountEvent {
        AccountEvent::Charged { customer: ann(), order_id: one(), amount: cents(number) }
    }

    fn refund() -> Refund {
        Refund { customer: ann(), order_id: one() }
    }

    fn approve() -> Approve {
        Approve { customer: ann(), order_id: one() }
    }

    #[test]
    fn an_order_is_charged_once_and_refunded_once() {
        let refunded = AccountEvent::Refunded { customer: ann(), order_id: one(), amount: cents(700) };
        Scenario::<Account>::given([deposited(1_000)])
            .when(refund())
            .then([])
            .when(charge(700))
            .then([charged(700)])
            .when(charge(700))
            .then([])
            .when(refund())
            .then([refunded])
            .when(refund())
            .then([])
            .when(charge(700))
            .then([]);
    }

    #[test]
    fn nobody_is_charged_more_than_he_has() {
        Scenario::<Account>::given([deposited(999)])
            .when(charge(1_000))
            .then_err(ChargeError { amount: cents(1_000), balance: 999 });
    }

    #[test]
    fn much_money_waits_for_the_customer() {
        let amount = cents(ASKED_FROM);
        Scenario::<Account>::given([deposited(ASKED_FROM)])
            .when(approve())
            .then_err(NothingToApprove::NotAsked(one()))
            .when(charge(ASKED_FROM))
            .then([AccountEvent::ApprovalAsked { customer: ann(), order_id: one(), amount }])
            .when(approve())
            .then([charged(ASKED_FROM)])
            .when(approve())
            .then([]);
    }

    #[test]
    fn a_customer_who_is_asked_no_longer_cannot_approve() {
        let amount = cents(ASKED_FROM);
        let asked = AccountEvent::ApprovalAsked { customer: ann(), order_id: one(), amount };
        Scenario::<Account>::given([deposited(ASKED_FROM), asked])
            .when(refund())
            .then([AccountEvent::ApprovalWithdrawn { customer: ann(), order_id: one() }])
            .when(approve())
            .then_err(NothingToApprove::NotAsked(one()));
    }

    #[test]
    fn money_that_has_gone_meanwhile_cannot_be_approved() {
        let (amount, two) = (cents(ASKED_FROM), "two".parse().unwrap());
        let asked = AccountEvent::ApprovalAsked { customer: ann(), order_id: one(), amount };
        let gone = AccountEvent::Charged { customer: ann(), order_id: two, amount: cents(1) };
        Scenario::<Account>::given([deposited(ASKED_FROM), asked, gone])
            .when(approve())
            .then_err(NothingToApprove::NotEnough(ChargeError { amount, balance: 9_999 }));
    }
}
