// The domain of the examples in the documentation, which is that of the front page. They include it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use cqrs_core::*;
use cqrs_memory::{InMemory, MemoryStore};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum AccountEvent {
    Deposited { account: String, amount: u64 },
    Withdrawn { account: String, amount: u64 },
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

#[derive(Default)]
struct Account {
    balance: u64,
}

impl Aggregate for Account {
    type Id = String;
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited { amount, .. } => self.balance += amount,
            AccountEvent::Withdrawn { amount, .. } => self.balance -= amount,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Deposit {
    account: String,
    amount: u64,
}

impl Command for Deposit {
    const NAME: &'static str = "Deposit";
    type Aggregate = Account;

    fn aggregate_id(&self) -> &String {
        &self.account
    }
}

impl Handle<Deposit> for Account {
    type Error = std::convert::Infallible;

    fn handle(&self, command: &Deposit) -> Result<Vec<AccountEvent>, Self::Error> {
        let Deposit { account, amount } = command.clone();
        Ok(vec![AccountEvent::Deposited { account, amount }])
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Withdraw {
    account: String,
    amount: u64,
}

impl Command for Withdraw {
    const NAME: &'static str = "Withdraw";
    type Aggregate = Account;

    fn aggregate_id(&self) -> &String {
        &self.account
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the account has {balance}")]
struct NotEnough {
    balance: u64,
}

impl Handle<Withdraw> for Account {
    type Error = NotEnough;

    fn handle(&self, command: &Withdraw) -> Result<Vec<AccountEvent>, NotEnough> {
        if command.amount > self.balance {
            return Err(NotEnough { balance: self.balance });
        }
        let Withdraw { account, amount } = command.clone();
        Ok(vec![AccountEvent::Withdrawn { account, amount }])
    }
}

struct Balances;

#[async_trait]
impl Projection for Balances {
    const NAME: &'static str = "balances";
    type Event = AccountEvent;
    type Target = BTreeMap<String, u64>;

    async fn project(
        &self,
        event: &RecordedEvent<AccountEvent>,
        balances: &mut BTreeMap<String, u64>,
    ) -> Result<(), BoxError> {
        match &event.data {
            AccountEvent::Deposited { account, amount } => {
                *balances.entry(account.clone()).or_default() += amount;
            }
            AccountEvent::Withdrawn { account, amount } => {
                *balances.entry(account.clone()).or_default() -= amount;
            }
        }
        Ok(())
    }
}

fn deposit(account: &str, amount: u64) -> Deposit {
    Deposit { account: account.to_owned(), amount }
}

fn withdraw(account: &str, amount: u64) -> Withdraw {
    Withdraw { account: account.to_owned(), amount }
}
