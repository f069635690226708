//! A shop: an order takes stock and money, and is shipped; or it is cancelled, and both come back.
//!
//! Three aggregates decide, each about its own: [`Stock`] what can be reserved, [`Account`] what can be charged,
//! [`Order`] whether it is shipped or cancelled, which only one can be. The process manager [`FulfilOrder`] leads an
//! order from one to the next, and undoes what was done when one of them refuses, when the customer changes his mind,
//! or when he takes too long to approve the payment. [`Orders`] is what the shop's clerk sees.
//!
//! What undoes, [`Release`] and [`Refund`], cannot be refused, by its type, and does nothing when there is nothing to
//! undo: so the process manager need not know how far it had come.

mod account;
mod amount;
mod fulfilment;
mod name;
mod order;
mod orders;
mod quantity;
mod shop;
mod stock;

pub use account::{Account, AccountEvent, Approve, Charge, ChargeError, Deposit, NothingToApprove, Refund};
pub use amount::{Amount, InvalidAmount};
pub use fulfilment::{FulfilOrder, PAYMENT_PATIENCE};
pub use name::{Article, Customer, InvalidName, OrderId};
pub use order::{CancelOrder, NotOpen, Order, OrderEvent, PlaceError, PlaceOrder, Reason, Ship};
pub use orders::{OrderStatus, Orders};
pub use quantity::{InvalidQuantity, Quantity};
pub use shop::{routes, shop};
pub use stock::{OutOfStock, Release, Reserve, Restock, Stock, StockEvent};
