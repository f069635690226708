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

use report::Report;

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
    /// Run only the cases with this text in their names, such as `memory` or `hot`.
    #[arg(long, default_value = "")]
    only: String,
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
        let file = directory.path().join(format!("{round}.db"));
        let wanted = |case: &String| case.contains(&options.only);
        for batch in [1, 64, 512] {
            let case = raw_case(batch);
            if wanted(&case) {
                report.add(&case, None, raw::run(&runtime, &file, batch, time)?);
                discard(&file)?;
            }
        }
        for (clients, streams, beside) in [
            (1, STREAMS, 1),
            (8, STREAMS, 1),
            (64, STREAMS, 64),
            (256, STREAMS, 64),
            (1_024, STREAMS, 512),
            (64, 1, 64),
            (256, 1, 64),
        ] {
            let hot = if streams == 1 { "one hot stream, " } else { "" };
            let case = format!("SQLite, {hot}{clients} clients");
            if wanted(&case) {
                let sample = runtime.block_on(ours::sqlite(&file, clients, streams, time))?;
                report.add(&case, Some(raw_case(beside)), sample);
                discard(&file)?;
            }
        }
        let case = "memory, 64 clients".to_owned();
        if wanted(&case) {
            report.add(&case, None, runtime.block_on(ours::memory(64, STREAMS, time))?);
        }
    }
    if options.json {
        report.print_json()?
    } else {
        report.print_table()
    }
    Ok(())
}

fn raw_case(batch: usize) -> String {
    format!("raw engine, {batch} events a transaction")
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
