//! Our figures beside the raw engine's, in one run.
//!
//! Every round runs each case once, ours and the raw engine's in alternation, so that a noisy machine is noisy
//! for both. What is printed are medians over the rounds: of figures, and of ratios within a round.

mod case;
mod cold;
mod counting;
mod disk;
mod dispatch;
mod domain;
mod goal;
mod process;
mod raw;
mod report;
mod results;
mod runner;
mod sample;
mod statistics;
mod streams;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use results::{Figures, Results};

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
    /// Run only the cases with this text in their names, such as `memory` or `hot`, and those beside them.
    #[arg(long, default_value = "")]
    only: String,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Where the files are put; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let options = Options::parse();
    let results = measure(&options)?;
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&results)?),
        false => {
            for section in report::sections(&results) {
                println!("{}\n{}\n", section.title, section.for_terminal());
            }
        }
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Results, Error> {
    let time = Duration::from_secs_f64(options.seconds);
    let directory = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let cases = case::with(&options.only);
    let samples = runner::run(&runtime, &cases, options.rounds, time, directory.path())?;
    let figures = Figures::new(&cases, &samples);
    let cold = cold::run(&runtime, &options.only, options.rounds, directory.path())?;
    let disk = disk::run(&runtime, &options.only, directory.path())?;
    let mut goals = figures.goals();
    goals.extend(disk::goals(&disk));
    Ok(Results {
        rounds: options.rounds,
        seconds: options.seconds,
        cases: figures.results(),
        cold,
        disk,
        goals,
    })
}
