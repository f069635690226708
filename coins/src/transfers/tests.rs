use cqrs_sqlite::SqliteReadModel;
use cqrs_testing::ProjectionScenario;
use sqlx::Row;
use uuid::Uuid;

use super::*;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn transfer(number: u128) -> TransferId {
    TransferId::new(Uuid::from_u128(number))
}

fn sent(from: &str, to: &str, coins: u64, number: u128) -> AccountEvent {
    let (account_id, amount) = (id(from), Amount::try_from(coins).unwrap());
    AccountEvent::CoinsSent { account_id, to: id(to), amount, transfer_id: transfer(number) }
}

fn received(from: &str, to: &str, coins: u64, number: u128) -> AccountEvent {
    let (account_id, amount) = (id(to), Amount::try_from(coins).unwrap());
    AccountEvent::CoinsReceived { account_id, from: id(from), amount, transfer_id: transfer(number) }
}

/// Position, sender, receiver, amount, whether it has arrived.
async fn rows(model: &SqliteReadModel) -> Vec<(i64, String, String, i64, bool)> {
    let sql =
        "SELECT position, sender, receiver, amount, arrived_at IS NOT NULL FROM coins_transfers ORDER BY 1";
    let rows = sqlx::query(sql).fetch_all(model.reader()).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4))).collect()
}

#[tokio::test]
async fn however_the_log_is_cut_each_transfer_is_there_once_with_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = || directory.path().join(Uuid::now_v7().to_string());
    ProjectionScenario::new(Transfers::default())
        .given([
            AccountEvent::CoinMined { account_id: id("me"), nonce: 190 },
            sent("me", "you", 1, 1),
            // Another sender with the same id, which arrives.
            sent("them", "né 🦀", 9_223_372_036_854_775_807, 1),
            received("them", "né 🦀", 9_223_372_036_854_775_807, 1),
            // To oneself.
            sent("me", "me", 2, 2),
            received("me", "me", 2, 2),
        ])
        .on(async || SqliteReadModel::open(file()).await.unwrap(), async |model| rows(model).await)
        .then(vec![
            (2, "me".to_owned(), "you".to_owned(), 1, false),
            (3, "them".to_owned(), "né 🦀".to_owned(), i64::MAX, true),
            (5, "me".to_owned(), "me".to_owned(), 2, true),
        ])
        .await;
}
