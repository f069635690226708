//! `coins serve`.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use coins::Coins;
use coins::http::{ServeOptions, Server};
use serde::Serialize;

use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

#[derive(Serialize)]
struct Answer {
    listening: String,
}

/// What was typed, as options; 0 is without end.
pub(super) fn options(
    address: SocketAddr,
    allowed_hosts: Vec<String>,
    rate: u32,
    connections: usize,
) -> ServeOptions {
    let mut options = ServeOptions::default();
    options.address = address;
    options.allowed_hosts = allowed_hosts;
    options.requests_per_second = NonZeroU32::new(rate);
    options.connections_per_client = NonZeroUsize::new(connections);
    options
}

/// Serves until it is interrupted. It does not wait for what was cut short before: that goes on meanwhile.
pub(super) async fn run(db: PathBuf, options: ServeOptions, output: Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let coins = Coins::open(db).await?;
    let served = async {
        let server = Server::bind(coins.clone(), options).await?;
        let listening = format!("http://{}", server.address());
        output.answer(&Answer { listening }, |answer| {
            format!("listening on {}; Ctrl-C ends it", answer.listening)
        })?;
        server.run(interrupt.asked()).await;
        Ok(())
    }
    .await;
    coins.close().await;
    served
}
