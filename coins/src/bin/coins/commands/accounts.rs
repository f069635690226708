//! `coins richest`, `coins accounts`, `coins account`.

use std::num::NonZeroU64;

use coins::{AccountId, Coins};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::show;

/// The answer of the talk's `Coins.richest`.
#[derive(Debug, Serialize)]
pub(crate) struct Richest {
    pub(crate) account_id: AccountId,
    pub(crate) balance: u64,
}

impl Richest {
    pub(crate) async fn of(coins: &Coins) -> Result<Option<Self>, Failure> {
        let richest = coins.richest().await?;
        Ok(richest.map(|account| Self { account_id: account.account_id, balance: account.balance }))
    }
}

pub(super) async fn richest(coins: &Coins, output: Output) -> Result<(), Failure> {
    output.answer(&Richest::of(coins).await?, |richest| match richest {
        Some(Richest { account_id, balance }) => format!("{account_id} has {}", show::coins(*balance)),
        None => show::nobody(),
    })
}

pub(super) async fn top(coins: &Coins, top: NonZeroU64, output: Output) -> Result<(), Failure> {
    output.answer(&coins.accounts(top.get()).await?, |accounts| show::accounts(accounts))
}

pub(super) async fn one(coins: &Coins, id: &AccountId, output: Output) -> Result<(), Failure> {
    output.answer(&coins.account(id).await?, |account| match account {
        Some(account) => show::accounts(std::slice::from_ref(account)),
        None => format!("nothing has happened to {id} yet"),
    })
}
