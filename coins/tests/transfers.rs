//! Transfers whose ids meet, on the application without its facade.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use coins::{AccountBalances, AccountId, MineCoin, ReceiveCoins, SendCoins, SendCoinsProcess, TransferId};
use cqrs_core::{App, CommandId, Router};
use cqrs_sqlite::SqliteStore;
use cqrs_testing::TestApp;
use serde_json::json;
use uuid::Uuid;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

async fn app(directory: &tempfile::TempDir) -> (TestApp, SqliteStore) {
    let store = SqliteStore::open(directory.path().join("coins.db")).await.unwrap();
    let builder = App::builder(store.clone())
        .router(Router::new().route::<MineCoin>().route::<SendCoins>().route::<ReceiveCoins>())
        .projection(AccountBalances::default(), store.read_model())
        .process_manager::<SendCoinsProcess>();
    (TestApp::start(builder).await, store)
}

async fn balances(store: &SqliteStore) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT account_id, balance FROM coins_accounts ORDER BY account_id")
        .fetch_all(store.read_model().reader())
        .await
        .unwrap()
}

fn send(from: &str, transfer_id: TransferId) -> SendCoins {
    SendCoins { account_id: id(from), to: id("them"), amount: "1".parse().unwrap(), transfer_id }
}

#[tokio::test]
async fn two_senders_with_one_transfer_id_both_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let (app, store) = app(&directory).await;
    app.dispatch(MineCoin { account_id: id("me"), nonce: 190 }).await.unwrap();
    app.dispatch(MineCoin { account_id: id("you"), nonce: 488 }).await.unwrap();
    let transfer_id = TransferId::random();
    for from in ["me", "you"] {
        app.dispatch(send(from, transfer_id)).await.unwrap();
    }
    app.settled().await;
    let mut arrived = app.stream("account-them").await;
    arrived.sort_by_key(|event| event.data.to_string());
    let from = |from: &str| {
        (
            "CoinsReceived",
            json!({ "account_id": "them", "from": from, "amount": 1, "transfer_id": transfer_id }),
        )
    };
    assert_eq!(arrived, [from("me"), from("you")]);
    assert_eq!(balances(&store).await, [("me".into(), 0), ("them".into(), 2), ("you".into(), 0)]);
    app.shutdown().await;
}

#[tokio::test]
async fn a_transfer_that_is_sent_twice_arrives_once() {
    let directory = tempfile::tempdir().unwrap();
    let (app, store) = app(&directory).await;
    for nonce in [190, 443] {
        app.dispatch(MineCoin { account_id: id("me"), nonce }).await.unwrap();
    }
    let (command_id, transfer_id) = (CommandId::new(Uuid::now_v7()), TransferId::random());
    let first = app.dispatch(send("me", transfer_id)).command_id(command_id).await.unwrap();
    app.settled().await;
    let again = app.dispatch(send("me", transfer_id)).command_id(command_id).await.unwrap();
    app.settled().await;
    assert_eq!((first.duplicate, again.duplicate, again.position), (false, true, first.position));
    let other_command = app.dispatch(send("me", transfer_id)).await.unwrap_err();
    assert_eq!(other_command.rejection().unwrap().code(), "used_transfer");
    // The second half too, however it comes again.
    let receive =
        ReceiveCoins { account_id: id("them"), from: id("me"), amount: "1".parse().unwrap(), transfer_id };
    assert_eq!(app.dispatch(receive).strong().await.unwrap().events, 0);
    assert_eq!(balances(&store).await, [("me".into(), 1), ("them".into(), 1)]);
    app.shutdown().await;
}
