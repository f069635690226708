//! What can be asked of an account, and when it is refused.

use cqrs_core::{Command, Handle};
use serde::{Deserialize, Serialize};

use crate::{Account, AccountEvent, Cents};

/// Opens an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Open {
    /// The account's number.
    pub account: String,
    /// Whose it is.
    pub owner: String,
}

/// Puts money in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deposit {
    /// The account's number.
    pub account: String,
    /// How much.
    pub amount: Cents,
}

/// Takes money out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Withdraw {
    /// The account's number.
    pub account: String,
    /// How much.
    pub amount: Cents,
}

/// An account is opened once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account belongs to {owner} already")]
pub struct OpenAlready {
    /// Whose it is.
    pub owner: String,
}

/// Why no money is moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotMoved {
    /// Nobody has opened the account.
    #[error("there is no such account")]
    NoAccount,
    /// The sum would be too large for a number.
    #[error("the account cannot hold {0} more")]
    TooMuch(Cents),
    /// There is less.
    #[error(transparent)]
    NotEnough(#[from] NotEnough),
}

/// There is less than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account has {balance}, and {wanted} were asked for")]
pub struct NotEnough {
    /// What there is.
    pub balance: Cents,
    /// What was asked for.
    pub wanted: Cents,
}

macro_rules! command_of_account {
    ($name:ident) => {
        impl Command for $name {
            const NAME: &'static str = stringify!($name);
            type Aggregate = Account;

            fn aggregate_id(&self) -> &String {
                &self.account
            }
        }
    };
}

command_of_account!(Open);
command_of_account!(Deposit);
command_of_account!(Withdraw);

impl Handle<Open> for Account {
    type Error = OpenAlready;

    fn handle(&self, open: &Open) -> Result<Vec<AccountEvent>, OpenAlready> {
        match &self.owner {
            Some(owner) => Err(OpenAlready { owner: owner.clone() }),
            None => Ok(vec![AccountEvent::Opened { owner: open.owner.clone() }]),
        }
    }
}

impl Handle<Deposit> for Account {
    type Error = NotMoved;

    fn handle(&self, &Deposit { amount, .. }: &Deposit) -> Result<Vec<AccountEvent>, NotMoved> {
        self.owner.as_ref().ok_or(NotMoved::NoAccount)?;
        self.balance.plus(amount).ok_or(NotMoved::TooMuch(amount))?;
        Ok(vec![AccountEvent::Deposited { amount }])
    }
}

impl Handle<Withdraw> for Account {
    type Error = NotMoved;

    fn handle(&self, &Withdraw { amount, .. }: &Withdraw) -> Result<Vec<AccountEvent>, NotMoved> {
        self.owner.as_ref().ok_or(NotMoved::NoAccount)?;
        let balance = self.balance;
        balance.minus(amount).ok_or(NotEnough { balance, wanted: amount })?;
        Ok(vec![AccountEvent::Withdrawn { amount }])
    }
}
