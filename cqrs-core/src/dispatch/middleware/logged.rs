//! Every command in the log.

use super::{CommandFailure, CommandView, Middleware};
use crate::{Dispatched, FailureKind, describe};

/// Tells `tracing` of every command and of what came of it.
///
/// At `DEBUG` when it took effect, at `INFO` when a rule refused it or middleware denied it, at `WARN` when it failed for a
/// technical reason. Each carries the command's name, stream and ids, and how long it took, in microseconds. The command's fields are
/// left out: they may be nobody else's business.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogCommands;

impl Middleware for LogCommands {
    fn after(&self, command: &CommandView<'_>, outcome: &Dispatched) {
        tracing::debug!(
            command = command.name(),
            stream = %command.stream(),
            command_id = %command.command_id(),
            correlation_id = command.metadata().correlation_id.map(tracing::field::display),
            version = %outcome.version,
            position = %outcome.position,
            events = outcome.events,
            duplicate = outcome.duplicate,
            micros = command.elapsed().as_micros() as u64,
            "a command took effect"
        );
    }

    fn failed(&self, command: &CommandView<'_>, failure: &CommandFailure<'_>) {
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    command = command.name(),
                    stream = %command.stream(),
                    command_id = %command.command_id(),
                    correlation_id = command.metadata().correlation_id.map(tracing::field::display),
                    kind = %failure.kind,
                    error = %describe(failure.error),
                    micros = command.elapsed().as_micros() as u64,
                    $message
                )
            };
        }
        match failure.kind {
            FailureKind::Rejected | FailureKind::Denied => tell!(info, "a command was refused"),
            _ => tell!(warn, "a command failed"),
        }
    }
}
