//! `coins completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(shell: Shell, output: Output) -> Result<(), Failure> {
    // Into memory first: clap's generator panics where its reader has gone.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "coins", &mut script);
    output.text(&String::from_utf8_lossy(&script))
}
