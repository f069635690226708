//! `coins transfers`.

use std::num::NonZeroU64;
use std::pin::pin;

use coins::{Coins, TransferQuery, TransferStatus};
use console::Term;
use futures::StreamExt;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::show;

pub(super) async fn list(
    coins: &Coins,
    query: &TransferQuery,
    top: NonZeroU64,
    output: Output,
) -> Result<(), Failure> {
    output.answer(&coins.transfers(query, top.get()).await?, |transfers| show::transfers(transfers))
}

/// Shows the list in place of the one before; one below the other where stdout is no terminal.
pub(super) async fn watch(
    coins: &Coins,
    query: TransferQuery,
    top: NonZeroU64,
    output: Output,
) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let mut lists = pin!(coins.watch_transfers(query, top.get()));
    let terminal = Some(Term::stdout()).filter(|terminal| terminal.is_term() && !output.is_json());
    loop {
        let transfers: Vec<TransferStatus> = tokio::select! {
            () = interrupt.asked() => return Ok(()),
            list = lists.next() => match list {
                Some(list) => list?,
                None => return Ok(()),
            },
        };
        if let Some(terminal) = &terminal {
            terminal.clear_screen()?;
        }
        output.answer(&transfers, |transfers| show::transfers(transfers))?;
    }
}
