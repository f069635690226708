//! `coins mine`.

use std::fmt::Write;
use std::num::NonZeroU64;
use std::ops::ControlFlow;

use coins::{AccountId, Coins, MinedCoins};
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::show;

#[derive(Serialize)]
struct Answer<'a> {
    account_id: &'a AccountId,
    mined: u64,
    last_nonce: Option<u64>,
    balance: u64,
}

/// Offers one nonce.
pub(super) async fn one(
    coins: &Coins,
    account: &AccountId,
    nonce: u64,
    output: Output,
) -> Result<(), Failure> {
    coins.mine_coin(account, nonce).await?;
    answer(coins, account, MinedCoins { coins: 1, last_nonce: Some(nonce) }, output).await
}

/// Searches and mines.
pub(super) async fn next(
    coins: &Coins,
    account: &AccountId,
    count: NonZeroU64,
    output: Output,
) -> Result<(), Failure> {
    let interrupt = Interrupt::listen();
    let bar = progress_bar(count.get());
    let result = coins
        .mine_next(account, count.get(), |mined| {
            bar.set_position(mined.coins);
            if interrupt.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await;
    bar.finish_and_clear();
    let mined = result?;
    answer(coins, account, mined, output).await?;
    if mined.coins < count.get() { Err(Failure::Interrupted) } else { Ok(()) }
}

async fn answer(
    coins: &Coins,
    account: &AccountId,
    mined: MinedCoins,
    output: Output,
) -> Result<(), Failure> {
    let balance = coins.account(account).await?.map_or(0, |account| account.balance);
    let MinedCoins { coins: mined, last_nonce } = mined;
    let answer = Answer { account_id: account, mined, last_nonce, balance };
    output.answer(&answer, |answer| {
        let nonce = last_nonce.map_or_else(String::new, |nonce| format!(", last nonce {nonce}"));
        format!(
            "{account} mined {}{nonce}, and has {} now",
            show::coins(answer.mined),
            show::coins(answer.balance)
        )
    })
}

/// A bar on stderr when that is a terminal, and nothing otherwise.
#[expect(clippy::expect_used, reason = "the template is a literal, and the tests draw it")]
fn progress_bar(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} coins, {rate} a second, {eta} left",
    )
    .expect("the template is well-formed");
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // A bar without its rate is no reason to stop.
        let _ = write!(text, "{}", HumanCount(state.per_sec() as u64));
    };
    ProgressBar::new(count).with_style(style.progress_chars("━━─").with_key("rate", rate))
}
