//! Our figures beside the raw engine's, in one run.
//!
//! Every round runs each case once, ours and the raw engine's in alternation, so that a noisy machine is noisy
//! for both. What is printed are medians over the rounds, and ratios of medians.

mod domain;
mod ours;
mod raw;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use report::{Report, Sample};

/// Measures the write path on SQLite and in memory beside the raw engine.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// How often each case is run.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long each case is run each time, in seconds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Where the files are put; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How many streams the clients write to, where it is not one hot stream.
const STREAMS: u64 = 10_000;

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let time = Duration::from_secs_f64(options.seconds);
    let directory = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let mut report = Report::default();
    for round in 0..options.rounds {
        let file = |case: &str| directory.path().join(format!("{case}-{round}.db"));
        for batch in [1, 64, 512] {
            let path = file(&format!("raw-{batch}"));
            let sample = raw::run(&runtime, &path, batch, time)?;
            report.add(&format!("raw engine, {batch} events a transaction"), None, sample);
            discard(&path)?;
        }
        for (clients, beside) in [(1, 1), (8, 1), (64, 64), (256, 64), (1_024, 512)] {
            let path = file(&format!("sqlite-{clients}"));
            let sample = runtime.block_on(ours::sqlite(&path, clients, STREAMS, time))?;
            let beside = format!("raw engine, {beside} events a transaction");
            report.add(&format!("SQLite, {clients} clients"), Some(beside), sample);
            discard(&path)?;
        }
        for clients in [64, 256] {
            let path = file(&format!("hot-{clients}"));
            let sample = runtime.block_on(ours::sqlite(&path, clients, 1, time))?;
            let beside = "raw engine, 64 events a transaction".to_owned();
            report.add(&format!("SQLite, one hot stream, {clients} clients"), Some(beside), sample);
            discard(&path)?;
        }
        let sample: Sample = runtime.block_on(ours::memory(64, STREAMS, time))?;
        report.add("memory, 64 clients", None, sample);
    }
    if options.json {
        report.print_json()?
    } else {
        report.print_table()
    }
    Ok(())
}

/// Frees the disk for the next case.
fn discard(path: &std::path::Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
