//! The program `coins serve`, which can be killed.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::common::Place;

/// A running `coins serve`.
pub(crate) struct Program {
    pub(crate) child: Child,
    /// What it says after where it listens.
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) origin: String,
}

impl Program {
    pub(crate) fn start(place: &Place) -> Self {
        Self::with(place, &[])
    }

    pub(crate) fn with(place: &Place, more: &[&str]) -> Self {
        let arguments = [&["--json", "serve", "--addr", "127.0.0.1:0", "--rate", "0"], more].concat();
        let mut child =
            place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("it says {line:?} and {stderr:?}")
        });
        let origin = said["listening"].as_str().unwrap().to_owned();
        Self { child, stdout, origin }
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Kills it, as a power failure would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
