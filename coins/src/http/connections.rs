//! Connections: one task each, with limits on how many and how slow they are.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::limits::Places;
use super::measure::{self, Counted};
use super::options::ServeOptions;

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// How long to wait when no connection can be accepted, which is when the system has no more files to open.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// The bytes of a connection.
type Bytes = Pin<Box<TimeoutStream<TcpStream>>>;

/// The two ends of the connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Accepts connections until the future ends, and lets those that are open finish what they are at, as long as they may. None
/// is open any longer when this returns.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    options: &ServeOptions,
    stop: impl Future<Output = ()>,
) {
    let connections = Arc::new(Semaphore::new(options.max_connections));
    let places = Places::of(options.connections_per_client);
    let open = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            // The semaphore is never closed; without a permit nothing is accepted.
            let permit = Arc::clone(&connections).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut stop => break,
            // One that has ended is forgotten.
            Some(_) = tasks.join_next() => continue,
            next = next => next,
        };
        let (stream, peer) = match accepted.and_then(|(stream, remote)| {
            let peer = Peer { remote, local: stream.local_addr()? };
            stream.set_nodelay(true)?;
            Ok((stream, peer))
        }) {
            Ok(accepted) => accepted,
            Err(error) => {
                not_accepted(&error).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.remote.ip()) else {
            // Closed without a word, for which a client with many connections need not be read or waited for.
            tracing::debug!(peer = %peer.remote, "a client has as many connections as it may have");
            measure::refused_connection();
            continue;
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(options.write_timeout));
        let connection = connection(&http, Box::pin(stream), router.clone(), peer);
        let connection = open.watch(connection);
        tasks.spawn(async move {
            let _held = (permit, place, Counted::connection());
            if let Err(error) = connection.await {
                tracing::debug!(peer = %peer.remote, %error, "a connection ended");
            }
        });
    }
    // New clients are refused by the system from here on.
    drop(listener);
    tracing::info!(connections = open.count(), "waiting for requests under way");
    if tokio::time::timeout(options.drain_timeout, open.shutdown()).await.is_err() {
        tracing::warn!("requests under way took too long, and are cut off");
        tasks.shutdown().await;
    }
}

fn connection(
    http: &http1::Builder,
    stream: Bytes,
    router: Router,
    peer: Peer,
) -> http1::Connection<
    TokioIo<Bytes>,
    impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<>,
> {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    http.serve_connection(TokioIo::new(stream), service)
}

async fn not_accepted(error: &io::Error) {
    let of_the_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    );
    if !of_the_client {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(OUT_OF_FILES).await;
    }
}
