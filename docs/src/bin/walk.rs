//! Types what the documents say is to be typed, in a folder that has nothing but the clone `cqrs-core` in it.
//!
//! `.ci/newcomer` calls it, with a clone that is fresh.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: walk FOLDER");
        return ExitCode::FAILURE;
    };
    match docs::walk(&folder, None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stumble) => {
            eprintln!("{stumble}");
            ExitCode::FAILURE
        }
    }
}
