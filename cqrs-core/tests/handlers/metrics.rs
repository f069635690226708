//! What the metrics say of a handler.

use std::collections::BTreeMap;

use cqrs_core::*;
use cqrs_memory::MemoryStore;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use crate::common::add;
use crate::probe::{NAME, Probe};

#[tokio::test(start_paused = true)]
async fn the_metrics_count_every_delivery_by_what_came_of_it() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _here = metrics::set_default_local_recorder(&recorder);
    let probe = Probe::new(async |(pot, _)| if pot == "fine" { Ok(()) } else { Err(pot.into()) });
    let probe = probe.saying(|failure| match (failure.stream.key(), failure.attempts) {
        ("skipped", _) => Policy::Skip,
        (_, 1) => Policy::Retry,
        _ => Policy::Park,
    });
    let app = App::builder(MemoryStore::new()).event_handler(probe).start().await.unwrap();
    for pot in ["fine", "fine", "skipped", "parked"] {
        app.dispatch(add(pot, 1)).wait_for([NAME]).await.unwrap();
    }
    let (mut counters, mut timed) = (BTreeMap::new(), 0);
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (name, labels) = key.key().clone().into_parts();
        match value {
            DebugValue::Counter(count) if name.as_str() == "cqrs_handler_events_total" => {
                let label = |wanted| labels.iter().find(|label| label.key() == wanted).unwrap().value();
                assert_eq!(label("handler"), NAME);
                counters.insert(label("outcome").to_owned(), count);
            }
            DebugValue::Histogram(values) if name.as_str() == "cqrs_handler_duration_seconds" => {
                timed += values.len();
            }
            _ => {}
        }
    }
    let wanted = [("handled", 2), ("parked", 1), ("retried", 1), ("skipped", 1)];
    assert_eq!(counters, wanted.map(|(outcome, count)| (outcome.to_owned(), count)).into());
    assert_eq!(timed, 5);
}
