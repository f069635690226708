//! Memory: what a process needs that is under load, and what an aggregate costs that only waits.
//!
//! Each figure is of a process of its own, this program started again: what a process once had does not go back
//! to the system.

mod child;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use child::Child;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::domain::Meter;
use crate::goal::{Bound, Judged};
use crate::number::thousands;
use crate::process::Memory;
use crate::replay;
use crate::runner::discard;
use crate::stage::Stage;

/// How many clients there are under load.
const CLIENTS: u64 = 256;

/// How many events the raw engine commits at a time beside them.
const BATCH: usize = 64;

/// How many aggregates wait.
const AGGREGATES: u64 = 100_000;

/// How many events are replayed: ten times as many need the same memory.
const REPLAYED: [u64; 2] = [replay::EVENTS / 10, replay::EVENTS];

/// KiB that each of SQLite's connections keeps of the file during a replay: so little that a short replay fills it, too.
const REPLAY_CACHE: u64 = 4_096;

/// How many times the seconds of a case a process is under load, so that caches fill.
const LONGER: f64 = 5.0;

/// What memory was needed for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemoryResult {
    pub(crate) peaks: Vec<PeakResult>,
    pub(crate) idle: IdleResult,
    /// Replays of a short log and of a long one.
    pub(crate) replays: Vec<PeakResult>,
}

/// A process under load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PeakResult {
    pub(crate) case: String,
    /// Events that were committed.
    pub(crate) events: u64,
    pub(crate) peak_bytes: u64,
}

/// Aggregates that stay in memory, beside a process that did the same work and kept one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdleResult {
    pub(crate) aggregates: u64,
    pub(crate) all_kept_bytes: u64,
    pub(crate) one_kept_bytes: u64,
    pub(crate) bytes_per_aggregate: f64,
    /// Of the state itself, as Rust has it.
    pub(crate) state_bytes: usize,
}

/// What a child has to say.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    events: u64,
    memory: Memory,
}

/// Runs if the text is in the words `memory use`.
pub(crate) fn run(stage: &Stage, only: &str) -> Result<Option<MemoryResult>, Error> {
    if !"memory use".contains(only) {
        return Ok(None);
    }
    let file = stage.directory.join("memory.db");
    let ask = |child: Child| {
        eprintln!("memory: {child:?}");
        let answer = ask(&child)?;
        discard(&file)?;
        Ok::<_, Error>(answer)
    };
    let peak = |case: String, answer: Answer| PeakResult {
        case,
        events: answer.events,
        peak_bytes: answer.memory.peak,
    };
    let seconds = stage.time.as_secs_f64() * LONGER;
    let ours = ask(Child::Clients { file: file.clone(), clients: CLIENTS, seconds })?;
    let raw = ask(Child::Raw { file: file.clone(), batch: BATCH, seconds })?;
    let idle = |kept| ask(Child::Idle { file: file.clone(), aggregates: AGGREGATES, kept });
    let idle = compare(AGGREGATES, idle(AGGREGATES)?.memory.resident, idle(1)?.memory.resident);
    let peaks = vec![
        peak(format!("SQLite, {CLIENTS} clients"), ours),
        peak(format!("raw engine, {BATCH} events a transaction"), raw),
    ];
    let mut replays = Vec::new();
    for events in REPLAYED {
        let answer = ask(Child::Replay { file: copy(stage.log()?, &file)?, events, cache: REPLAY_CACHE })?;
        replays.push(peak(format!("SQLite, replay of {} events", thousands(events)), answer));
    }
    Ok(Some(MemoryResult { peaks, idle, replays }))
}

/// How much more memory a long replay needs than a short one.
pub(crate) fn goals(result: Option<&MemoryResult>) -> Vec<Judged> {
    let replays = result.map(|result| &result.replays[..]).unwrap_or_default();
    let [short, long] = replays else { return Vec::new() };
    let times = long.peak_bytes as f64 / short.peak_bytes as f64;
    let what = format!("peak memory, ratio to {} events", thousands(short.events));
    vec![Judged::new(&long.case, what, Bound::AtMost(1.2), times)]
}

fn copy(from: &Path, to: &Path) -> Result<PathBuf, Error> {
    std::fs::copy(from, to)?;
    Ok(to.to_owned())
}

/// Starts this program again, and reads what it prints.
fn ask(child: &Child) -> Result<Answer, Error> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(child.arguments()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the process for {child:?} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn compare(aggregates: u64, all_kept_bytes: u64, one_kept_bytes: u64) -> IdleResult {
    let more = all_kept_bytes as f64 - one_kept_bytes as f64;
    IdleResult {
        aggregates,
        all_kept_bytes,
        one_kept_bytes,
        bytes_per_aggregate: more / (aggregates - 1) as f64,
        state_bytes: size_of::<Meter<0>>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aggregate_costs_what_keeping_all_but_one_costs_more() {
        let idle = compare(101, 50_000, 20_000);
        assert_eq!((idle.bytes_per_aggregate, idle.state_bytes), (300.0, 8));
    }
}
