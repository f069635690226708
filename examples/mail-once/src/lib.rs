//! An event handler that sends mail: each event is delivered at least once, and each mail is sent once.
//!
//! Read [`Confirmations`]: it asks the [`SentMail`] whether the event's id was worked on, sends, and writes the id down. What
//! is left to chance is the instant between the two, and there the mail server helps, as real ones do: it takes a
//! message id, and drops a message that it has had before.

mod confirmations;
mod mail;
mod order;

pub use confirmations::Confirmations;
pub use mail::{Mail, MailServer, SentMail};
pub use order::{Order, OrderEvent, PlaceOrder};
