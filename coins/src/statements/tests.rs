use cqrs_core::ReadModel;
use cqrs_sqlite::SqliteReadModel;
use cqrs_testing::ProjectionScenario;
use sqlx::Row;
use uuid::Uuid;

use super::*;
use crate::Amount;

const TRANSFER: TransferId = TransferId::new(Uuid::from_u128(7));

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn mined(account: &str, nonce: u64) -> AccountEvent {
    AccountEvent::CoinMined { account_id: id(account), nonce }
}

fn sent(account: &str, coins: u64) -> AccountEvent {
    let amount = Amount::try_from(coins).unwrap();
    AccountEvent::CoinsSent { account_id: id(account), to: id("you"), amount, transfer_id: TRANSFER }
}

fn received(account: &str, coins: u64) -> AccountEvent {
    let amount = Amount::try_from(coins).unwrap();
    AccountEvent::CoinsReceived { account_id: id(account), from: id("them"), amount, transfer_id: TRANSFER }
}

/// Account, version, change, balance, nonce, the other account.
type Line = (String, i64, i64, i64, Option<String>, Option<String>);

async fn lines(model: &SqliteReadModel) -> Vec<Line> {
    let sql =
        "SELECT account_id, version, change, balance, nonce, other FROM coins_statements ORDER BY 1, 2";
    let rows = sqlx::query(sql).fetch_all(model.reader()).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5)))
        .collect()
}

#[tokio::test]
async fn however_the_log_is_cut_each_line_has_the_balance_of_its_moment() {
    let directory = tempfile::tempdir().unwrap();
    let file = || directory.path().join(Uuid::now_v7().to_string());
    let (you, them) = (Some("you".to_owned()), Some("them".to_owned()));
    ProjectionScenario::new(AccountStatements)
        .in_stream("me")
        .given([mined("me", 190), mined("me", u64::MAX)])
        .in_stream("né 🦀")
        .given([received("né 🦀", 5)])
        .in_stream("me")
        .given([sent("me", 2), received("me", 1)])
        .on(async || SqliteReadModel::open(file()).await.unwrap(), async |model| lines(model).await)
        .then(vec![
            ("me".to_owned(), 1, 1, 1, Some("190".to_owned()), None),
            ("me".to_owned(), 2, 1, 2, Some(u64::MAX.to_string()), None),
            ("me".to_owned(), 3, -2, 0, None, you),
            ("me".to_owned(), 4, 1, 1, None, them.clone()),
            ("né 🦀".to_owned(), 1, 5, 5, None, them),
        ])
        .await;
}

#[tokio::test]
async fn coins_beyond_what_the_table_can_hold_are_an_error_and_never_rounded() {
    let directory = tempfile::tempdir().unwrap();
    let model = SqliteReadModel::open(directory.path().join("read.db")).await.unwrap();
    let mut transaction = model.begin().await.unwrap();
    let connection = SqliteReadModel::target(&mut transaction);
    AccountStatements.setup(connection).await.unwrap();
    let recorded = |version, data| RecordedEvent {
        position: Position::new(version),
        stream: cqrs_core::StreamId::new("account", "me").unwrap(),
        version: Version::new(version),
        id: cqrs_core::EventId::new(Uuid::nil()),
        event_type: "any".into(),
        data,
        metadata: cqrs_core::Metadata::default(),
        recorded_at: cqrs_core::Timestamp::from_micros(0),
    };
    let most = Amount::MAX.as_u64();
    AccountStatements.project(&recorded(1, received("me", most)), connection).await.unwrap();
    assert!(AccountStatements.project(&recorded(2, received("me", 1)), connection).await.is_err());
    assert!(AccountStatements.project(&recorded(2, sent("you", 1)), connection).await.is_err());
}
