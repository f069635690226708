//! What a shop has stored stays readable: these names and shapes never change.

use cqrs_core::Projection;
use cqrs_testing::PersistedShapes;
use order::{
    AccountEvent, Amount, Approve, Article, CancelOrder, Charge, Customer, Deposit, FulfilOrder,
    OrderEvent, OrderId, Orders, PlaceOrder, Quantity, Reason, Refund, Release, Reserve, Restock, Ship,
    StockEvent,
};

#[test]
fn what_is_stored_keeps_its_shape() {
    let order = || -> OrderId { "one".parse().unwrap() };
    let customer = || -> Customer { "ann".parse().unwrap() };
    let article = || -> Article { "lamp".parse().unwrap() };
    let (order_id, quantity): (_, Quantity) = (order, 2.try_into().unwrap());
    let amount: Amount = 700.try_into().unwrap();
    let reasons = [Reason::OutOfStock, Reason::PaymentRefused, Reason::PaymentTooLate, Reason::ByCustomer];

    let mut shapes = PersistedShapes::in_file("tests/shapes/order.json")
        .event(&StockEvent::Restocked { article: article(), quantity })
        .event(&StockEvent::Reserved { article: article(), order_id: order_id(), quantity })
        .event(&StockEvent::Released { article: article(), order_id: order_id(), quantity })
        .event(&AccountEvent::Deposited { customer: customer(), amount })
        .event(&AccountEvent::ApprovalAsked { customer: customer(), order_id: order_id(), amount })
        .event(&AccountEvent::Charged { customer: customer(), order_id: order_id(), amount })
        .event(&AccountEvent::Refunded { customer: customer(), order_id: order_id(), amount })
        .event(&AccountEvent::ApprovalWithdrawn { customer: customer(), order_id: order_id() })
        .event(&OrderEvent::Placed {
            order_id: order_id(),
            customer: customer(),
            article: article(),
            quantity,
            amount,
        })
        .event(&OrderEvent::Shipped { order_id: order_id() })
        .command(&Restock { article: article(), quantity })
        .command(&Reserve { article: article(), order_id: order_id(), quantity })
        .command(&Release { article: article(), order_id: order_id() })
        .command(&Deposit { customer: customer(), amount })
        .command(&Charge { customer: customer(), order_id: order_id(), amount })
        .command(&Approve { customer: customer(), order_id: order_id() })
        .command(&Refund { customer: customer(), order_id: order_id() })
        .command(&PlaceOrder {
            order_id: order_id(),
            customer: customer(),
            article: article(),
            quantity,
            amount,
        })
        .command(&Ship { order_id: order_id() })
        .process(&FulfilOrder::default())
        .name("projection", Orders::NAME);
    for reason in reasons {
        shapes = shapes
            .event(&OrderEvent::Cancelled { order_id: order_id(), reason })
            .command(&CancelOrder { order_id: order_id(), reason });
    }
    shapes.check();
}
