//! What an application tells by metrics and logs.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracing_subscriber::fmt::format::FmtSpan;

/// The metrics of this thread, for as long as the guard is kept.
pub fn metrics_here(recorder: &DebuggingRecorder) -> (Snapshotter, metrics::LocalRecorderGuard<'_>) {
    (recorder.snapshotter(), metrics::set_default_local_recorder(recorder))
}

/// What the metrics come to, by name and the values of the labels: the value of a counter or a gauge, and all values of
/// a histogram.
pub fn measured(snapshotter: &Snapshotter) -> BTreeMap<String, Vec<f64>> {
    let snapshot = snapshotter.snapshot().into_vec();
    let told = snapshot.into_iter().map(|(key, _, _, value)| {
        let labels = key.key().labels().map(|label| label.value());
        let name = [key.key().name()].into_iter().chain(labels).collect::<Vec<_>>().join(" ");
        let values = match value {
            DebugValue::Counter(count) => vec![count as f64],
            DebugValue::Gauge(gauge) => vec![gauge.0],
            DebugValue::Histogram(values) => values.into_iter().map(|value| value.0).collect(),
        };
        (name, values)
    });
    told.collect()
}

/// A text that several writers share.
#[derive(Clone, Default)]
pub struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    /// The lines that have some words in them.
    pub fn lines(&self, with: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(with)).map(str::to_owned).collect()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of this thread, for as long as the guard is kept; a span is told when it ends.
pub fn log_here() -> (Text, tracing::subscriber::DefaultGuard) {
    let text = Text::default();
    let writer = text.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone());
    (text, tracing::subscriber::set_default(subscriber.finish()))
}
