//! An event handler that sends mail: each event is delivered at least once, and each mail is sent once, if the mail server
//! knows a repetition.
//!
//! Read [`Confirmations`]: it asks the [`SentMail`] whether the event's id was worked on, sends, and writes the id down. What
//! is left to chance is the instant between the two. There the mail server has to help: ours takes a key with each message, and
//! drops a message whose key it has had before. Some providers take such an idempotency key. With one that does not, as plain
//! SMTP, a crash in that instant sends a mail twice: at least once is all there is.

mod confirmations;
mod mail;
mod order;

pub use confirmations::Confirmations;
pub use mail::{Mail, MailServer, SentMail};
pub use order::{Order, OrderEvent, PlaceOrder};
