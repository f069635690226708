//! Requests that may be repeated: `Idempotency-Key` names the command.
//!
//! Nothing is kept for this. The store has the receipts of commands, and the event that a command became says what was asked
//! for: [`Coins`](crate::Coins) refuses an id that was another command's. A request that was refused leaves no receipt, and
//! is decided again when it is repeated.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cqrs_core::CommandId;
use uuid::Uuid;

use super::problem::Problem;

const HEADER: &str = "idempotency-key";

/// The longest key, in characters.
const MAX_KEY_CHARS: usize = 255;

/// Keeps the ids of commands that are made of keys apart from all others. A constant for ever: with another one, a
/// request that is repeated after an update of the program would be done again.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d0e_7c3a_91f4_4b86_a2d7_3c1e_8f60_b94d);

/// The key of a request, if it has one.
#[derive(Clone, Debug)]
pub(super) struct Key(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut keys = parts.headers.get_all(HEADER).iter();
        let Some(key) = keys.next() else { return Ok(Self(None)) };
        let bytes = key.as_bytes();
        let visible = bytes.iter().all(u8::is_ascii_graphic);
        match std::str::from_utf8(bytes) {
            Ok(text) if visible && (1..=MAX_KEY_CHARS).contains(&text.len()) && keys.next().is_none() => {
                Ok(Self(Some(text.to_owned())))
            }
            _ => Err(Problem::bad_request(
                "invalid_idempotency_key",
                format!("wanted is one Idempotency-Key of 1 to {MAX_KEY_CHARS} visible ASCII characters"),
            )),
        }
    }
}

impl Key {
    /// The id of the command that mines.
    pub(super) fn of_mining(&self) -> Option<CommandId> {
        self.id("mine")
    }

    /// The id of the command that sends coins.
    pub(super) fn of_sending(&self) -> Option<CommandId> {
        self.id("send")
    }

    fn id(&self, what: &str) -> Option<CommandId> {
        let key = self.0.as_deref()?;
        Some(CommandId::new(Uuid::new_v5(&NAMESPACE, format!("{what}\n{key}").as_bytes())))
    }
}
