//! What a client does.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use cqrs_core::{CommandId, Dispatch, DispatchError, Dispatchable, Dispatched, EventStore};
use futures::future::join;
use uuid::Uuid;

use super::clock::SimulatedClock;
use super::ledger::Ledger;
use crate::dice::{Dice, mixed};

/// How often a command is sent twice at once, as by a client who clicks twice.
const TWICE: f64 = 0.1;

/// How often a command that is answered is sent once more, as by a client who has missed the answer.
const AGAIN: f64 = 0.1;

/// One step of a client. Whatever is drawn from it is the same when the step is begun anew in another process.
pub struct Step<'a> {
    pub(super) client: u32,
    pub(super) number: u32,
    seed: u64,
    dice: RefCell<Dice>,
    commands: Cell<u64>,
    ledger: &'a Ledger,
    clock: &'a SimulatedClock,
    store: &'a dyn EventStore,
}

/// What came of one attempt.
enum Answer<R> {
    Done(Dispatched),
    Refused(R),
    /// The command did not take effect.
    NothingChanged,
    Unknown,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        seed: u64,
        client: u32,
        number: u32,
        ledger: &'a Ledger,
        clock: &'a SimulatedClock,
        store: &'a dyn EventStore,
    ) -> Self {
        let seed = mixed(seed ^ mixed(u64::from(client) << 32 | u64::from(number)));
        let dice = RefCell::new(Dice::of(seed, &[]));
        Self { client, number, seed, dice, commands: Cell::new(0), ledger, clock, store }
    }

    /// Which client it is, counted from zero over all processes.
    pub fn client(&self) -> u32 {
        self.client
    }

    /// Which of the client's steps it is, counted from zero.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Draws a number from 0 to `bound`, without `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.dice.borrow_mut().below(bound)
    }

    /// Draws one of several.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'b, T>(&self, from: &'b [T]) -> &'b T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }

    /// Draws an id for something that the client names itself, such as an order.
    pub fn id(&self) -> Uuid {
        let mut dice = self.dice.borrow_mut();
        let bits = u128::from(dice.next()) << 64 | u128::from(dice.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// Lets time pass at once, for everybody: what is due in between is due now.
    pub fn pass(&self, time: Duration) {
        self.clock.put_forward(time);
    }

    /// Dispatches a command until it is answered, always with the same id, and returns the answer.
    ///
    /// Now and then it is sent twice at once, or once more when it is answered, for which clients have their reasons.
    /// All that is told is written down, and the log is held against it in the end.
    ///
    /// # Errors
    ///
    /// The rejection, when a rule of the domain has refused the command.
    ///
    /// # Panics
    ///
    /// When the command fails in a way that no repetition can mend.
    pub async fn dispatch<'b, T: Dispatchable + 'b>(
        &self,
        mut command: impl FnMut() -> Dispatch<'b, T>,
    ) -> Result<Dispatched, T::Rejection> {
        let id = self.command_id();
        let (twice, again) = {
            let mut dice = self.dice.borrow_mut();
            (dice.chance() < TWICE, dice.chance() < AGAIN)
        };
        loop {
            let answer = if twice {
                self.ledger.tries(id);
                let (one, other) = join(self.attempt(id, command()), self.attempt(id, command())).await;
                one.or(other)
            } else {
                self.attempt(id, command()).await
            };
            match answer {
                Answer::Done(dispatched) => {
                    if again {
                        self.attempt(id, command()).await;
                    }
                    return Ok(dispatched);
                }
                Answer::Refused(rejection) => return Err(rejection),
                Answer::NothingChanged | Answer::Unknown => {}
            }
        }
    }

    /// The id of the step's next command.
    fn command_id(&self) -> CommandId {
        let number = self.commands.replace(self.commands.get() + 1);
        let bits = u128::from(mixed(self.seed ^ number)) << 64 | u128::from(self.seed);
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().into()
    }

    async fn attempt<T: Dispatchable>(
        &self,
        id: CommandId,
        command: Dispatch<'_, T>,
    ) -> Answer<T::Rejection> {
        let first = self.ledger.tries(id);
        let answer = match command.command_id(id).await {
            Ok(dispatched) => Answer::Done(dispatched),
            Err(DispatchError::Rejected(rejection)) => Answer::Refused(rejection),
            Err(DispatchError::Store(_) | DispatchError::Conflict { .. }) => Answer::NothingChanged,
            Err(DispatchError::OutcomeUnknown { .. } | DispatchError::TimedOut { .. }) => Answer::Unknown,
            Err(DispatchError::Overloaded { .. }) => {
                tokio::task::yield_now().await;
                Answer::NothingChanged
            }
            // The application ends, and the client with it; it goes on in the next one.
            Err(DispatchError::ShuttingDown) => std::future::pending().await,
            Err(DispatchError::Denied(error)) => panic!("command {id} was denied: {error}"),
            Err(DispatchError::Panicked { message }) => panic!("command {id} panicked: {message}"),
            Err(DispatchError::Malformed { .. } | DispatchError::UnknownCommand { .. }) => {
                panic!("command {id} is not known, or cannot be read")
            }
            Err(DispatchError::Invalid(error)) => panic!("command {id} is invalid: {error}"),
            Err(_) => panic!("command {id} failed in a way that is not known here"),
        };
        match &answer {
            Answer::Done(dispatched) => self.ledger.told(id, Some(*dispatched)),
            Answer::Refused(_) => self.ledger.told(id, None),
            Answer::NothingChanged if first => {
                let receipts = self.store.receipts(&[id]).await;
                let changed = receipts.is_ok_and(|receipts| receipts.iter().any(Option::is_some));
                assert!(!changed, "command {id} was told to have changed nothing, and took effect");
            }
            Answer::NothingChanged | Answer::Unknown => {}
        }
        answer
    }
}

impl<R> Answer<R> {
    /// The better one of two answers to one command: what took effect did, whatever the other one says.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Done(done), _) | (_, Self::Done(done)) => Self::Done(done),
            (Self::Refused(_), unknown @ (Self::Unknown | Self::NothingChanged)) => unknown,
            (one, _) => one,
        }
    }
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client, number, seed, .. } = self;
        f.debug_struct("Step")
            .field("client", client)
            .field("number", number)
            .field("seed", seed)
            .finish_non_exhaustive()
    }
}
