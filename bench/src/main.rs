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
mod lag;
mod machine;
mod memory;
mod number;
mod postgres;
mod process;
mod raw;
mod replay;
mod report;
mod results;
mod runner;
mod sample;
mod stage;
mod statistics;
mod streams;
mod swap;
mod table;
mod transfers;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use machine::Machine;
use results::{Figures, Results};
use stage::Stage;

/// Measures commands, transfers and replays beside the raw engine.
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
    /// The URL of a PostgreSQL server, such as `postgres://postgres@localhost`, on which a database is made for the run
    /// and dropped after it. Without one, what concerns PostgreSQL is left out.
    #[arg(long, env = "CQRS_POSTGRES_URL", value_name = "URL", hide_env_values = true)]
    postgres: Option<String>,
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
    let url = options.postgres.as_deref().filter(|url| !url.is_empty());
    let stage = Stage::new(directory.path(), time)?.with_postgres(url)?;
    let runtime = &stage.runtime;
    let mut cases = case::with(&options.only);
    cases.retain(|case| stage.postgres().is_some() || !case.work.needs_postgres());
    let samples = runner::run(&stage, &cases, options.rounds)?;
    let figures = Figures::new(&cases, &samples);
    let cold = cold::run(runtime, &options.only, options.rounds, directory.path())?;
    let disk = disk::run(runtime, &options.only, directory.path())?;
    let lag = lag::run(&stage, &options.only)?;
    let swap = swap::run(&stage, &options.only)?;
    let memory = memory::run(&stage, &options.only)?;
    let mut goals = figures.goals();
    goals.extend(lag::goals(lag.as_ref()));
    goals.extend(disk::goals(&disk));
    goals.extend(memory::goals(memory.as_ref()));
    machine.look_again(directory.path())?;
    Ok(Results {
        command: command(std::env::args().skip(1), stage.postgres().is_some()),
        date: jiff::Timestamp::now().strftime("%Y-%m-%d at %H:%M UTC").to_string(),
        machine,
        rounds: options.rounds,
        seconds: options.seconds,
        cases: figures.results(),
        cold,
        disk,
        lag,
        swap,
        memory,
        goals,
    })
}

/// The command that runs this program with such arguments. A server is named by its variable, since a URL may have a
/// password.
fn command(arguments: impl Iterator<Item = String>, postgres: bool) -> String {
    let mut arguments: Vec<_> = arguments.collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--postgres") {
        arguments.drain(at..(at + 2).min(arguments.len()));
    }
    arguments.retain(|argument| !argument.starts_with("--postgres="));
    if postgres {
        arguments.push("--postgres \"$CQRS_POSTGRES_URL\"".to_owned());
    }
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
        let with =
            |arguments: &[&str]| command(arguments.iter().map(|&argument| argument.to_owned()), false);
        assert_eq!(with(&[]), "cargo run --release -p bench");
        assert_eq!(with(&["--rounds", "3"]), "cargo run --release -p bench -- --rounds 3");
    }

    #[test]
    fn a_password_is_not_told() {
        let with =
            |arguments: &[&str]| command(arguments.iter().map(|&argument| argument.to_owned()), true);
        let told = "cargo run --release -p bench -- --rounds 3 --postgres \"$CQRS_POSTGRES_URL\"";
        assert_eq!(with(&["--rounds", "3"]), told);
        assert_eq!(with(&["--postgres", "postgres://me:secret@there", "--rounds", "3"]), told);
        assert_eq!(with(&["--postgres=postgres://me:secret@there", "--rounds", "3"]), told);
    }
}
