//! What each command does.

mod accounts;
mod completions;
mod demo;
mod events;
mod load;
mod mine;
mod rebuild;
mod send;
mod serve;
mod statement;
mod status;
mod transfers;

use std::time::Duration;

use coins::{Coins, OpenError, TransferQuery};
use cqrs_core::Consistency;

use crate::cli::{Cli, Command};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) use load::Mix;

/// Does what was typed.
pub(crate) async fn run(cli: Cli, output: Output) -> Result<(), Failure> {
    let Cli { db, db_was_typed, command, .. } = cli;
    match command {
        Command::Demo => demo::run(db_was_typed.then_some(db.as_path()), output).await,
        Command::Mine { account, nonce: Some(nonce), .. } => {
            let account = account.parse()?;
            on(Coins::open(db), output, async |coins| mine::one(coins, &account, nonce, output).await).await
        }
        Command::Mine { account, nonce: None, count } => {
            let account = account.parse()?;
            on(Coins::open(db), output, async |coins| mine::next(coins, &account, count, output).await)
                .await
        }
        Command::Send { from, to, amount } => {
            let (from, to, amount) = (from.parse()?, to.parse()?, amount.parse()?);
            on(Coins::open(db), output, async |coins| send::run(coins, &from, &to, amount, output).await)
                .await
        }
        Command::Richest => {
            on(Coins::open_existing(db), output, async |coins| accounts::richest(coins, output).await).await
        }
        Command::Accounts { top } => {
            on(Coins::open_existing(db), output, async |coins| accounts::top(coins, top, output).await)
                .await
        }
        Command::Account { account } => {
            let account = account.parse()?;
            on(Coins::open_existing(db), output, async |coins| accounts::one(coins, &account, output).await)
                .await
        }
        Command::Statement { account, top } => {
            let account = account.parse()?;
            on(Coins::open_existing(db), output, async |coins| {
                statement::run(coins, &account, top, output).await
            })
            .await
        }
        Command::Transfers { account, under_way, top, watch } => {
            let account = account.map(|account| account.parse()).transpose()?;
            let query = TransferQuery { account, under_way, before: None };
            on(Coins::open_existing(db), output, async |coins| match watch {
                true => transfers::watch(coins, query, top, output).await,
                false => transfers::list(coins, &query, top, output).await,
            })
            .await
        }
        Command::Events { account, follow } => {
            let account = account.map(|account| account.parse()).transpose()?;
            on(Coins::open_existing(db), output, async |coins| {
                events::run(coins, account.as_ref(), follow, output).await
            })
            .await
        }
        // It shows what is, and does not wait for what ought to be.
        Command::Status { watch } => {
            let coins = Coins::open_existing(db).await?;
            let shown = if watch {
                status::watch(&coins, output).await
            } else {
                status::once(&coins, output).await
            };
            coins.close().await;
            shown
        }
        Command::Serve { addr, allow_host, rate, connections } => {
            let options = serve::options(addr, allow_host, rate, connections);
            serve::run(db, options, output).await
        }
        Command::Load { url, clients, seconds, requests, mix } => {
            let time = Duration::from_secs(seconds);
            load::run(load::Wanted { url, clients, time, requests, mix }, output).await
        }
        Command::Rebuild { projections } => {
            on(Coins::open_existing(db), output, async |coins| {
                rebuild::run(coins, projections, output).await
            })
            .await
        }
        Command::Completions { shell } => completions::run(shell, output),
    }
}

/// Opens a database, lets what was cut short before come to its end, works, and closes it again.
async fn on(
    open: impl Future<Output = Result<Coins, OpenError>>,
    output: Output,
    work: impl AsyncFnOnce(&Coins) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let coins = open.await?;
    let result = async {
        match coins.settle().await? {
            Consistency::Reached => {}
            _ => output
                .warn("lagging", "the database has work that does not come to an end: answers may be old"),
        }
        work(&coins).await
    }
    .await;
    coins.close().await;
    result
}
