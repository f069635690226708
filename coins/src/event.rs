//! What can happen to an account.

use cqrs_core::Event;
use serde::{Deserialize, Serialize};

use crate::{AccountId, Amount, TransferId};

/// A fact about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// The account found a coin.
    CoinMined {
        /// Whose coin it is.
        account_id: AccountId,
        /// What proved the work.
        nonce: u64,
    },
    /// Coins left the account; they are under way until the other account has received them.
    CoinsSent {
        /// Who sends.
        account_id: AccountId,
        /// Who is to receive.
        to: AccountId,
        /// How many coins.
        amount: Amount,
        /// Which of the sender's transfers.
        transfer_id: TransferId,
    },
    /// Coins arrived at the account.
    CoinsReceived {
        /// Who receives.
        account_id: AccountId,
        /// Who sent.
        from: AccountId,
        /// How many coins.
        amount: Amount,
        /// Which of the sender's transfers.
        transfer_id: TransferId,
    },
}

impl Event for AccountEvent {
    const CATEGORY: &'static str = "account";
}

impl AccountEvent {
    /// Whose event it is.
    pub fn account_id(&self) -> &AccountId {
        match self {
            Self::CoinMined { account_id, .. }
            | Self::CoinsSent { account_id, .. }
            | Self::CoinsReceived { account_id, .. } => account_id,
        }
    }
}
