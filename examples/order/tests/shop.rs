//! The whole shop, with a clock that the test moves.

#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

use std::collections::BTreeMap;
use std::time::Duration;

use cqrs_memory::{InMemory, MemoryStore};
use cqrs_testing::{Stored, TestApp};
use order::{
    Approve, CancelOrder, Deposit, OrderId, OrderStatus, PAYMENT_PATIENCE, PlaceOrder, Reason, Restock,
    shop,
};
use serde_json::json;

type Board = InMemory<BTreeMap<OrderId, OrderStatus>>;

/// A shop with three lamps, and with Ann, who has 200.00 and orders some.
async fn ann_orders(quantity: u64, cents: u64) -> (TestApp, Board) {
    let board = Board::default();
    let app = TestApp::start(shop(MemoryStore::new(), board.clone())).await;
    app.dispatch(Restock { article: "lamp".parse().unwrap(), quantity: 3.try_into().unwrap() })
        .await
        .unwrap();
    let amount = 20_000.try_into().unwrap();
    app.dispatch(Deposit { customer: "ann".parse().unwrap(), amount }).await.unwrap();
    let place = PlaceOrder {
        order_id: one(),
        customer: "ann".parse().unwrap(),
        article: "lamp".parse().unwrap(),
        quantity: quantity.try_into().unwrap(),
        amount: cents.try_into().unwrap(),
    };
    app.dispatch(place).await.unwrap();
    app.settled().await;
    (app, board)
}

fn one() -> OrderId {
    "one".parse().unwrap()
}

fn approve() -> Approve {
    Approve { customer: "ann".parse().unwrap(), order_id: one() }
}

async fn status(board: &Board) -> OrderStatus {
    board.read(|orders| orders[&one()]).await
}

/// The types of a stream's events after its first one.
async fn story(app: &TestApp, stream: &str) -> Vec<String> {
    app.stream(stream).await.into_iter().skip(1).map(|Stored { event_type, .. }| event_type).collect()
}

#[tokio::test]
async fn an_order_is_paid_and_shipped() {
    let (app, board) = ann_orders(2, 5_000).await;
    assert_eq!(status(&board).await, OrderStatus::Shipped);
    assert_eq!(story(&app, "stock-lamp").await, ["Reserved"]);
    assert_eq!(story(&app, "account-ann").await, ["Charged"]);
    app.advance(2 * PAYMENT_PATIENCE).await;
    assert_eq!(status(&board).await, OrderStatus::Shipped);
    assert_eq!(story(&app, "account-ann").await, ["Charged"]);
}

#[tokio::test]
async fn what_is_not_there_is_neither_charged_nor_shipped() {
    let (app, board) = ann_orders(4, 5_000).await;
    assert_eq!(status(&board).await, OrderStatus::Cancelled(Reason::OutOfStock));
    assert!(story(&app, "stock-lamp").await.is_empty());
    assert!(story(&app, "account-ann").await.is_empty());
}

#[tokio::test]
async fn without_the_money_the_stock_goes_back() {
    let (app, board) = ann_orders(2, 20_001).await;
    assert_eq!(status(&board).await, OrderStatus::Cancelled(Reason::PaymentRefused));
    assert_eq!(story(&app, "stock-lamp").await, ["Reserved", "Released"]);
    assert!(story(&app, "account-ann").await.is_empty());
}

#[tokio::test]
async fn much_money_waits_for_the_customer_and_then_the_order_is_shipped() {
    let (app, board) = ann_orders(2, 15_000).await;
    app.advance(PAYMENT_PATIENCE - Duration::from_secs(1)).await;
    assert_eq!(status(&board).await, OrderStatus::Open);
    app.dispatch(approve()).await.unwrap();
    app.advance(PAYMENT_PATIENCE).await;
    assert_eq!(status(&board).await, OrderStatus::Shipped);
    assert_eq!(story(&app, "account-ann").await, ["ApprovalAsked", "Charged"]);
}

#[tokio::test]
async fn a_customer_who_takes_too_long_loses_the_order_and_is_not_charged() {
    let (app, board) = ann_orders(2, 15_000).await;
    app.advance(PAYMENT_PATIENCE).await;
    assert_eq!(status(&board).await, OrderStatus::Cancelled(Reason::PaymentTooLate));
    app.dispatch(approve()).await.unwrap_err();
    assert_eq!(story(&app, "account-ann").await, ["ApprovalAsked", "ApprovalWithdrawn"]);
    assert_eq!(story(&app, "stock-lamp").await, ["Reserved", "Released"]);
}

#[tokio::test]
async fn a_customer_who_cancels_gets_everything_back_once() {
    let (app, board) = ann_orders(2, 15_000).await;
    for _ in 0..2 {
        app.dispatch(CancelOrder { order_id: one(), reason: Reason::ByCustomer }).await.unwrap();
        app.settled().await;
    }
    assert_eq!(status(&board).await, OrderStatus::Cancelled(Reason::ByCustomer));
    assert_eq!(story(&app, "account-ann").await, ["ApprovalAsked", "ApprovalWithdrawn"]);
    let released = json!({ "article": "lamp", "order_id": "one", "quantity": 2 });
    assert_eq!(app.stream("stock-lamp").await[2], ("Released", released));
}
