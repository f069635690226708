//! How it goes, while it goes.

use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use super::Wanted;
use super::mix::Kind;
use super::report::latency;
use super::tally::Tally;
use crate::output::Output;

/// Lines on stderr when that is a terminal, and nothing otherwise. They fit where 80 characters do: a line that is broken
/// would not be taken away as a whole.
#[derive(Debug)]
pub(super) struct Display {
    all: MultiProgress,
    time: ProgressBar,
    head: ProgressBar,
    kinds: [ProgressBar; 3],
}

impl Display {
    #[expect(clippy::expect_used, reason = "the templates are literals, and the tests draw them")]
    pub(super) fn of(wanted: &Wanted, output: Output) -> Self {
        let all = MultiProgress::new();
        if output.is_json() {
            all.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let bar =
            ProgressStyle::with_template("{bar:40.yellow} {msg}").expect("the template is well-formed");
        let line =
            ProgressStyle::with_template("{prefix:5.bold} {msg}").expect("the template is well-formed");
        let head = line.clone();
        let millis = u64::try_from(wanted.time.as_millis()).unwrap_or(u64::MAX);
        let time = all.add(ProgressBar::new(millis).with_style(bar.progress_chars("━━─")));
        let head = all.add(ProgressBar::new(0).with_style(head));
        head.set_message(columns(
            ["a second", "p50", "p99", "done", "refused", "failed"].map(str::to_owned),
        ));
        let kinds = Kind::ALL
            .map(|kind| all.add(ProgressBar::new(0).with_style(line.clone()).with_prefix(kind.name())));
        time.set_message(format!("{} clients on {}", wanted.clients, wanted.url));
        Self { all, time, head, kinds }
    }

    pub(super) fn draw(&self, tally: &Tally, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.time.set_position(millis.min(self.time.length().unwrap_or(millis)));
        for (kind, line) in Kind::ALL.into_iter().zip(&self.kinds) {
            let counts = tally.of(kind);
            let rate = counts.all() as f64 / elapsed.as_secs_f64().max(0.001);
            line.set_message(columns([
                HumanCount(rate as u64).to_string(),
                latency(counts.quantile(0.5)),
                latency(counts.quantile(0.99)),
                HumanCount(counts.done).to_string(),
                HumanCount(counts.refused.values().sum()).to_string(),
                HumanCount(counts.failed.values().sum()).to_string(),
            ]));
        }
    }

    /// Takes the lines away: the report has all that they said.
    pub(super) fn end(&self) {
        for bar in [&self.time, &self.head].into_iter().chain(&self.kinds) {
            bar.finish_and_clear();
        }
        // Where stderr is gone, nothing is left to be cleared.
        let _ = self.all.clear();
    }
}

fn columns(texts: [String; 6]) -> String {
    texts.map(|text| format!("{text:>11}")).concat()
}
