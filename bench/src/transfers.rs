//! Transfers: a command, its event, a process manager, a second command, its event.

mod domain;

use std::collections::HashMap;
use std::future::IntoFuture;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cqrs_core::{App, Consistency, RecordedEvent, Router, StartFrom, Store};
use futures::TryStreamExt;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use self::domain::{Carry, Open, Receive, Send, WalletEvent};
use crate::Error;
use crate::sample::{Quantiles, Sample, Stopwatch, histogram};
use crate::streams::{STREAMS, Streams};

/// What a client waits for before it begins its next transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Until {
    /// The second event: the subscription of the whole process has it.
    Received,
    /// The end of the causal chain, by `settled()`.
    Settled,
}

/// Who waits for which transfer to be received.
#[derive(Default)]
struct Waiting(Mutex<HashMap<u64, oneshot::Sender<()>>>);

impl Waiting {
    fn begin(&self, transfer: u64) -> oneshot::Receiver<()> {
        let (received, wait) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(transfer, received);
        wait
    }

    fn received(&self, transfer: u64) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&transfer);
        // Who ended in the middle of a transfer does not wait any more.
        let _ = waiting.map(|waiting| waiting.send(()));
    }
}

/// Runs so many clients, each of which begins its next transfer when the last one has arrived.
pub(crate) async fn run(
    store: impl Store,
    clients: u64,
    until: Until,
    time: Duration,
) -> Result<Sample, Error> {
    let router = Router::new().route::<Open>().route::<Send>().route::<Receive>();
    let app = App::builder(store).router(router).process_manager::<Carry>().start().await?;
    open(&app).await?;
    let waiting = Arc::<Waiting>::default();
    let from = StartFrom::Position(app.store().head().await?);
    let listener = tokio::spawn(listen(app.clone(), from, Arc::clone(&waiting)));
    let next = Arc::<AtomicU64>::default();
    let watch = Stopwatch::start();
    let deadline = watch.started() + time;
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            tokio::spawn(client(app.clone(), Arc::clone(&waiting), Arc::clone(&next), until, deadline))
        })
        .collect();
    let mut latencies = histogram()?;
    for task in tasks {
        latencies.add(task.await??)?;
    }
    let took = watch.took();
    app.shutdown().await;
    listener.await??;
    Ok(Sample { events: latencies.len(), took, latencies: Some(Quantiles::of(&latencies)), appends: None })
}

/// Every wallet exists before the clock runs, and has its state in memory.
async fn open(app: &App) -> Result<(), Error> {
    let commands = (0..STREAMS).map(|wallet| app.dispatch(Open { wallet }).into_future());
    futures::future::try_join_all(commands).await?;
    Ok(())
}

/// Tells clients what was received, until the application ends.
async fn listen(app: App, from: StartFrom, waiting: Arc<Waiting>) -> Result<(), Error> {
    let mut events = app.subscribe_to::<WalletEvent>(from);
    drop(app);
    while let Some(RecordedEvent { data, .. }) = events.try_next().await? {
        if let WalletEvent::Received { transfer, .. } = data {
            waiting.received(transfer);
        }
    }
    Ok(())
}

/// Transfers until the time is over. Latencies are in microseconds.
async fn client(
    app: App,
    waiting: Arc<Waiting>,
    next: Arc<AtomicU64>,
    until: Until,
    deadline: Instant,
) -> Result<Histogram<u64>, Error> {
    let mut latencies = histogram()?;
    loop {
        let begun = Instant::now();
        // One at least, however late it comes to its turn.
        if begun >= deadline && !latencies.is_empty() {
            return Ok(latencies);
        }
        let transfer = next.fetch_add(1, Ordering::Relaxed);
        let (wallet, to) = (Streams::Many.of(2 * transfer), Streams::Many.of(2 * transfer + 1));
        let send = Send { wallet, to, transfer, amount: 1 };
        match until {
            Until::Received => {
                let received = waiting.begin(transfer);
                app.dispatch(send).await?;
                received.await?;
            }
            Until::Settled => match app.dispatch(send).settled().await?.consistency {
                Consistency::Reached => {}
                other => return Err(format!("a transfer came to {other:?}").into()),
            },
        }
        latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
    }
}

#[cfg(test)]
mod tests {
    use cqrs_memory::MemoryStore;

    use super::*;

    #[test]
    fn what_is_counted_was_received() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for until in [Until::Received, Until::Settled] {
            let store = MemoryStore::new();
            let time = Duration::from_millis(20);
            let sample = runtime.block_on(run(store.clone(), 8, until, time)).unwrap();
            let received = runtime.block_on(domain::received(&store)).unwrap();
            assert!(sample.events > 0);
            assert_eq!(sample.events, received, "{until:?}");
        }
    }
}
