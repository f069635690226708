//! What enforces the rules.

use std::error::Error;
use std::fmt::Display;
use std::time::Duration;

use crate::{Command, Event, InvalidStreamId, Snapshots, StreamId};

/// A thing with rules: state that only events change.
///
/// The state begins as [`Default`] and is the fold of the stream's events:
/// `stateₙ = apply(stateₙ₋₁, eventₙ)`. It lives in memory while it is in use and is never shared: only its
/// own [`Handle`] implementations see it, and a caller who asks to [look](crate::Dispatch::state) right
/// after a command. Queries are what projections are for.
///
/// ```
/// use cqrs_core::{Aggregate, Event};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum DoorEvent {
///     Opened,
///     Closed,
/// }
///
/// impl Event for DoorEvent {
///     const CATEGORY: &'static str = "door";
/// }
///
/// #[derive(Default)]
/// struct Door {
///     open: bool,
/// }
///
/// impl Aggregate for Door {
///     type Id = u32;
///     type Event = DoorEvent;
///
///     fn apply(&mut self, event: &DoorEvent) {
///         self.open = matches!(event, DoorEvent::Opened);
///     }
/// }
///
/// let mut door = Door::default();
/// for event in [DoorEvent::Opened, DoorEvent::Closed, DoorEvent::Opened] {
///     door.apply(&event);
/// }
/// assert!(door.open);
/// assert_eq!(Door::stream(&7)?.to_string(), "door-7");
/// # Ok::<(), cqrs_core::InvalidStreamId>(())
/// ```
pub trait Aggregate: Default + Send + Sync + 'static {
    /// What tells one aggregate from another. Its `Display` form is the stream's key, so it must be
    /// unique, never change, and contain no control characters.
    type Id: Display + Clone + Send + Sync + 'static;

    /// What can happen to it.
    type Event: Event;

    /// Takes a fact in. It cannot fail, and must not look at a clock or do I/O: it runs again whenever
    /// the state is rebuilt.
    fn apply(&mut self, event: &Self::Event);

    /// Whether, and when, the state is kept beside the events, so that a long stream need not be read from its
    /// beginning. It is not, unless this says so; the state must then be written and read by serde.
    ///
    /// ```
    /// # use cqrs_core::{Aggregate, Event, Snapshots};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] enum AccountEvent { Deposited(u64) }
    /// # impl Event for AccountEvent { const CATEGORY: &'static str = "account"; }
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Account {
    ///     balance: u64,
    /// }
    ///
    /// impl Aggregate for Account {
    ///     # type Id = String;
    ///     # type Event = AccountEvent;
    ///     # fn apply(&mut self, event: &AccountEvent) { let AccountEvent::Deposited(amount) = event; self.balance += amount; }
    ///     fn snapshots() -> Option<Snapshots<Self>> {
    ///         Some(Snapshots::every(100))
    ///     }
    /// }
    /// ```
    fn snapshots() -> Option<Snapshots<Self>> {
        None
    }

    /// How long the state stays in memory while nobody uses it; asked after each turn. A state that has left is read
    /// again when it is needed, so this trades memory for reading, and nothing else.
    ///
    /// An aggregate that has come to its end, such as an order that was delivered, says [`Lifespan::End`].
    ///
    /// ```
    /// # use cqrs_core::{Aggregate, Event, Lifespan};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] enum OrderEvent { Placed, Delivered }
    /// # impl Event for OrderEvent { const CATEGORY: &'static str = "order"; }
    /// #[derive(Default)]
    /// struct Order {
    ///     delivered: bool,
    /// }
    ///
    /// impl Aggregate for Order {
    ///     # type Id = String;
    ///     # type Event = OrderEvent;
    ///     # fn apply(&mut self, event: &OrderEvent) { self.delivered = matches!(event, OrderEvent::Delivered); }
    ///     fn lifespan(&self) -> Lifespan {
    ///         if self.delivered { Lifespan::End } else { Lifespan::Default }
    ///     }
    /// }
    /// ```
    fn lifespan(&self) -> Lifespan {
        Lifespan::Default
    }

    /// The stream of the aggregate `id`: the events' category, and the id as key.
    ///
    /// # Errors
    ///
    /// [`InvalidStreamId`] when the id is empty, too long, or has a control character.
    fn stream(id: &Self::Id) -> Result<StreamId, InvalidStreamId> {
        StreamId::new(Self::Event::CATEGORY, id)
    }
}

/// How long an aggregate stays in memory while nobody uses it. See [`Aggregate::lifespan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifespan {
    /// As long as [`DispatchOptions::live_idle`](crate::DispatchOptions::live_idle) says.
    #[default]
    Default,
    /// So long; but it makes room for others when it is the least recently used.
    Idle(Duration),
    /// No longer: the next command is not expected soon.
    End,
}

/// How an aggregate decides a command.
///
/// Each command has its exact error: `type Error = Infallible` says that it can never be refused.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/account.rs"));
/// /// Takes everything out.
/// #[derive(Serialize, Deserialize)]
/// struct Empty {
///     account: String,
/// }
/// #
/// # impl Command for Empty {
/// #     const NAME: &'static str = "Empty";
/// #     type Aggregate = Account;
/// #     fn aggregate_id(&self) -> &String { &self.account }
/// # }
///
/// impl Handle<Empty> for Account {
///     type Error = NotEnough;
///
///     fn handle(&self, command: &Empty) -> Result<Vec<AccountEvent>, NotEnough> {
///         match self.balance {
///             0 => Err(NotEnough { balance: 0 }),
///             amount => Ok(vec![AccountEvent::Withdrawn { account: command.account.clone(), amount }]),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), NotEnough> {
/// let empty = Empty { account: "me".to_owned() };
/// let events = Account { balance: 3 }.handle(&empty)?;
/// assert_eq!(events, [AccountEvent::Withdrawn { account: "me".to_owned(), amount: 3 }]);
/// assert_eq!(Account { balance: 0 }.handle(&empty), Err(NotEnough { balance: 0 }));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "the aggregate `{Self}` cannot handle the command `{C}`",
    label = "`Handle<{C}>` is not implemented for `{Self}`",
    note = "write `impl Handle<{C}> for {Self}`, or let the command's `type Aggregate` name another aggregate"
)]
pub trait Handle<C: Command>: Aggregate {
    /// Why the command may be refused.
    type Error: Error + Send + Sync + 'static;

    /// Decides: the events that follow, none for "nothing to do", or a rejection.
    ///
    /// It is a function of the state and the command alone: no clock, no I/O, no randomness. The framework
    /// may call it again with a newer state when another process wrote first, and runs a whole queue of
    /// commands against one state before one commit. Between two commits the commands of all aggregates are decided
    /// one after the other, so what takes long here holds up everybody.
    ///
    /// # Errors
    ///
    /// The rule that the command breaks. A rejection changes nothing and is never retried.
    fn handle(&self, command: &C) -> Result<Vec<Self::Event>, Self::Error>;
}
