//! Every command in the metrics.

use std::collections::BTreeMap;

use async_trait::async_trait;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use serde_json::Value;

use super::{CommandFailure, CommandView, Middleware};
use crate::{BoxError, Dispatched};

const TOTAL: &str = "cqrs_commands_total";
const SECONDS: &str = "cqrs_command_duration_seconds";
const IN_FLIGHT: &str = "cqrs_commands_in_flight";

/// Counts and times every command with the `metrics` crate; the application installs a recorder.
///
/// - `cqrs_commands_total`, a counter by `command` and `outcome`: `accepted`, `duplicate`, or a
///   [`FailureKind`](crate::FailureKind);
/// - `cqrs_command_duration_seconds`, a histogram by the same: from dispatch to the answer, without waiting for
///   subscribers;
/// - `cqrs_commands_in_flight`, a gauge by `command`.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// // Behind a recorder that the program has installed.
/// let app = App::builder(MemoryStore::new()).middleware(MeasureCommands::new()).start().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MeasureCommands;

impl MeasureCommands {
    /// Describes the metrics to the recorder that is installed.
    pub fn new() -> Self {
        describe_counter!(TOTAL, "Commands that were answered.");
        describe_histogram!(SECONDS, Unit::Seconds, "From dispatch to the answer.");
        describe_gauge!(IN_FLIGHT, "Commands that are not answered yet.");
        Self
    }

    fn answered(command: &CommandView<'_>, outcome: &'static str) {
        let name = command.name();
        counter!(TOTAL, "command" => name, "outcome" => outcome).increment(1);
        histogram!(SECONDS, "command" => name, "outcome" => outcome).record(command.elapsed());
        gauge!(IN_FLIGHT, "command" => name).decrement(1);
    }
}

impl Default for MeasureCommands {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Middleware for MeasureCommands {
    async fn before(
        &self,
        command: &CommandView<'_>,
        _: &mut BTreeMap<String, Value>,
    ) -> Result<(), BoxError> {
        gauge!(IN_FLIGHT, "command" => command.name()).increment(1);
        Ok(())
    }

    fn after(&self, command: &CommandView<'_>, outcome: &Dispatched) {
        Self::answered(command, if outcome.duplicate { "duplicate" } else { "accepted" });
    }

    fn failed(&self, command: &CommandView<'_>, failure: &CommandFailure<'_>) {
        Self::answered(command, failure.kind.as_str());
    }
}
