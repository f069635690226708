//! Why an account refuses a command.

use cqrs_core::CommandId;

use crate::{AccountId, Amount, TransferId};

/// Why a coin is not granted.
///
/// ```
/// use coins::MineCoinError;
///
/// // A client may rely on the code; the sentence is for people.
/// let refused = MineCoinError::UsedNonce { account_id: "me".parse()?, nonce: 190, last: 443 };
/// assert_eq!(refused.code(), "used_nonce");
/// assert_eq!(refused.to_string(), r#"nonce 190 was used: the last one of "me" is 443"#);
/// # Ok::<(), coins::InvalidAccountId>(())
/// ```
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
    /// The caller's id of the command was used before, for another command. Told by [`Coins`](crate::Coins), and not by
    /// the account.
    #[error("command {command_id} was something else before: another command wants another id")]
    UsedCommandId {
        /// The id.
        command_id: CommandId,
    },
}

impl MineCoinError {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UsedNonce { .. } => "used_nonce",
            Self::InvalidNonce { .. } => "invalid_nonce",
            Self::UsedCommandId { .. } => "used_command_id",
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
    /// The caller's id of the command was used before, for another command. Told by [`Coins`](crate::Coins), and not by
    /// the account.
    #[error("command {command_id} was something else before: another command wants another id")]
    UsedCommandId {
        /// The id.
        command_id: CommandId,
    },
}

impl SendCoinsError {
    /// The stable name of the error, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotEnoughCoins { .. } => "not_enough_coins",
            Self::UsedTransfer { .. } => "used_transfer",
            Self::UsedCommandId { .. } => "used_command_id",
        }
    }
}
