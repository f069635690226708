//! Ctrl-C: the first asks for a clean end, the second ends at once.

use std::io;

use tokio::sync::watch;

/// The exit status of a command that SIGINT ended, as shells have it.
const ENDED_BY_SIGINT: i32 = 130;

/// Whether the user has asked for an end.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Begins to listen. Where signals cannot be listened to, Ctrl-C ends the process as it always did.
    pub(crate) fn listen() -> Self {
        let (asked, receiver) = watch::channel(false);
        if let Ok(mut signals) = Signals::listen() {
            tokio::spawn(async move {
                loop {
                    signals.next().await;
                    if asked.send_replace(true) {
                        std::process::exit(ENDED_BY_SIGINT);
                    }
                }
            });
        }
        Self(receiver)
    }

    /// Whether it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Ctrl-C, and the polite signal of a service manager.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
