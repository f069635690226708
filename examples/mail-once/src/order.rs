//! Orders: what the mail is about.

use std::convert::Infallible;

use cqrs_core::{Aggregate, Command, Event, Handle};
use serde::{Deserialize, Serialize};

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Somebody wants something.
    Placed {
        /// To whom to confirm it.
        customer: String,
        /// What is wanted.
        item: String,
    },
}

impl Event for OrderEvent {
    const CATEGORY: &'static str = "order";
}

/// An order. It has no rules.
#[derive(Debug, Default)]
pub struct Order;

impl Aggregate for Order {
    type Id = u64;
    type Event = OrderEvent;

    fn apply(&mut self, _: &OrderEvent) {}
}

/// Places an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The order's number.
    pub order: u64,
    /// To whom to confirm it.
    pub customer: String,
    /// What is wanted.
    pub item: String,
}

impl Command for PlaceOrder {
    const NAME: &'static str = "PlaceOrder";
    type Aggregate = Order;

    fn aggregate_id(&self) -> &u64 {
        &self.order
    }
}

impl Handle<PlaceOrder> for Order {
    type Error = Infallible;

    fn handle(&self, command: &PlaceOrder) -> Result<Vec<OrderEvent>, Infallible> {
        let PlaceOrder { customer, item, .. } = command.clone();
        Ok(vec![OrderEvent::Placed { customer, item }])
    }
}
