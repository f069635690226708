//! What a server can be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How to serve. Start from [`ServeOptions::default`] and change what must be changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Where to listen; port 0 lets the system choose one. 127.0.0.1:3000 by default.
    pub address: SocketAddr,
    /// Names by which the service may be called in the `Host` header, besides `localhost` and the address that was
    /// connected to; with a port, only on that port. None by default.
    pub allowed_hosts: Vec<String>,
    /// How many requests a client may make each second; twice as many at once after a pause. `None` is without
    /// end. 1,000 by default: far more than a person needs, and few enough that one client leaves room for others.
    pub requests_per_second: Option<NonZeroU32>,
    /// The most connections at a time; further ones wait to be accepted. 512 by default, half of what many
    /// systems allow a process to have open: the database needs files as well.
    pub max_connections: usize,
    /// The most connections of a client at a time; further ones are closed. `None` is without end. 128 by default, a
    /// quarter of all and half as many as there are streams of events: a client with nothing but silent connections
    /// leaves places for others, and a house full of people behind one address has enough.
    pub connections_per_client: Option<NonZeroUsize>,
    /// The most streams of events at a time; further ones are refused. 256 by default, so that streams, which do not
    /// end, leave connections for requests.
    pub max_streams: usize,
    /// How long a request may take, its body included, before it is answered that it took too long. Above the 30 s
    /// for which a command is waited for. 40 s by default.
    pub request_timeout: Duration,
    /// How long a connection may take to send the head of a request, and may lie idle between two. 30 s by default.
    pub head_timeout: Duration,
    /// How long a client may take to read what it is sent, before its connection is closed; a client of events comes
    /// back and goes on where it was. 30 s by default.
    pub write_timeout: Duration,
    /// How often a stream of events on which nothing happens says that it is there. 15 s by default, below the minute after
    /// which proxies give up; the page takes 50 s of silence for the end of its connection.
    pub heartbeat: Duration,
    /// How long requests under way are waited for at the end. 30 s by default.
    pub drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            allowed_hosts: Vec::new(),
            requests_per_second: NonZeroU32::new(1_000),
            max_connections: 512,
            connections_per_client: NonZeroUsize::new(128),
            max_streams: 256,
            request_timeout: Duration::from_secs(40),
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
