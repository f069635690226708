//! What clients want, decided by the seed, and how they go about it.

use cqrs_core::*;
use uuid::Uuid;

use crate::common::{Move, Touch, add, carry};
use crate::world::World;

/// How many commands each client has.
const COMMANDS: u32 = 7;

/// One who has some commands, dispatched one after the other, and each until it is answered.
pub(crate) struct Client {
    orders: Vec<Order>,
    /// How many are answered. A client outlives the application.
    answered: usize,
    /// Whether the present one may have taken effect, as far as the client can tell.
    doubtful: bool,
}

/// A command, and for what to wait.
struct Order {
    id: CommandId,
    command: Wanted,
    wait: Waited,
    /// Whether another client has the same one.
    shared: bool,
}

enum Wanted {
    Add { pot: String, amount: i64 },
    Touch(String),
    Carry(Move),
}

/// For what a client waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waited {
    Settled,
    Projections,
    /// The process manager alone.
    Carry,
}

/// What a client was told at last.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: CommandId,
    /// None when a rule refused the command.
    pub(crate) outcome: Option<Dispatched>,
}

impl Client {
    /// Of every other pair of clients the last commands are the same, under the same id.
    pub(crate) fn new(seed: u64, client: u32) -> Self {
        let order = |n| match n + 2 > COMMANDS {
            true => Order::new(seed, &format!("pair {} command {n}", client / 2), true),
            false => Order::new(seed, &format!("client {client} command {n}"), false),
        };
        Self { orders: (0..COMMANDS).map(order).collect(), answered: 0, doubtful: false }
    }

    /// Goes on where it was when the application before this one died.
    pub(crate) async fn run(&mut self, world: &World, app: &App) {
        while let Some(order) = self.orders.get(self.answered) {
            let doubtful = std::mem::replace(&mut self.doubtful, true);
            match order.dispatch(app).await {
                Ok(outcome) => {
                    world.told(app, Told { id: order.id, outcome }, order.wait).await;
                    self.answered += 1;
                    self.doubtful = false;
                }
                Err(Trouble::NothingChanged) if !doubtful && !order.shared => {
                    world.check_nothing_changed(order.id).await;
                    self.doubtful = false;
                }
                Err(_) => {}
            }
        }
    }
}

/// Why a command has to be repeated.
enum Trouble {
    /// It did not take effect.
    NothingChanged,
    Unknown,
}

impl Order {
    fn new(seed: u64, name: &str, shared: bool) -> Self {
        let id = Uuid::new_v5(&Uuid::from_u128(seed.into()), name.as_bytes());
        let mut dice = id.as_u128();
        let mut draw = |sides| {
            let drawn = dice % sides;
            dice /= sides;
            drawn
        };
        let pot = |drawn: u128| ["a", "b", "c", "closed"][drawn as usize].to_owned();
        let wait = [Waited::Settled, Waited::Projections, Waited::Carry][draw(3) as usize];
        let kind = draw(8);
        let command = match kind {
            0 => Wanted::Touch(pot(draw(3))),
            1..4 => Wanted::Carry(carry(&pot(draw(3)), &pot(draw(4)), draw(4) as i64 + 1, &id.to_string())),
            _ => Wanted::Add { pot: pot(draw(3)), amount: draw(10) as i64 - 3 },
        };
        Self { id: id.into(), command, wait, shared }
    }

    /// One attempt. The answer is none when a rule refused the command.
    async fn dispatch(&self, app: &App) -> Result<Option<Dispatched>, Trouble> {
        match &self.command {
            Wanted::Add { pot, amount } => self.send(app.dispatch(add(pot, *amount))).await,
            Wanted::Touch(pot) => self.send(app.dispatch(Touch { pot: pot.clone() })).await,
            Wanted::Carry(carry) => self.send(app.dispatch(carry.clone())).await,
        }
    }

    async fn send<T: Dispatchable>(&self, dispatch: Dispatch<'_, T>) -> Result<Option<Dispatched>, Trouble>
    where
        T::Rejection: std::fmt::Debug,
    {
        let dispatch = dispatch.command_id(self.id);
        let dispatch = match self.wait {
            Waited::Settled => dispatch.settled(),
            Waited::Projections => dispatch.strong(),
            Waited::Carry => dispatch.wait_for(["carry"]),
        };
        match dispatch.await {
            Ok(dispatched) => Ok(Some(dispatched)),
            Err(DispatchError::Rejected(_)) => Ok(None),
            Err(DispatchError::Store(_) | DispatchError::Conflict { .. }) => Err(Trouble::NothingChanged),
            Err(DispatchError::OutcomeUnknown { .. }) => Err(Trouble::Unknown),
            Err(error) => panic!("command {} failed in a way of its own: {error:?}", self.id),
        }
    }
}
