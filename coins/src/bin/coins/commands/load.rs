//! `coins load`.

mod client;
mod conservation;
mod display;
mod mix;
mod report;
mod tally;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use self::client::{Client, Service};
use self::display::Display;
use self::tally::Tally;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) use self::mix::Mix;

/// How often the display is drawn: often enough to look alive.
const REDRAW: Duration = Duration::from_millis(200);

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) url: String,
    pub(crate) clients: u64,
    pub(crate) time: Duration,
    /// The most requests, of all clients together.
    pub(crate) requests: u64,
    pub(crate) mix: Mix,
}

/// What the clients of one run share.
#[derive(Debug)]
struct Run {
    wanted: Wanted,
    deadline: Instant,
    /// How many requests may still be made.
    left: AtomicU64,
    tally: Tally,
    interrupt: Interrupt,
}

impl Run {
    /// Whether a client may make another request; one of the requests that are left is then taken.
    fn go_on(&self) -> bool {
        Instant::now() < self.deadline && !self.interrupt.is_asked() && self.take_one()
    }

    fn take_one(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Loads a service, tells how it did, and asks whether all coins are there.
pub(super) async fn run(wanted: Wanted, output: Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let service = Service::at(&wanted.url)?;
    // A service that is not there is told at once, and not by as many errors as there are clients.
    service.head().await.map_err(|error| Failure::Service(error.to_string()))?;

    let began = Instant::now();
    let run = Arc::new(Run {
        deadline: began + wanted.time,
        left: AtomicU64::new(wanted.requests),
        tally: Tally::default(),
        interrupt: interrupt.clone(),
        wanted,
    });
    let mut clients = JoinSet::new();
    let names = client::names(run.wanted.clients)?;
    for number in 0..names.len() {
        clients.spawn(Client::new(service.clone(), names.clone(), number).work(run.clone()));
    }
    let display = Display::of(&run.wanted, output);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            ended = clients.join_next() => match ended {
                Some(Ok(())) => {}
                // Nobody cancels a client, so all that can happen to it is a panic.
                Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
                None => break,
            },
            _ = redraw.tick() => display.draw(&run.tally, began.elapsed()),
        }
    }
    let took = began.elapsed();
    display.end();

    // A question that is cut short has no answer, and the report does without.
    let conservation = tokio::select! {
        conservation = conservation::check(&service) => conservation,
        () = interrupt.asked() => conservation::Conservation::Unknown { why: "it was stopped".to_owned() },
    };
    let report = report::Report::of(&run.wanted, &run.tally, took, conservation);
    output.answer(&report, report::Report::words)?;
    match report.conservation {
        _ if interrupt.is_asked() => Err(Failure::Interrupted),
        conservation::Conservation::Broken { .. } => {
            Err(Failure::Refused { code: "not_conserved", message: report.conservation.to_string() })
        }
        _ => Ok(()),
    }
}
