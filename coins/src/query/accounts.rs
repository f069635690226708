//! Questions about accounts, answered by the table of [`AccountBalances`](crate::AccountBalances).

use std::fmt;
use std::str::FromStr;

use cqrs_core::StoreError;
use serde::Serialize;

use crate::database::{Argument, Row, sql};
use crate::{AccountId, Coins};

/// What an account has, as of the last event that the projection has worked on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountBalance {
    /// Whose.
    pub account_id: AccountId,
    /// How many coins it has: `mined - sent + received`.
    pub balance: u64,
    /// How many coins it mined, ever.
    pub mined: u64,
    /// How many coins it sent, ever.
    pub sent: u64,
    /// How many coins it received, ever.
    pub received: u64,
    /// The nonce of the coin that it mined last.
    pub last_nonce: Option<u64>,
}

/// Some accounts in the order of [`Coins::richest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPage {
    /// The accounts, the richest first.
    pub accounts: Vec<AccountBalance>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<AccountCursor>,
}

/// A place in the order of accounts: right behind one that had so many coins. As a text it is `BALANCE:ACCOUNT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountCursor {
    balance: u64,
    account_id: AccountId,
}

/// A text is no [`AccountCursor`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in the order of accounts: wanted is what an earlier page ended with")]
pub struct InvalidCursor(String);

impl Coins {
    /// Who has most coins; among equals the smallest account id. `None` when nobody has an account.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn richest(&self) -> Result<Option<AccountBalance>, StoreError> {
        Ok(self.accounts(1).await?.pop())
    }

    /// One account, or `None` when nothing ever happened to it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn account(&self, id: &AccountId) -> Result<Option<AccountBalance>, StoreError> {
        let rows = self.reader().fetch("read an account", sql!("account"), [id.into()]).await?;
        rows.first().map(read).transpose()
    }

    /// The accounts with most coins, in the order of [`Coins::richest`], at most `top`.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn accounts(&self, top: u64) -> Result<Vec<AccountBalance>, StoreError> {
        let rows = self.reader().fetch("read the accounts", sql!("accounts"), [top.into()]).await?;
        rows.iter().map(read).collect()
    }

    /// A page of the accounts, in the order of [`Coins::richest`]: at most `limit` behind a place, or the first ones.
    ///
    /// A page costs what it has, however many accounts there are. An account whose balance changes between two pages may
    /// be in both of them, or in none.
    ///
    /// ```
    /// use coins::Coins;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let coins = Coins::open(directory.path().join("coins.db")).await?;
    ///
    /// # for (account, nonces) in [("me", &[190, 443][..]), ("you", &[488])] {
    /// #     for nonce in nonces {
    /// #         coins.mine_coin(&account.parse()?, *nonce).await?;
    /// #     }
    /// # }
    /// let first = coins.accounts_page(None, 1).await?;
    /// assert_eq!(first.accounts[0].account_id.as_str(), "me");
    /// let second = coins.accounts_page(first.next.as_ref(), 1).await?;
    /// assert_eq!((second.accounts[0].account_id.as_str(), second.next), ("you", None));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn accounts_page(
        &self,
        after: Option<&AccountCursor>,
        limit: u64,
    ) -> Result<AccountPage, StoreError> {
        // One more than is told, to know whether there are more.
        let wanted = limit.saturating_add(1);
        let mut accounts = match after {
            None => self.accounts(wanted).await?,
            Some(AccountCursor { balance, account_id }) => {
                let arguments: [Argument; 3] = [(*balance).into(), account_id.into(), wanted.into()];
                let rows =
                    self.reader().fetch("read the accounts", sql!("accounts_after"), arguments).await?;
                rows.iter().map(read).collect::<Result<_, _>>()?
            }
        };
        let more = accounts.len() as u64 > limit;
        accounts.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = accounts.last().filter(|_| more).map(AccountBalance::cursor);
        Ok(AccountPage { accounts, next })
    }
}

impl AccountBalance {
    /// The place right behind it.
    pub fn cursor(&self) -> AccountCursor {
        AccountCursor { balance: self.balance, account_id: self.account_id.clone() }
    }
}

impl fmt::Display for AccountCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.balance, self.account_id)
    }
}

impl FromStr for AccountCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parts = text.split_once(':').and_then(|(balance, account)| {
            let digits = balance.bytes().all(|byte| byte.is_ascii_digit());
            Some(Self {
                balance: balance.parse().ok().filter(|_| digits)?,
                account_id: account.parse().ok()?,
            })
        });
        parts.ok_or_else(|| InvalidCursor(text.chars().take(MAX_SHOWN_CHARS).collect()))
    }
}

/// The longest part of a bad text that an error repeats, in characters.
const MAX_SHOWN_CHARS: usize = 100;

fn read(row: &Row) -> Result<AccountBalance, StoreError> {
    Ok(AccountBalance {
        account_id: row.parsed("account_id")?,
        balance: row.number("balance")?,
        mined: row.number("mined")?,
        sent: row.number("sent")?,
        received: row.number("received")?,
        last_nonce: row.parsed_if("last_nonce")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_text() {
        for (balance, account) in [(0, "me"), (u64::MAX, "a:b:c"), (7, "né 🦀 / %")] {
            let cursor = AccountCursor { balance, account_id: account.parse().unwrap() };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "7", "7:", ":me", "+7:me", "-1:me", "18446744073709551616:me", "7: me", "x:me"] {
            assert!(text.parse::<AccountCursor>().is_err(), "{text:?}");
        }
    }
}
