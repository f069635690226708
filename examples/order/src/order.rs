//! An order: shipped or cancelled, never both.

use std::fmt;

use cqrs_core::{Aggregate, Command, Event, Handle, Lifespan};
use serde::{Deserialize, Serialize};

use crate::{Amount, Article, Customer, OrderId, Quantity};

/// An order. Whatever happens at the same time elsewhere, here it is decided how it ends.
#[derive(Debug, Default)]
pub struct Order {
    state: State,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Unknown,
    Open,
    Shipped,
    Cancelled,
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Reason {
    OutOfStock,
    PaymentRefused,
    PaymentTooLate,
    ByCustomer,
}

/// What can happen to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the variants and their fields say it")]
pub enum OrderEvent {
    Placed { order_id: OrderId, customer: Customer, article: Article, quantity: Quantity, amount: Amount },
    Shipped { order_id: OrderId },
    Cancelled { order_id: OrderId, reason: Reason },
}

impl Event for OrderEvent {
    const CATEGORY: &'static str = "order";
}

impl OrderEvent {
    /// Which order's event it is.
    pub fn order_id(&self) -> &OrderId {
        match self {
            Self::Placed { order_id, .. }
            | Self::Shipped { order_id }
            | Self::Cancelled { order_id, .. } => order_id,
        }
    }
}

impl Aggregate for Order {
    type Id = OrderId;
    type Event = OrderEvent;

    fn apply(&mut self, event: &OrderEvent) {
        self.state = match event {
            OrderEvent::Placed { .. } => State::Open,
            OrderEvent::Shipped { .. } => State::Shipped,
            OrderEvent::Cancelled { .. } => State::Cancelled,
        };
    }

    fn lifespan(&self) -> Lifespan {
        match self.state {
            State::Shipped | State::Cancelled => Lifespan::End,
            State::Unknown | State::Open => Lifespan::Default,
        }
    }
}

/// Begins an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct PlaceOrder {
    pub order_id: OrderId,
    pub customer: Customer,
    pub article: Article,
    pub quantity: Quantity,
    /// What all of it costs.
    pub amount: Amount,
}

/// Hands the goods over. They cannot be called back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Ship {
    pub order_id: OrderId,
}

/// Ends an order that was not shipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct CancelOrder {
    pub order_id: OrderId,
    pub reason: Reason,
}

macro_rules! of_order {
    ($($command:ident)*) => {$(
        impl Command for $command {
            const NAME: &'static str = stringify!($command);
            type Aggregate = Order;

            fn aggregate_id(&self) -> &OrderId {
                &self.order_id
            }
        }
    )*};
}

of_order!(PlaceOrder Ship CancelOrder);

/// The order is there already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("order {0} was placed before")]
pub struct PlaceError(pub OrderId);

/// Why an order is neither shipped nor cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("order {order_id} is {state}")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct NotOpen {
    pub order_id: OrderId,
    pub state: &'static str,
}

impl Order {
    fn not_open(&self, order_id: &OrderId) -> NotOpen {
        let state = match self.state {
            State::Unknown => "not known",
            State::Open => "open",
            State::Shipped => "shipped",
            State::Cancelled => "cancelled",
        };
        NotOpen { order_id: order_id.clone(), state }
    }
}

impl Handle<PlaceOrder> for Order {
    type Error = PlaceError;

    fn handle(&self, place: &PlaceOrder) -> Result<Vec<OrderEvent>, PlaceError> {
        let PlaceOrder { order_id, customer, article, quantity, amount } = place.clone();
        match self.state {
            State::Unknown => {
                Ok(vec![OrderEvent::Placed { order_id, customer, article, quantity, amount }])
            }
            State::Open | State::Shipped | State::Cancelled => Err(PlaceError(order_id)),
        }
    }
}

impl Handle<Ship> for Order {
    type Error = NotOpen;

    fn handle(&self, ship: &Ship) -> Result<Vec<OrderEvent>, NotOpen> {
        match self.state {
            State::Open => Ok(vec![OrderEvent::Shipped { order_id: ship.order_id.clone() }]),
            State::Shipped => Ok(Vec::new()),
            State::Unknown | State::Cancelled => Err(self.not_open(&ship.order_id)),
        }
    }
}

impl Handle<CancelOrder> for Order {
    type Error = NotOpen;

    fn handle(&self, cancel: &CancelOrder) -> Result<Vec<OrderEvent>, NotOpen> {
        let CancelOrder { order_id, reason } = cancel.clone();
        match self.state {
            State::Open => Ok(vec![OrderEvent::Cancelled { order_id, reason }]),
            State::Cancelled => Ok(Vec::new()),
            State::Unknown | State::Shipped => Err(self.not_open(&order_id)),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfStock => "out of stock",
            Self::PaymentRefused => "the payment was refused",
            Self::PaymentTooLate => "the payment took too long",
            Self::ByCustomer => "by the customer",
        })
    }
}

#[cfg(test)]
mod tests {
    use cqrs_testing::Scenario;

    use super::*;

    fn one() -> OrderId {
        "one".parse().unwrap()
    }

    fn place() -> PlaceOrder {
        PlaceOrder {
            order_id: one(),
            customer: "ann".parse().unwrap(),
            article: "lamp".parse().unwrap(),
            quantity: 1.try_into().unwrap(),
            amount: 700.try_into().unwrap(),
        }
    }

    fn placed() -> Scenario<Order> {
        let PlaceOrder { order_id, customer, article, quantity, amount } = place();
        Scenario::given([OrderEvent::Placed { order_id, customer, article, quantity, amount }])
    }

    fn ship() -> Ship {
        Ship { order_id: one() }
    }

    fn cancel() -> CancelOrder {
        CancelOrder { order_id: one(), reason: Reason::ByCustomer }
    }

    fn not_open(state: &'static str) -> NotOpen {
        NotOpen { order_id: one(), state }
    }

    #[test]
    fn an_order_is_placed_once() {
        placed().when(place()).then_err(PlaceError(one()));
    }

    #[test]
    fn what_was_shipped_cannot_be_cancelled() {
        placed()
            .when(ship())
            .then([OrderEvent::Shipped { order_id: one() }])
            .when(ship())
            .then([])
            .when(cancel())
            .then_err(not_open("shipped"));
    }

    #[test]
    fn what_was_cancelled_is_not_shipped() {
        placed()
            .when(cancel())
            .then([OrderEvent::Cancelled { order_id: one(), reason: Reason::ByCustomer }])
            .when(cancel())
            .then([])
            .when(ship())
            .then_err(not_open("cancelled"));
    }

    #[test]
    fn nothing_comes_of_an_order_that_nobody_placed() {
        Scenario::<Order>::given([])
            .when(ship())
            .then_err(not_open("not known"))
            .when(cancel())
            .then_err(not_open("not known"));
    }
}
