//! `coins rebuild`.

use coins::Coins;
use cqrs_core::RebuildError;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

#[derive(Serialize)]
struct Answer<'a> {
    projection: &'a str,
    position: u64,
}

/// Rebuilds some read models, or all, one after the other.
pub(super) async fn run(coins: &Coins, projections: Vec<String>, output: Output) -> Result<(), Failure> {
    let projections = if projections.is_empty() { all(coins) } else { projections };
    let mut interrupt = Interrupt::listen();
    for projection in projections {
        let rebuilt = one(coins, &projection, &mut interrupt).await?;
        output.answer(&Answer { projection: &projection, position: rebuilt }, |answer| {
            format!("{projection} is made anew from the log, up to position {}", answer.position)
        })?;
    }
    Ok(())
}

fn all(coins: &Coins) -> Vec<String> {
    coins.projections().map(str::to_owned).collect()
}

async fn one(coins: &Coins, projection: &str, interrupt: &mut Interrupt) -> Result<u64, Failure> {
    let mut rebuild = coins.rebuild(projection);
    let bar = progress_bar(projection);
    let rebuilt = loop {
        tokio::select! {
            rebuilt = &mut rebuild => break rebuilt,
            () = interrupt.asked() => {
                rebuild.cancel();
                break rebuild.await;
            }
            () = bar_ticks() => {}
        }
        if let Some(progress) = rebuild.progress() {
            bar.set_length(progress.head.as_u64());
            bar.set_position(progress.position.as_u64());
        }
    };
    bar.finish_and_clear();
    match rebuilt {
        Ok(position) => Ok(position.as_u64()),
        Err(RebuildError::Cancelled) => Err(Failure::Interrupted),
        Err(error) => Err(error.into()),
    }
}

/// How often the bar looks.
async fn bar_ticks() {
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

/// A bar on stderr when that is a terminal, and nothing otherwise.
#[expect(clippy::expect_used, reason = "the template is a literal, and the tests draw it")]
fn progress_bar(projection: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} {bar:40} {percent}%, {human_pos} of {human_len} events, {per_sec}, {eta} left",
    )
    .expect("the template is well-formed");
    ProgressBar::new(0).with_style(style.progress_chars("━━─")).with_message(projection.to_owned())
}
