use std::collections::BTreeMap;

use cqrs_core::{EventId, Metadata, Position, Projection, Timestamp, Version};
use cqrs_sqlite::SqliteReadModel;
use cqrs_testing::ProjectionScenario;
use proptest::prelude::*;
use sqlx::{Connection, Row};
use uuid::Uuid;

use super::*;
use crate::{Amount, TransferId};

/// Balance, mined, sent, received, last nonce.
type Rows = BTreeMap<String, (i64, i64, i64, i64, Option<String>)>;

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn mined(account: &str, nonce: u64) -> AccountEvent {
    AccountEvent::CoinMined { account_id: id(account), nonce }
}

fn sent(account: &str, coins: u64) -> AccountEvent {
    let (amount, transfer_id) = (Amount::try_from(coins).unwrap(), TransferId::random());
    AccountEvent::CoinsSent { account_id: id(account), to: id("other"), amount, transfer_id }
}

fn received(account: &str, coins: u64) -> AccountEvent {
    let (amount, transfer_id) = (Amount::try_from(coins).unwrap(), TransferId::random());
    AccountEvent::CoinsReceived { account_id: id(account), from: id("other"), amount, transfer_id }
}

fn recorded(event: &AccountEvent) -> RecordedEvent<AccountEvent> {
    RecordedEvent {
        position: Position::new(1),
        stream: cqrs_core::StreamId::new("account", event.account_id()).unwrap(),
        version: Version::new(1),
        id: EventId::new(Uuid::nil()),
        event_type: "any".into(),
        data: event.clone(),
        metadata: Metadata::default(),
        recorded_at: Timestamp::from_micros(0),
    }
}

async fn table() -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    AccountBalances::default().setup(&mut connection).await.unwrap();
    connection
}

async fn project(connection: &mut SqliteConnection, events: &[AccountEvent]) -> Result<(), BoxError> {
    let events: Vec<_> = events.iter().map(recorded).collect();
    AccountBalances::default().project_batch(&events, connection).await
}

async fn rows(connection: &mut SqliteConnection) -> Rows {
    let sql = "SELECT account_id, balance, mined, sent, received, last_nonce FROM coins_accounts";
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4), row.get(5))))
        .collect()
}

/// On files, and with a setup before each event, as at a start.
#[tokio::test]
async fn however_the_log_is_cut_an_account_may_give_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let file = || directory.path().join(Uuid::now_v7().to_string());
    // The row that a batch of the sending alone would insert has a balance of -2.
    ProjectionScenario::new(AccountBalances::default())
        .given([mined("me", 190), mined("me", u64::MAX), sent("me", 2), received("you", 1)])
        .on(
            async || SqliteReadModel::open(file()).await.unwrap(),
            async |model| rows(&mut model.reader().acquire().await.unwrap()).await,
        )
        .then(Rows::from([
            ("me".to_owned(), (0, 2, 2, 0, Some(u64::MAX.to_string()))),
            ("you".to_owned(), (1, 0, 0, 1, None)),
        ]))
        .await;
}

#[tokio::test]
async fn a_balance_below_zero_is_refused() {
    let mut connection = table().await;
    project(&mut connection, &[mined("me", 190)]).await.unwrap();
    assert!(project(&mut connection, &[sent("me", 2)]).await.is_err());
    assert!(project(&mut connection, &[sent("nobody", 1)]).await.is_err());
    assert_eq!(rows(&mut connection).await.len(), 1);
}

#[tokio::test]
async fn coins_beyond_what_the_table_can_hold_are_an_error_and_never_rounded() {
    let most = Amount::MAX.as_u64();
    let mut connection = table().await;
    project(&mut connection, &[received("me", most)]).await.unwrap();
    assert_eq!(rows(&mut connection).await["me"].0, i64::MAX);
    assert!(
        project(&mut connection, &[received("me", 1)]).await.is_err(),
        "over the limit by a later batch"
    );
    assert!(
        project(&mut connection, &[received("you", most), received("you", 1)]).await.is_err(),
        "in a batch"
    );
    assert_eq!(rows(&mut connection).await["me"].0, i64::MAX);
}

#[derive(Clone, Debug)]
enum Act {
    Mine,
    Send(u64),
    Receive(u64),
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act =
        prop_oneof![Just(Act::Mine), (1..5_u64).prop_map(Act::Send), (1..5_u64).prop_map(Act::Receive),];
    proptest::collection::vec((0..3_usize, act), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the log is cut into batches, the table is what the events say.
    #[test]
    fn the_table_is_the_fold_of_the_events(acts in acts(), cuts in proptest::collection::vec(1..9_usize, 60)) {
        let names = ["me", "you", "né 🦀 '\"\\"];
        let mut wanted = Rows::new();
        let mut events = Vec::new();
        for (nonce, (account, act)) in acts.into_iter().enumerate() {
            let name = names[account];
            let before = wanted.get(name).cloned().unwrap_or_default();
            let (mut row, event) = (before, match act {
                Act::Mine => mined(name, nonce as u64),
                Act::Send(coins) => sent(name, coins),
                Act::Receive(coins) => received(name, coins),
            });
            match act {
                Act::Mine => {
                    row.0 += 1;
                    row.1 += 1;
                    row.4 = Some(nonce.to_string());
                }
                Act::Send(coins) => {
                    row.0 -= coins as i64;
                    row.2 += coins as i64;
                }
                Act::Receive(coins) => {
                    row.0 += coins as i64;
                    row.3 += coins as i64;
                }
            }
            // What the account would have refused is not in the log.
            if row.0 >= 0 {
                wanted.insert(name.to_owned(), row);
                events.push(event);
            }
        }
        let found = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut connection = table().await;
            let (mut left, mut cuts) = (&events[..], cuts.into_iter());
            while !left.is_empty() {
                let (batch, rest) = left.split_at(cuts.next().unwrap_or(left.len()).min(left.len()));
                project(&mut connection, batch).await.unwrap();
                left = rest;
            }
            rows(&mut connection).await
        });
        prop_assert_eq!(found, wanted);
    }
}
