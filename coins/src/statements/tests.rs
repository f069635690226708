use std::collections::BTreeMap;

use cqrs_core::{Projection, ReadModel};
use cqrs_sqlite::SqliteReadModel;
use cqrs_testing::ProjectionScenario;
use proptest::collection::vec;
use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};
use uuid::Uuid;

use super::*;
use crate::Amount;
use crate::database::Tables;

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

fn recorded(position: u64, version: u64, data: AccountEvent) -> RecordedEvent<AccountEvent> {
    RecordedEvent {
        position: Position::new(position),
        stream: cqrs_core::StreamId::new("account", data.account_id()).unwrap(),
        version: Version::new(version),
        id: cqrs_core::EventId::new(Uuid::nil()),
        event_type: "any".into(),
        data,
        metadata: cqrs_core::Metadata::default(),
        recorded_at: cqrs_core::Timestamp::from_micros(0),
    }
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
    ProjectionScenario::new(AccountStatements::default())
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
    let mut transaction = model.begin("account-statements", None).await.unwrap();
    let connection = SqliteReadModel::target(&mut transaction);
    AccountStatements::default().setup(connection).await.unwrap();
    let recorded = |version, data| recorded(version, version, data);
    let most = Amount::MAX.as_u64();
    AccountStatements::default().project(&recorded(1, received("me", most)), connection).await.unwrap();
    assert!(
        AccountStatements::default().project(&recorded(2, received("me", 1)), connection).await.is_err()
    );
    assert!(AccountStatements::default().project(&recorded(2, sent("you", 1)), connection).await.is_err());
}

/// Batches of what happens: to which account, how many coins, and whether they go rather than come.
type Batches = Vec<Vec<(u8, u64, bool)>>;

/// Writes it all, keeping who is richest so often, and holds the leaderboard of each position against what happened.
async fn hold_leaderboards(batches: Batches, [longest, every, at_once]: [u64; 3]) {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    connection.make(Statements::SCHEMA).await.unwrap();
    let mut position = 0;
    let mut accounts = BTreeMap::<AccountId, (u64, u64)>::new();
    let mut history = vec![accounts.clone()];
    for batch in batches {
        let mut events = Vec::new();
        for (account, coins, goes) in batch {
            let name = format!("account {account}");
            let (version, balance) = accounts.entry(id(&name)).or_default();
            let goes = goes && coins <= *balance;
            *balance = if goes { *balance - coins } else { *balance + coins };
            (position, *version) = (position + 1, *version + 1);
            let event = if goes { sent(&name, coins) } else { received(&name, coins) };
            events.push(recorded(position, *version, event));
            history.push(accounts.clone());
        }
        for change in written_at_once(&events, every, longest + every + at_once).unwrap() {
            change.write(&mut connection).await.unwrap();
        }
    }
    for (position, accounts) in history.into_iter().enumerate() {
        let mut wanted: Vec<_> =
            accounts.into_iter().map(|(account, (_, balance))| (account, balance)).collect();
        wanted.sort_by_key(|(account, balance)| (std::cmp::Reverse(*balance), account.clone()));
        for limit in [1, longest] {
            let found = sqlx::query(sql!("../query/leaderboard").sqlite)
                .bind(position as i64)
                .bind(limit as i64)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            let found: Vec<_> =
                found.iter().map(|row| (id(row.get(0)), row.get::<i64, _>(1) as u64)).collect();
            assert_eq!(found, wanted[..wanted.len().min(limit as usize)], "{limit} at {position}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With far fewer accounts than in a long log, and leaderboards that are kept so much more often.
    #[test]
    fn a_leaderboard_follows_from_the_last_one_that_is_kept_and_what_happened_since(
        batches in vec(vec((0..30_u8, 1..4_u64, any::<bool>()), 1..=3), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(hold_leaderboards(batches, [2, 6, 3]));
    }
}
