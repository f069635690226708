//! How a subscriber is doing, for everybody to see.

use tokio::sync::watch;

use crate::Position;

/// How a subscriber is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberStatus {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: SubscriberKind,
    /// Its durable checkpoint: everything at or below is worked on. An event that a handler has parked for an operator
    /// counts as worked on; one that it still tries does not.
    pub position: Position,
    /// Whether it runs.
    pub state: SubscriberState,
}

/// What a subscriber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberKind {
    /// A projection.
    Projection,
    /// A process manager.
    ProcessManager,
    /// An event handler.
    EventHandler,
}

/// Whether a subscriber runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriberState {
    /// It works, or waits for events.
    Running,
    /// Its last attempt failed; it will try again.
    Retrying {
        /// How often in a row it has failed.
        attempts: u32,
        /// What went wrong last, with its causes.
        error: String,
    },
    /// It has ended: with the application, or because of an error that ends it.
    Stopped {
        /// What ended it, with its causes; none when it has ended with the application.
        error: Option<String>,
    },
}

/// The subscriber's side of a status.
pub(crate) struct Reporter(watch::Sender<SubscriberStatus>);

impl Reporter {
    pub(crate) fn new(name: &'static str, kind: SubscriberKind) -> Self {
        let state = SubscriberState::Running;
        Self(watch::Sender::new(SubscriberStatus { name, kind, position: Position::ZERO, state }))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<SubscriberStatus> {
        self.0.subscribe()
    }

    pub(crate) fn running(&self, position: Position) {
        self.0.send_modify(|status| {
            status.position = position;
            status.state = SubscriberState::Running;
        });
    }

    /// As [`Reporter::running`], but a position never moves back, whoever looks: what was worked on stays so.
    pub(crate) fn reached(&self, position: Position) {
        self.0.send_if_modified(|status| {
            let moves = position > status.position;
            status.position = position.max(status.position);
            moves
        });
    }

    /// How it is doing, where that is new.
    pub(crate) fn is(&self, state: SubscriberState) {
        self.0.send_if_modified(|status| {
            let is_new = status.state != state;
            status.state = state;
            is_new
        });
    }

    pub(crate) fn retrying(&self, attempts: u32, error: String) {
        self.0.send_modify(|status| status.state = SubscriberState::Retrying { attempts, error });
    }
}

/// Whatever ends the subscriber's task ends its status too, so that nobody waits for it in vain.
impl Drop for Reporter {
    fn drop(&mut self) {
        if !matches!(self.0.borrow().state, SubscriberState::Stopped { .. }) {
            self.0.send_modify(|status| status.state = SubscriberState::Stopped { error: None });
        }
    }
}
