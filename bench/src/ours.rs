//! Our path: clients that dispatch one command after the other.

use std::future::IntoFuture;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cqrs_core::{App, Store};
use cqrs_memory::MemoryStore;
use cqrs_sqlite::SqliteStore;
use hdrhistogram::Histogram;

use crate::Error;
use crate::domain::Read;
use crate::report::Sample;

pub(crate) async fn sqlite(
    path: &Path,
    clients: u64,
    streams: u64,
    time: Duration,
) -> Result<Sample, Error> {
    run(SqliteStore::open(path).await?, clients, streams, time).await
}

pub(crate) async fn memory(clients: u64, streams: u64, time: Duration) -> Result<Sample, Error> {
    run(MemoryStore::new(), clients, streams, time).await
}

async fn run(store: impl Store, clients: u64, streams: u64, time: Duration) -> Result<Sample, Error> {
    let app = App::builder(store).start().await?;
    // Every stream exists before the clock runs, as it does for the raw engine.
    let firsts = (0..streams).map(|meter_id| app.dispatch(Read { meter_id, value: 0 }).into_future());
    futures::future::try_join_all(firsts).await?;
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|_| tokio::spawn(client(app.clone(), Arc::clone(&next), streams, start + time)))
        .collect();
    let mut latencies = Histogram::<u64>::new(3)?;
    for task in tasks {
        latencies.add(task.await??)?;
    }
    let elapsed = start.elapsed();
    app.shutdown().await;
    Ok(Sample {
        per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: Some(latencies.value_at_quantile(0.5)),
        p99: Some(latencies.value_at_quantile(0.99)),
    })
}

/// Dispatches until the time is over. Latencies are in microseconds.
async fn client(
    app: App,
    next: Arc<AtomicU64>,
    streams: u64,
    until: Instant,
) -> Result<Histogram<u64>, Error> {
    let mut latencies = Histogram::<u64>::new(3)?;
    loop {
        let begun = Instant::now();
        if begun >= until {
            return Ok(latencies);
        }
        let value = next.fetch_add(1, Ordering::Relaxed);
        app.dispatch(Read { meter_id: scatter(value) % streams, value }).await?;
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
}

/// Spreads numbers over streams without an order that a cache would like.
pub(crate) fn scatter(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}
