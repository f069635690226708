//! What an account can be asked for.

use cqrs_core::Command;
use serde::{Deserialize, Serialize};

use crate::{Account, AccountId, Amount, TransferId};

/// Claims a coin with a proof of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MineCoin {
    /// Who mines.
    pub account_id: AccountId,
    /// The proof; greater than any that the account has used.
    pub nonce: u64,
}

/// Takes coins from an account and sets a transfer off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendCoins {
    /// Who sends.
    pub account_id: AccountId,
    /// Who is to receive; may be the sender.
    pub to: AccountId,
    /// How many coins.
    pub amount: Amount,
    /// A new id for each of the sender's transfers.
    pub transfer_id: TransferId,
}

/// Puts coins that were sent into an account. It is the second half of a transfer and cannot be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveCoins {
    /// Who receives.
    pub account_id: AccountId,
    /// Who sent.
    pub from: AccountId,
    /// How many coins.
    pub amount: Amount,
    /// Which of the sender's transfers.
    pub transfer_id: TransferId,
}

impl Command for MineCoin {
    const NAME: &'static str = "MineCoin";
    type Aggregate = Account;

    fn aggregate_id(&self) -> &AccountId {
        &self.account_id
    }
}

impl Command for SendCoins {
    const NAME: &'static str = "SendCoins";
    type Aggregate = Account;

    fn aggregate_id(&self) -> &AccountId {
        &self.account_id
    }
}

impl Command for ReceiveCoins {
    const NAME: &'static str = "ReceiveCoins";
    type Aggregate = Account;

    fn aggregate_id(&self) -> &AccountId {
        &self.account_id
    }
}
