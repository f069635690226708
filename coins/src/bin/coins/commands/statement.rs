//! `coins statement`.

use std::num::NonZeroU64;

use coins::{AccountId, Coins};

use crate::failure::Failure;
use crate::output::Output;
use crate::show;

pub(super) async fn run(
    coins: &Coins,
    account: &AccountId,
    top: NonZeroU64,
    output: Output,
) -> Result<(), Failure> {
    let lines = coins.statement(account, None, top.get()).await?;
    output.answer(&lines, |lines| match lines.is_empty() {
        true => format!("nothing has happened to {account} yet"),
        false => show::statement(lines),
    })
}
