//! Our figures beside the raw engine's, in one run.
//!
//! Every round runs each case once, ours and the raw engine's in alternation, so that a noisy machine is noisy
//! for both. What is printed are medians over the rounds: of figures, and of ratios within a round.

mod case;
mod chart;
mod cold;
mod counting;
mod disk;
mod dispatch;
mod document;
mod domain;
mod goal;
mod machine;
mod memory;
mod number;
mod process;
mod raw;
mod report;
mod results;
mod runner;
mod sample;
mod statistics;
mod streams;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use machine::Machine;
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
    /// Show an earlier run, from the file that its JSON was put into, instead of measuring.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write charts into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    svg: Option<PathBuf>,
    /// Write the document of the figures into this file, and its charts into the directory of its name beside it.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Where the files are put; a temporary directory by default.
    #[arg(long)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    child: Option<memory::Child>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let options = Options::parse();
    if let Some(child) = options.child {
        return child.run();
    }
    let results = match &options.from {
        Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
        None => measure(&options)?,
    };
    if let Some(directory) = &options.svg {
        chart::write(&chart::all(&results), directory)?;
    }
    if let Some(file) = &options.markdown {
        document::write(&results, file)?;
    }
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
    let mut machine = Machine::look(directory.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let cases = case::with(&options.only);
    let samples = runner::run(&runtime, &cases, options.rounds, time, directory.path())?;
    let figures = Figures::new(&cases, &samples);
    let cold = cold::run(&runtime, &options.only, options.rounds, directory.path())?;
    let disk = disk::run(&runtime, &options.only, directory.path())?;
    let memory = memory::run(&options.only, options.seconds, directory.path())?;
    let mut goals = figures.goals();
    goals.extend(disk::goals(&disk));
    machine.look_again(directory.path())?;
    Ok(Results {
        command: command(std::env::args().skip(1)),
        date: jiff::Timestamp::now().strftime("%Y-%m-%d at %H:%M UTC").to_string(),
        machine,
        rounds: options.rounds,
        seconds: options.seconds,
        cases: figures.results(),
        cold,
        disk,
        memory,
        goals,
    })
}

/// The command that runs this program with such arguments.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let arguments: Vec<_> = arguments.collect();
    match arguments.is_empty() {
        true => "cargo run --release -p bench".to_owned(),
        false => format!("cargo run --release -p bench -- {}", arguments.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_can_be_repeated_by_its_command() {
        let with = |arguments: &[&str]| command(arguments.iter().map(|argument| (*argument).to_owned()));
        assert_eq!(with(&[]), "cargo run --release -p bench");
        assert_eq!(with(&["--rounds", "3"]), "cargo run --release -p bench -- --rounds 3");
    }
}
