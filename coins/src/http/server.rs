//! The server, from binding an address to the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics_exporter_prometheus::BuildError;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::connections;
use super::guard::Hosts;
use super::layers;
use super::limits::Rate;
use super::measure::Metrics;
use super::options::ServeOptions;
use super::routes::routes;
use super::state::Service;
use crate::Coins;

/// How often what has piled up inside is tidied away.
const TIDY: Duration = Duration::from_secs(5);

/// The service on an address of its own, ready to run.
///
/// ```
/// use coins::Coins;
/// use coins::http::{ServeOptions, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let coins = Coins::open(directory.path().join("coins.db")).await?;
///
/// let mut options = ServeOptions::default();
/// options.address = "127.0.0.1:0".parse()?; // any port that is free
/// let server = Server::bind(coins.clone(), options).await?;
/// println!("listening on http://{}", server.address());
/// server.run(async { /* until this ends */ }).await;
/// coins.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    options: ServeOptions,
    metrics: Metrics,
    rate: Option<Rate>,
    stopping: watch::Sender<bool>,
}

/// Why a service cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened to.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A name to be called by is none.
    #[error("a host is a name or an address, with or without a port, found {0:?}")]
    Host(String),
    /// What is counted cannot be recorded: the process has a recorder of metrics already.
    #[error("cannot record metrics")]
    Metrics(#[from] BuildError),
}

impl Server {
    /// Binds the address. From here on clients can connect; they are answered once the server runs.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when the address is taken or not this machine's, or an option makes no sense.
    pub async fn bind(coins: Coins, options: ServeOptions) -> Result<Self, ServeError> {
        let hosts = Hosts::named(&options.allowed_hosts).map_err(ServeError::Host)?;
        let metrics = Metrics::of_process()?;
        let address = options.address;
        let bound = TcpListener::bind(address).await.and_then(|it| Ok((it.local_addr()?, it)));
        let (address, listener) = bound.map_err(|source| ServeError::Bind { address, source })?;
        let (stopping, stopped) = watch::channel(false);
        let service = Service {
            coins,
            metrics: metrics.clone(),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            heartbeat: options.heartbeat,
            stopping: stopped,
        };
        let rate = options.requests_per_second.map(Rate::of);
        let router = layers::around(routes(service), &options, hosts, rate.clone());
        Ok(Self { listener, address, router, options, metrics, rate, stopping })
    }

    /// Where it listens; with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future ends. Then nothing new is accepted, streams of events end, and requests under way are
    /// finished, for as long as [`ServeOptions::drain_timeout`] allows. The application stays open.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { listener, router, options, metrics, rate, stopping, .. } = self;
        let stop = async {
            stop.await;
            stopping.send_replace(true);
        };
        let tidy = async {
            let mut interval = tokio::time::interval(TIDY);
            loop {
                interval.tick().await;
                metrics.tidy();
                rate.iter().for_each(Rate::tidy);
            }
        };
        tokio::select! {
            () = connections::serve(listener, router, &options, stop) => {}
            () = tidy => {}
        }
    }
}
