//! `coins status`.

use coins::Coins;
use console::Term;
use cqrs_core::SubscriberStatus;
use futures::StreamExt;
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::show;

/// A subscriber as `--json` has it.
#[derive(Serialize)]
struct Answer<'a> {
    name: &'a str,
    kind: &'static str,
    state: String,
    position: u64,
    lag: u64,
    rate: u64,
    parked: u64,
    last_error: Option<&'a str>,
}

impl<'a> Answer<'a> {
    fn of(status: &'a SubscriberStatus) -> Self {
        Self {
            name: status.name,
            kind: show::kind(status.kind),
            state: show::state(&status.state),
            position: status.position.as_u64(),
            lag: status.lag(),
            rate: status.rate,
            parked: status.parked,
            last_error: status.last_error.as_ref().map(|(_, error)| error.as_str()),
        }
    }
}

pub(super) async fn once(coins: &Coins, output: Output) -> Result<(), Failure> {
    answer(&coins.status(), output)
}

/// Shows the list in place of the one before; one below the other where stdout is no terminal.
pub(super) async fn watch(coins: &Coins, output: Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    // What changes at the same moment is shown at once.
    let mut changes = coins.watch_status().ready_chunks(64);
    let terminal = Some(Term::stdout()).filter(|terminal| terminal.is_term() && !output.is_json());
    loop {
        tokio::select! {
            () = interrupt.asked() => return Ok(()),
            change = changes.next() => if change.is_none() { return Ok(()) },
        }
        if let Some(terminal) = &terminal {
            terminal.clear_screen()?;
        }
        answer(&coins.status(), output)?;
    }
}

fn answer(status: &[SubscriberStatus], output: Output) -> Result<(), Failure> {
    let answers: Vec<_> = status.iter().map(Answer::of).collect();
    output.answer(&answers, |_| show::status(status))
}
