//! Why an account refuses a command.

use crate::{AccountId, Amount, TransferId};

/// Why a coin is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MineCoinError {
    /// The nonce is not greater than the last one.
    #[error("nonce {nonce} was used: the last one of {account_id:?} is {last}")]
    UsedNonce {
        /// Who mines.
        account_id: AccountId,
        /// What was offered.
        nonce: u64,
        /// What was used last.
        last: u64,
    },
    /// The nonce proves no work.
    #[error(
        "nonce {nonce} proves no work of {account_id:?}: its hash begins with {found:#04x}, not with a zero byte"
    )]
    InvalidNonce {
        /// Who mines.
        account_id: AccountId,
        /// What was offered.
        nonce: u64,
        /// The first byte of its hash.
        found: u8,
    },
}

impl MineCoinError {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UsedNonce { .. } => "used_nonce",
            Self::InvalidNonce { .. } => "invalid_nonce",
        }
    }
}

/// Why coins are not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendCoinsError {
    /// The account has less than it would send.
    #[error("{account_id:?} has {balance} coins, less than the {amount} to send")]
    NotEnoughCoins {
        /// Who would send.
        account_id: AccountId,
        /// What it has.
        balance: i128,
        /// What it would send.
        amount: Amount,
    },
    /// The account has used the transfer id before.
    #[error("transfer {transfer_id} of {account_id:?} was sent before: a transfer wants a new id")]
    UsedTransfer {
        /// Who would send.
        account_id: AccountId,
        /// The transfer that was sent before.
        transfer_id: TransferId,
    },
}

impl SendCoinsError {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotEnoughCoins { .. } => "not_enough_coins",
            Self::UsedTransfer { .. } => "used_transfer",
        }
    }
}
