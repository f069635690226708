//! Our path: clients that dispatch one command after the other.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cqrs_core::{App, Store};
use hdrhistogram::Histogram;

use crate::Error;
use crate::counting::Counting;
use crate::domain::Read;
use crate::sample::{Quantiles, Sample, Stopwatch, histogram};
use crate::streams::Streams;

/// Runs so many clients, each of which dispatches its next command when the last one is answered.
pub(crate) async fn run(
    store: impl Store,
    clients: u64,
    streams: Streams,
    time: Duration,
) -> Result<Sample, Error> {
    let store = Counting::new(store);
    let counters = store.counters();
    let app = App::builder(store).start().await?;
    prepare(&app, streams).await?;
    let next = Arc::<AtomicU64>::default();
    counters.take();
    let watch = Stopwatch::start();
    let until = watch.started() + time;
    let tasks: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(client(app.clone(), Arc::clone(&next), streams, until)))
        .collect();
    let mut latencies = histogram()?;
    for task in tasks {
        latencies.add(task.await??)?;
    }
    let took = watch.took();
    let appends = counters.take();
    app.shutdown().await;
    Ok(Sample {
        events: latencies.len(),
        took,
        latencies: Some(Quantiles::of(&latencies)),
        appends: Some(appends),
    })
}

/// Every stream exists before the clock runs, as it does for the raw engine, and has its state in memory.
pub(crate) async fn prepare(app: &App, streams: Streams) -> Result<(), Error> {
    let ids = (0..streams.count()).flat_map(|id| (0..streams.prepared_events()).map(move |_| id));
    let commands = ids.map(|meter_id| app.dispatch(Read::<0> { meter_id, value: 0 }).into_future());
    futures::future::try_join_all(commands).await?;
    Ok(())
}

/// Dispatches until the time is over. Latencies are in microseconds.
async fn client(
    app: App,
    next: Arc<AtomicU64>,
    streams: Streams,
    until: Instant,
) -> Result<Histogram<u64>, Error> {
    let mut latencies = histogram()?;
    loop {
        let begun = Instant::now();
        // One at least, however late it comes to its turn.
        if begun >= until && !latencies.is_empty() {
            return Ok(latencies);
        }
        let value = next.fetch_add(1, Ordering::Relaxed);
        app.dispatch(Read::<0> { meter_id: streams.of(value), value }).await?;
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
}

#[cfg(test)]
mod tests {
    use cqrs_memory::MemoryStore;

    use super::*;

    #[test]
    fn one_process_alone_never_decides_twice() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let time = Duration::from_millis(20);
        for streams in [Streams::Hot, Streams::Young] {
            let sample = runtime.block_on(run(MemoryStore::new(), 16, streams, time)).unwrap();
            let appends = sample.appends.unwrap();
            assert!(sample.events > 0 && appends.commits > 0);
            assert_eq!(appends.conflicts, 0);
        }
    }
}
