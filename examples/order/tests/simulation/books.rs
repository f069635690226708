//! What the log adds up to.

use std::collections::BTreeMap;

use cqrs_core::{RecordedEvent, event_set};
use order::{AccountEvent, Article, Customer, OrderEvent, OrderId, OrderStatus, StockEvent};

event_set! {
    /// All that happens in the shop.
    pub(crate) enum ShopEvent { Order(OrderEvent), Stock(StockEvent), Account(AccountEvent) }
}

/// What the log adds up to.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) orders: BTreeMap<OrderId, OrderStatus>,
    /// What customers have and articles there are; never below zero.
    money: BTreeMap<Customer, i64>,
    stock: BTreeMap<Article, i64>,
    /// What orders hold.
    charged: BTreeMap<OrderId, i64>,
    reserved: BTreeMap<OrderId, i64>,
    deposited: i64,
    restocked: i64,
}

impl Books {
    /// Adds up, and checks on the way what must hold after each event.
    pub(crate) fn of(events: &[RecordedEvent<ShopEvent>]) -> Self {
        let mut books = Self::default();
        for event in events {
            match &event.data {
                ShopEvent::Order(event) => books.order(event),
                ShopEvent::Stock(event) => books.stock(event),
                ShopEvent::Account(event) => books.account(event),
            }
            let at = event.position;
            let (money, stock): (i64, i64) = (books.money.values().sum(), books.stock.values().sum());
            assert_eq!(books.deposited, money + books.charged.values().sum::<i64>(), "the money at {at}");
            assert_eq!(books.restocked, stock + books.reserved.values().sum::<i64>(), "the stock at {at}");
            assert!(books.money.values().chain(books.stock.values()).all(|left| *left >= 0), "at {at}");
        }
        books
    }

    fn order(&mut self, event: &OrderEvent) {
        let id = event.order_id();
        let (before, after) = match event {
            OrderEvent::Placed { .. } => (None, OrderStatus::Open),
            OrderEvent::Shipped { .. } => (Some(OrderStatus::Open), OrderStatus::Shipped),
            OrderEvent::Cancelled { reason, .. } => {
                (Some(OrderStatus::Open), OrderStatus::Cancelled(*reason))
            }
        };
        assert_eq!(self.orders.insert(id.clone(), after), before, "how {id} stood before it was {after}");
        if after == OrderStatus::Shipped {
            assert!(self.charged.contains_key(id), "{id} is shipped unpaid");
            assert!(self.reserved.contains_key(id), "{id} is shipped without having been reserved");
        }
    }

    fn stock(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Restocked { article, quantity } => {
                self.restocked += quantity.as_u64() as i64;
                *self.stock.entry(article.clone()).or_default() += quantity.as_u64() as i64;
            }
            StockEvent::Reserved { article, order_id, quantity } => {
                *self.stock.entry(article.clone()).or_default() -= quantity.as_u64() as i64;
                let held = self.reserved.insert(order_id.clone(), quantity.as_u64() as i64);
                assert_eq!(held, None, "{order_id} is reserved once");
            }
            StockEvent::Released { article, order_id, quantity } => {
                *self.stock.entry(article.clone()).or_default() += quantity.as_u64() as i64;
                let held = self.reserved.remove(order_id);
                assert_eq!(held, Some(quantity.as_u64() as i64), "{order_id} is released once");
            }
        }
    }

    fn account(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Deposited { customer, amount } => {
                self.deposited += amount.as_u64() as i64;
                *self.money.entry(customer.clone()).or_default() += amount.as_u64() as i64;
            }
            AccountEvent::Charged { customer, order_id, amount } => {
                *self.money.entry(customer.clone()).or_default() -= amount.as_u64() as i64;
                let paid = self.charged.insert(order_id.clone(), amount.as_u64() as i64);
                assert_eq!(paid, None, "{order_id} is charged once");
            }
            AccountEvent::Refunded { customer, order_id, amount } => {
                *self.money.entry(customer.clone()).or_default() += amount.as_u64() as i64;
                let paid = self.charged.remove(order_id);
                assert_eq!(paid, Some(amount.as_u64() as i64), "{order_id} is refunded once");
            }
            AccountEvent::ApprovalAsked { .. } | AccountEvent::ApprovalWithdrawn { .. } => {}
        }
    }

    /// Each order has come to an end: shipped and paid, or cancelled with nothing held back.
    pub(crate) fn check_ended(&self) {
        for (id, status) in &self.orders {
            let holds = (self.charged.contains_key(id), self.reserved.contains_key(id));
            match status {
                OrderStatus::Open => panic!("{id} has not come to an end"),
                OrderStatus::Shipped => assert_eq!(holds, (true, true), "the money and the goods of {id}"),
                OrderStatus::Cancelled(_) => {
                    assert_eq!(holds, (false, false), "the money and the goods of {id}, {status}");
                }
            }
        }
    }
}
