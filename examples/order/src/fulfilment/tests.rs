//! Every way that an order can go.

use cqrs_testing::ProcessScenario;

use super::*;

fn order() -> OrderId {
    "one".parse().unwrap()
}

fn ann() -> Customer {
    "ann".parse().unwrap()
}

fn lamp() -> Article {
    "lamp".parse().unwrap()
}

fn two() -> Quantity {
    2.try_into().unwrap()
}

fn amount() -> Amount {
    700.try_into().unwrap()
}

fn placed() -> OrderEvent {
    let (order_id, customer, article) = (order(), ann(), lamp());
    OrderEvent::Placed { order_id, customer, article, quantity: two(), amount: amount() }
}

fn reserve() -> Reserve {
    Reserve { article: lamp(), order_id: order(), quantity: two() }
}

fn reserved() -> StockEvent {
    StockEvent::Reserved { article: lamp(), order_id: order(), quantity: two() }
}

fn charge() -> Charge {
    Charge { customer: ann(), order_id: order(), amount: amount() }
}

fn charged() -> AccountEvent {
    AccountEvent::Charged { customer: ann(), order_id: order(), amount: amount() }
}

fn ship() -> Ship {
    Ship { order_id: order() }
}

fn cancelled(reason: Reason) -> OrderEvent {
    OrderEvent::Cancelled { order_id: order(), reason }
}

fn cancel(reason: Reason) -> [Outgoing; 1] {
    [Outgoing::command(CancelOrder { order_id: order(), reason })]
}

fn undo() -> [Outgoing; 2] {
    let refund = Refund { customer: ann(), order_id: order() };
    [Outgoing::command(refund), Outgoing::command(Release { article: lamp(), order_id: order() })]
}

/// An order that has its stock, and waits for the money.
fn waiting() -> ProcessScenario<FulfilOrder> {
    ProcessScenario::new()
        .when(placed())
        .then([Outgoing::command(reserve()), Outgoing::deadline(PAYMENT_DUE, PAYMENT_PATIENCE)])
        .when(reserved())
        .then([Outgoing::command(charge())])
        .running(&["one"])
}

#[test]
fn stock_then_payment_then_shipment() {
    waiting()
        .when(charged())
        .then([Outgoing::command(ship())])
        .when(OrderEvent::Shipped { order_id: order() })
        .then_nothing()
        .running(&[]);
}

#[test]
fn without_stock_the_order_is_cancelled() {
    ProcessScenario::<FulfilOrder>::given([placed()])
        .when_failed(reserve(), "none left")
        .then(cancel(Reason::OutOfStock))
        .when(cancelled(Reason::OutOfStock))
        .then(undo())
        .running(&[]);
}

#[test]
fn without_money_the_stock_goes_back() {
    waiting()
        .when_failed(charge(), "not enough")
        .then(cancel(Reason::PaymentRefused))
        .when(cancelled(Reason::PaymentRefused))
        .then(undo())
        .running(&[]);
}

#[test]
fn a_customer_who_takes_too_long_loses_the_order() {
    waiting().when_deadline(PAYMENT_DUE).then(cancel(Reason::PaymentTooLate));
}

#[test]
fn after_the_payment_the_deadline_says_nothing() {
    waiting().when(charged()).then([Outgoing::command(ship())]).when_deadline(PAYMENT_DUE).then_nothing();
}

#[test]
fn a_customer_who_cancels_gets_all_back_and_nothing_is_shipped() {
    waiting()
        .when(charged())
        .then([Outgoing::command(ship())])
        .when(cancelled(Reason::ByCustomer))
        .then(undo())
        .running(&[])
        .when_failed(ship(), "it is cancelled")
        .then_nothing();
}

#[test]
fn a_cancellation_that_comes_after_the_shipment_is_let_be() {
    waiting()
        .when_deadline(PAYMENT_DUE)
        .then(cancel(Reason::PaymentTooLate))
        .when(charged())
        .then([Outgoing::command(ship())])
        .when(OrderEvent::Shipped { order_id: order() })
        .then_nothing()
        .when_failed(CancelOrder { order_id: order(), reason: Reason::PaymentTooLate }, "it is shipped")
        .then_nothing();
}

#[test]
fn money_and_stock_that_come_late_move_nothing_any_more() {
    waiting()
        .when(cancelled(Reason::ByCustomer))
        .then(undo())
        .when(charged())
        .then_nothing()
        .when(reserved())
        .then_nothing();
}
