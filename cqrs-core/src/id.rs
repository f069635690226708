//! Identifiers of commands, events and causal chains.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_newtype {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_newtype! {
    /// Identifies one command, and makes its retry safe.
    ///
    /// A command that is dispatched with an id of the caller's own leaves a receipt in the store, in the
    /// same commit as its events. The same id again, at any time and on any node, changes nothing and
    /// answers with the first outcome.
    ///
    /// ```
    /// use cqrs_core::CommandId;
    /// use uuid::Uuid;
    ///
    /// // A key that the caller has anyway, such as the number of an order, makes an id that repeats with it.
    /// const ORDERS: Uuid = Uuid::from_u128(0x8f0e_6a4b_2c71_4d3a_9e55_10c3_b7d2_64f8);
    /// let id = CommandId::new(Uuid::new_v5(&ORDERS, b"order 1017"));
    /// assert_eq!(id, CommandId::new(Uuid::new_v5(&ORDERS, b"order 1017")));
    /// assert_eq!(id.to_string().parse::<CommandId>()?, id);
    /// # Ok::<(), uuid::Error>(())
    /// ```
    CommandId
}

uuid_newtype! {
    /// Identifies one event, for consumers that deduplicate.
    ///
    /// It is derived from the command that emitted the event, see [`EventId::derive`].
    ///
    /// ```
    /// use cqrs_core::{CommandId, EventId};
    ///
    /// let command = CommandId::new("019a2b6e-52d8-7f3a-9c55-0c1f6a7d8e90".parse()?);
    /// let second = EventId::derive(command, 1);
    /// assert_eq!(second.to_string(), "019a2b6e-52d8-7f3a-9c55-0c1f6a7d8e92");
    /// assert_eq!(second.command(1), command);
    /// # Ok::<(), uuid::Error>(())
    /// ```
    EventId
}

uuid_newtype! {
    /// Names what caused a thing: the id of a command (for an event), or of an event (for a command that
    /// a process manager emitted).
    CausationId
}

uuid_newtype! {
    /// Names a causal chain: every command and event that follows from one first command has that
    /// command's correlation id.
    CorrelationId
}

impl EventId {
    /// The id of a command's event number `index`, counted from zero.
    ///
    /// The last four bytes of the command's id are combined (exclusive or) with `index + 1`. So a command
    /// that is decided again gives its events the same ids, and [`EventId::command`] finds the way back.
    /// This lets a store leave out the causation id wherever it follows from the event's id.
    pub fn derive(command: CommandId, index: u32) -> Self {
        Self(mix(command.0, index.wrapping_add(1)))
    }

    /// The command whose event number `index` has this id: the inverse of [`EventId::derive`].
    pub fn command(self, index: u32) -> CommandId {
        CommandId(mix(self.0, index.wrapping_add(1)))
    }
}

fn mix(id: Uuid, number: u32) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ u128::from(number))
}

impl From<CommandId> for CausationId {
    fn from(id: CommandId) -> Self {
        Self(id.0)
    }
}

impl From<EventId> for CausationId {
    fn from(id: EventId) -> Self {
        Self(id.0)
    }
}

/// A command without a known cause begins a chain of its own, named after itself.
impl From<CommandId> for CorrelationId {
    fn from(id: CommandId) -> Self {
        Self(id.0)
    }
}

/// Where the framework gets new ids, and the randomness of its pauses; a test passes one that it controls.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use uuid::Uuid;
///
/// /// One, two, three.
/// #[derive(Default)]
/// struct Counted(AtomicU64);
///
/// impl IdSource for Counted {
///     fn next_id(&self) -> Uuid {
///         Uuid::from_u64_pair(self.0.fetch_add(1, Ordering::Relaxed) + 1, 0)
///     }
/// }
///
/// let app = App::builder(MemoryStore::new()).ids(Counted::default()).start().await?;
/// let done = app.dispatch(deposit("me", 5)).await?;
/// assert_eq!(done.command_id.to_string(), "00000000-0000-0001-0000-000000000000");
/// # Ok(())
/// # }
/// ```
pub trait IdSource: Send + Sync + 'static {
    /// A UUID that nobody has had before.
    fn next_id(&self) -> Uuid;
}

/// Version 7 UUIDs: by time, and random.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_leads_back_to_its_command_and_differs_from_it() {
        let command = CommandId::new(Uuid::now_v7());
        for index in [0, 1, 2, 255, 65_535, u32::MAX - 1] {
            let event = EventId::derive(command, index);
            assert_eq!(event.command(index), command);
            assert_ne!(event.as_uuid(), command.as_uuid());
            assert_eq!(event.as_uuid().get_version_num(), 7);
        }
    }

    #[test]
    fn display_and_from_str_agree() {
        let id = CorrelationId::new(Uuid::now_v7());
        assert_eq!(id.to_string().parse::<CorrelationId>().unwrap(), id);
    }
}
