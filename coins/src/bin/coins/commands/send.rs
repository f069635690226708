//! `coins send`.

use coins::{AccountId, Amount, Coins, TransferId};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::show;

#[derive(Serialize)]
struct Answer<'a> {
    transfer_id: TransferId,
    from: &'a AccountId,
    to: &'a AccountId,
    amount: Amount,
    arrived: bool,
}

pub(super) async fn run(
    coins: &Coins,
    from: &AccountId,
    to: &AccountId,
    amount: Amount,
    output: Output,
) -> Result<(), Failure> {
    let transfer = coins.send_coins(from, to, amount).await?;
    let answer =
        Answer { transfer_id: transfer.transfer_id, from, to, amount, arrived: transfer.arrived() };
    output.answer(&answer, |answer| {
        let coins = show::coins(amount.as_u64());
        if answer.arrived {
            format!("{from} sent {coins} to {to}")
        } else {
            format!("{from} sent {coins} to {to}; they are under way and arrive when the database is opened again")
        }
    })
}
