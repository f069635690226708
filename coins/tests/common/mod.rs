//! The command line on a directory of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with, perhaps, a database.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where commands look when nothing else is said.
    pub(crate) fn db(&self) -> PathBuf {
        self.directory().join("coins.db")
    }

    /// A command in the directory, with nothing in its environment that could change it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coins"));
        command.args(arguments).current_dir(self.directory()).stdin(Stdio::null());
        command.env_remove("COINS_DB").env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().unwrap())
    }

    /// The answer of a command that must succeed, and say nothing else.
    pub(crate) fn answer(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{arguments:?}");
        said.stdout
    }

    /// The one JSON document that a command answers with.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.answer(&[&["--json"], arguments].concat());
        assert!(answer.ends_with('\n') && answer.lines().count() == 1, "{answer:?}");
        serde_json::from_str(&answer).unwrap()
    }

    /// The error of a command that must fail with this status: its code, and its message. It is the same
    /// in words and in JSON.
    pub(crate) fn error(&self, status: i32, arguments: &[&str]) -> (String, String) {
        let said = self.run(arguments);
        assert_eq!((said.status, said.stdout.as_str()), (status, ""), "{arguments:?}: {}", said.stderr);
        let rest = said.stderr.strip_prefix("error: ").unwrap();
        let (code, message) = rest.trim_end().split_once(": ").unwrap();

        let said = self.run(&[&["--json"], arguments].concat());
        assert_eq!((said.status, said.stdout.as_str()), (status, ""), "{arguments:?}: {}", said.stderr);
        let json: Value = serde_json::from_str(&said.stderr).unwrap();
        assert_eq!(json, serde_json::json!({ "error": code, "message": message }), "{arguments:?}");
        (code.to_owned(), message.to_owned())
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it was not ended by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
