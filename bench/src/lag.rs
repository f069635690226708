//! How far a projection is behind commands that come at a steady rate.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::time::{Duration, Instant};

use cqrs_core::{App, DispatchError, Dispatched};
use cqrs_sqlite::SqliteStore;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::Error;
use crate::dispatch::prepare;
use crate::domain::Read;
use crate::goal::{Bound, Judged};
use crate::number::thousands;
use crate::replay::{InTable, NAME};
use crate::runner::discard;
use crate::sample::{Quantiles, histogram};
use crate::stage::Stage;
use crate::streams::Streams;

/// Commands a second.
const RATE: u64 = 10_000;

/// How many times the seconds of a case commands come.
const LONGER: f64 = 5.0;

/// How often commands are sent, so many as are due.
const TICK: Duration = Duration::from_millis(2);

/// From the answer to a command until its event was in the read model.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LagResult {
    pub(crate) case: String,
    /// Commands that were answered.
    pub(crate) commands: u64,
    /// Commands a second that were answered.
    pub(crate) per_second: f64,
    pub(crate) lag_micros: Quantiles,
    pub(crate) longest_micros: f64,
}

type Answer = Result<Dispatched, DispatchError<std::convert::Infallible>>;

/// Runs if the text is in the word `lag`.
pub(crate) fn run(stage: &Stage, only: &str) -> Result<Option<LagResult>, Error> {
    if !"lag".contains(only) {
        return Ok(None);
    }
    let time = stage.time.mul_f64(LONGER);
    eprintln!("lag: {RATE} commands a second for {time:?}");
    let file = stage.directory.join("lag.db");
    let result = stage.runtime.block_on(measure(&file, RATE, time))?;
    discard(&file)?;
    Ok(Some(result))
}

pub(crate) fn goals(result: Option<&LagResult>) -> Vec<Judged> {
    let judge = |result: &LagResult| {
        let goal = |what: &str, bound, found| Judged::new(&result.case, what.to_owned(), bound, found);
        [
            goal("answered, of those sent", Bound::AtLeast(0.99), result.per_second / RATE as f64),
            goal("longest lag, ms", Bound::AtMost(1_000.0), result.longest_micros / 1_000.0),
        ]
    };
    result.into_iter().flat_map(judge).collect()
}

async fn measure(file: &Path, rate: u64, time: Duration) -> Result<LagResult, Error> {
    let store = SqliteStore::open(file).await?;
    let read_model = store.read_model();
    let app = App::builder(store).projection(InTable, read_model).start().await?;
    prepare(&app, Streams::Many).await?;
    let (answers, answered) = mpsc::unbounded_channel();
    let watcher = tokio::spawn(watch(app.clone(), answered));
    let begun = Instant::now();
    send(&app, rate, time, answers).await;
    let (lags, last) = watcher.await??;
    app.shutdown().await;
    Ok(LagResult {
        case: format!("SQLite, a projection, {} commands/s", thousands(rate)),
        commands: lags.len(),
        per_second: lags.len() as f64 / (last - begun).as_secs_f64(),
        lag_micros: Quantiles::of(&lags),
        longest_micros: lags.max() as f64,
    })
}

/// Sends what is due by the clock, whether or not earlier commands were answered.
async fn send(app: &App, rate: u64, time: Duration, answers: mpsc::UnboundedSender<(Answer, Instant)>) {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sent = 0;
    loop {
        ticks.tick().await;
        let passed = begun.elapsed().min(time);
        let due = (passed.as_secs_f64() * rate as f64) as u64;
        for value in sent..due {
            let (app, answers) = (app.clone(), answers.clone());
            tokio::spawn(async move {
                let answer = app.dispatch(Read::<0> { meter_id: Streams::Many.of(value), value }).await;
                // Whoever watches ends only with an error, which is told in the end.
                let _ = answers.send((answer, Instant::now()));
            });
        }
        sent = due;
        if passed == time {
            return;
        }
    }
}

/// Measures each command's lag. Returns when the last one was answered, and all are in the read model.
async fn watch(
    app: App,
    mut answered: mpsc::UnboundedReceiver<(Answer, Instant)>,
) -> Result<(Histogram<u64>, Instant), Error> {
    let mut status = app.watch_status(NAME).ok_or("the projection has no status")?;
    let (mut lags, mut last) = (histogram()?, Instant::now());
    let mut waiting = BinaryHeap::new();
    let mut more = true;
    while more || !waiting.is_empty() {
        tokio::select! {
            biased;
            changed = status.changed() => changed?,
            answer = answered.recv(), if more => match answer {
                Some((answer, at)) => {
                    waiting.push(Reverse((answer?.position, at)));
                    last = last.max(at);
                }
                None => more = false,
            },
        }
        let (now, reached) = (Instant::now(), status.borrow().position);
        while waiting.peek().is_some_and(|Reverse((position, _))| *position <= reached) {
            let Some(Reverse((_, at))) = waiting.pop() else { break };
            lags.record(u64::try_from(now.saturating_duration_since(at).as_micros())?)?;
        }
    }
    Ok((lags, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_was_sent_is_measured() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lag.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let result = runtime.block_on(measure(&file, 1_000, Duration::from_millis(100))).unwrap();
        assert_eq!(result.commands, 100);
        assert_eq!(goals(Some(&result)).len(), 2);
    }
}
