//! What is outside: a mail server, and a table of what was sent. Both outlive the application.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cqrs_core::{BoxError, EventId};

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its id; a server drops a second one of the same id.
    pub id: EventId,
    /// To whom.
    pub to: String,
    /// What it says.
    pub text: String,
}

/// A mail server. Every clone is the same server.
#[derive(Clone, Debug, Default)]
pub struct MailServer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    delivered: Vec<Mail>,
    calls: u32,
    refused: Option<String>,
}

impl MailServer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a mail.
    ///
    /// # Errors
    ///
    /// When the server refuses its addressee.
    pub async fn send(&self, mail: Mail) -> Result<(), BoxError> {
        let mut state = self.state();
        state.calls += 1;
        if state.refused.as_ref() == Some(&mail.to) {
            return Err(format!("there is no mailbox {}", mail.to).into());
        }
        if state.delivered.iter().all(|known| known.id != mail.id) {
            state.delivered.push(mail);
        }
        Ok(())
    }

    /// What has arrived.
    pub fn delivered(&self) -> Vec<Mail> {
        self.state().delivered.clone()
    }

    /// How often it was asked to send.
    pub fn calls(&self) -> u32 {
        self.state().calls
    }

    /// Refuses an addressee from now on, or nobody.
    pub fn refuse(&self, addressee: Option<&str>) {
        self.state().refused = addressee.map(str::to_owned);
    }
}

/// The ids of the events that were worked on; a table in a database, in earnest. Every clone is the same table.
#[derive(Clone, Debug, Default)]
pub struct SentMail(Arc<Mutex<BTreeSet<EventId>>>);

impl SentMail {
    fn ids(&self) -> MutexGuard<'_, BTreeSet<EventId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the mail of an event was sent.
    pub async fn has(&self, id: EventId) -> bool {
        self.ids().contains(&id)
    }

    /// Writes down that the mail of an event was sent.
    pub async fn note(&self, id: EventId) {
        self.ids().insert(id);
    }
}
