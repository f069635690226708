//! What leads an order from stock to payment to shipment, or undoes it.

use std::time::Duration;

use cqrs_core::{Command, Failure, Interest, Outgoing, ProcessManager, RecordedEvent, Recovery, event_set};
use serde::{Deserialize, Serialize};

use crate::{
    AccountEvent, Amount, Article, CancelOrder, Charge, Customer, OrderEvent, OrderId, Quantity, Reason,
    Refund, Release, Reserve, Ship, StockEvent,
};

/// How long a customer has to approve a payment.
pub const PAYMENT_PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// The name of the deadline behind it.
const PAYMENT_DUE: &str = "payment-due";

event_set! {
    /// What concerns an order.
    #[derive(Debug)]
    pub enum ShopEvent { Order(OrderEvent), Stock(StockEvent), Account(AccountEvent) }
}

/// Fulfils an order: reserves the stock, takes the payment, ships.
///
/// Whoever refuses, the order is cancelled; and when it is cancelled, by whomever, the money and the stock go back. It
/// is the order that decides: one that was shipped is not cancelled any more, and the other way round. So the last
/// thing asked for is either the shipment or what undoes all before it, since the commands of one instance keep their
/// order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FulfilOrder {
    placed: Option<Placed>,
    charged: bool,
}

/// What the order is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Placed {
    order_id: OrderId,
    customer: Customer,
    article: Article,
    quantity: Quantity,
    amount: Amount,
}

impl ProcessManager for FulfilOrder {
    const NAME: &'static str = "fulfil-order";
    type Event = ShopEvent;

    fn interested(event: &ShopEvent) -> Interest {
        match event {
            ShopEvent::Order(OrderEvent::Placed { order_id, .. }) => Interest::start(order_id),
            ShopEvent::Order(OrderEvent::Shipped { order_id } | OrderEvent::Cancelled { order_id, .. }) => {
                Interest::stop(order_id)
            }
            ShopEvent::Stock(StockEvent::Reserved { order_id, .. })
            | ShopEvent::Account(AccountEvent::Charged { order_id, .. }) => Interest::continue_(order_id),
            ShopEvent::Stock(_) | ShopEvent::Account(_) => Interest::none(),
        }
    }

    fn handle(&self, event: &RecordedEvent<ShopEvent>) -> Vec<Outgoing> {
        match &event.data {
            ShopEvent::Order(OrderEvent::Placed { order_id, article, quantity, .. }) => {
                let (article, order_id, quantity) = (article.clone(), order_id.clone(), *quantity);
                let due = Outgoing::deadline(PAYMENT_DUE, PAYMENT_PATIENCE);
                vec![Outgoing::command(Reserve { article, order_id, quantity }), due]
            }
            ShopEvent::Stock(StockEvent::Reserved { .. }) => self.charge(),
            ShopEvent::Account(AccountEvent::Charged { order_id, .. }) => {
                vec![Outgoing::command(Ship { order_id: order_id.clone() })]
            }
            ShopEvent::Order(OrderEvent::Cancelled { .. }) => self.undo(),
            ShopEvent::Order(_) | ShopEvent::Stock(_) | ShopEvent::Account(_) => Vec::new(),
        }
    }

    fn apply(&mut self, event: &ShopEvent) {
        match event {
            ShopEvent::Order(OrderEvent::Placed { order_id, customer, article, quantity, amount }) => {
                self.placed = Some(Placed {
                    order_id: order_id.clone(),
                    customer: customer.clone(),
                    article: article.clone(),
                    quantity: *quantity,
                    amount: *amount,
                });
            }
            ShopEvent::Account(AccountEvent::Charged { .. }) => self.charged = true,
            ShopEvent::Order(_) | ShopEvent::Stock(_) | ShopEvent::Account(_) => {}
        }
    }

    fn failed(&self, failure: &Failure) -> Recovery {
        match &*failure.command.name {
            Reserve::NAME => Recovery::Compensate(self.cancel(Reason::OutOfStock)),
            Charge::NAME => Recovery::Compensate(self.cancel(Reason::PaymentRefused)),
            // The order has come to the other end meanwhile, which is what happens then.
            Ship::NAME | CancelOrder::NAME => Recovery::Skip,
            // Nothing else can be refused, by its type.
            _ => Recovery::Park,
        }
    }

    fn deadline(&self, _: &str) -> Vec<Outgoing> {
        if self.charged { Vec::new() } else { self.cancel(Reason::PaymentTooLate) }
    }
}

impl FulfilOrder {
    fn charge(&self) -> Vec<Outgoing> {
        let charge = |Placed { order_id, customer, amount, .. }| Charge { customer, order_id, amount };
        self.placed.clone().map(charge).map(Outgoing::command).into_iter().collect()
    }

    fn cancel(&self, reason: Reason) -> Vec<Outgoing> {
        let cancel = |Placed { order_id, .. }| CancelOrder { order_id, reason };
        self.placed.clone().map(cancel).map(Outgoing::command).into_iter().collect()
    }

    /// Gives back the money and the stock. What was not taken is not given back: account and stock know.
    fn undo(&self) -> Vec<Outgoing> {
        let Some(Placed { order_id, customer, article, .. }) = self.placed.clone() else {
            return Vec::new();
        };
        let refund = Refund { customer, order_id: order_id.clone() };
        vec![Outgoing::command(refund), Outgoing::command(Release { article, order_id })]
    }
}

#[cfg(test)]
mod tests;
