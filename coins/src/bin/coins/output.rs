//! Where answers and errors go.

use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

/// Answers on stdout, all else on stderr; JSON or words, as was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Answers with a value in one line of JSON, or with the words for it.
    pub(crate) fn answer<T: Serialize>(
        self,
        value: &T,
        words: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let line = serde_json::to_string(value)?;
            self.text(&format!("{line}\n"))
        } else {
            self.text(&format!("{}\n", words(value)))
        }
    }

    /// Writes a text as it is, at once.
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        Ok(())
    }

    /// Says what is worth knowing, and no error.
    pub(crate) fn warn(self, code: &str, message: &str) {
        self.tell("warning", code, message);
    }

    /// Says what went wrong, if anything did, and turns it into the exit status.
    pub(crate) fn end(self, result: Result<(), Failure>) -> ExitCode {
        let Err(failure) = result else { return ExitCode::SUCCESS };
        if let Failure::NoCommand(help) = &failure
            && !self.json
        {
            // Where stderr is gone, there is nobody left to tell.
            let _ = help.print();
        } else if let Some(code) = failure.code() {
            self.tell("error", code, &failure.message());
        }
        failure.exit_status().into()
    }

    fn tell(self, kind: &str, code: &str, message: &str) {
        let line = if self.json {
            json!({ kind: code, "message": message }).to_string()
        } else {
            format!("{kind}: {code}: {message}")
        };
        // Where stderr is gone, there is nobody left to tell.
        let _ = writeln!(io::stderr(), "{line}");
    }
}
