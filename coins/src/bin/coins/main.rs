//! The command line of the currency.

mod cli;
mod commands;
mod failure;
mod interrupt;
mod output;
mod show;

use std::process::ExitCode;

use cli::Cli;
use failure::Failure;
use output::Output;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    // Logs are for those who ask for them; a command's own words go to stdout and stderr.
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    match Cli::read(&arguments) {
        Ok(cli) => {
            let output = Output::new(cli.json);
            let result = commands::run(cli, output).await;
            output.end(result)
        }
        Err(error) if error.use_stderr() => {
            Output::new(Cli::asks_for_json(&arguments)).end(Err(Failure::unread(error)))
        }
        // Help and version are answers, and clap knows how to print them.
        Err(help) => Output::new(false).end(Output::new(false).text(&help.render().to_string())),
    }
}
