//! `coins events`.

use coins::{AccountId, Coins, RecordedAccountEvent};
use cqrs_core::{Position, StoreError, Version};
use futures::StreamExt;
use std::pin::pin;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::show::{self, EventLine};

/// How many events are read and written at a time.
const PAGE: usize = 1_000;

pub(super) async fn run(
    coins: &Coins,
    account: Option<&AccountId>,
    follow: bool,
    output: Output,
) -> Result<(), Failure> {
    match account {
        _ if follow => following(coins, account, output).await,
        Some(account) => of_account(coins, account, output).await,
        None => of_all(coins, output).await,
    }
}

async fn of_account(coins: &Coins, account: &AccountId, output: Output) -> Result<(), Failure> {
    let mut after = Version::ZERO;
    loop {
        let events = coins.events(account, after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.version;
        write(&events, output)?;
    }
}

async fn of_all(coins: &Coins, output: Output) -> Result<(), Failure> {
    let mut after = Position::ZERO;
    loop {
        let page = coins.all_events(after, PAGE).await?;
        write(&page.events, output)?;
        if page.scanned_to == after {
            return Ok(());
        }
        after = page.scanned_to;
    }
}

async fn following(coins: &Coins, account: Option<&AccountId>, output: Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    // What is there already comes in many small pieces; they are written together.
    let mut events = pin!(coins.follow(account, Position::ZERO).ready_chunks(PAGE));
    loop {
        tokio::select! {
            () = interrupt.asked() => return Ok(()),
            chunk = events.next() => {
                let Some(chunk) = chunk else { return Ok(()) };
                let chunk: Result<Vec<_>, StoreError> = chunk.into_iter().collect();
                write(&chunk?, output)?;
            }
        }
    }
}

fn write(events: &[RecordedAccountEvent], output: Output) -> Result<(), Failure> {
    let mut lines = String::new();
    for event in events {
        if output.is_json() {
            lines.push_str(&serde_json::to_string(&EventLine::of(event)?)?);
        } else {
            lines.push_str(&show::event(event));
        }
        lines.push('\n');
    }
    output.text(&lines)
}
