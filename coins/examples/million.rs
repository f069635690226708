//! How fast the service answers when there are a million accounts.
//!
//! `cargo run --release -p coins --example million` makes a database of them in a temporary directory, serves it, asks each
//! question 1,000 times over one connection, and prints how long the answers took. An argument is another number of
//! accounts.

use std::error::Error;
use std::time::{Duration, Instant};

use coins::http::{ServeOptions, Server};
use coins::{AccountEvent, AccountId, Amount, Coins, TransferId};
use cqrs_core::{
    Append, CommandId, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, StreamId, StreamWrite,
    Timestamp, encode,
};
use cqrs_sqlite::SqliteStore;
use uuid::Uuid;

/// How often each question is asked.
const TIMES: usize = 1_000;

/// How many accounts begin with one commit.
const BATCH: u64 = 5_000;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let directory = tempfile::tempdir()?;
    let database = directory.path().join("coins.db");

    let begun = Instant::now();
    let store = SqliteStore::open(&database).await?;
    for first in (0..count).step_by(BATCH as usize) {
        let batch = (first..count.min(first + BATCH)).map(account).collect::<Result<_, Failed>>()?;
        for outcome in store.append(batch).await? {
            outcome?;
        }
    }
    store.close().await;
    println!("{count} accounts are in the log after {:.1?}", begun.elapsed());

    let coins = Coins::open(&database).await?;
    while coins.status().iter().any(|it| it.position.as_u64() < count) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("queries know of them after {:.1?}", begun.elapsed());

    let mut options = ServeOptions::default();
    options.address = ([127, 0, 0, 1], 0).into();
    options.requests_per_second = None;
    let server = Server::bind(coins.clone(), options).await?;
    let origin = format!("http://{}", server.address());
    let serving = tokio::spawn(server.run(std::future::pending()));

    // The richest account of the poorer half: a page that begins in the middle.
    let middle = format!("/api/accounts?after={}:", count / 2);
    println!("\n{:<44} {:>9} {:>9} {:>9}", "", "median", "99 of 100", "longest");
    let client = reqwest::Client::new();
    for (what, path) in [
        ("nothing but HTTP", "/health".to_owned()),
        ("the richest", "/api/richest".to_owned()),
        ("the first 20 accounts", "/api/accounts".to_owned()),
        ("20 accounts from the middle on", format!("{middle}m")),
        ("1,000 accounts from the middle on", format!("{middle}m&limit=1000")),
        ("the leaderboard", "/api/leaderboard".to_owned()),
        ("the leaderboard in the middle of the log", format!("/api/leaderboard?at={}", count / 2)),
        ("1,000 of that leaderboard", format!("/api/leaderboard?at={}&limit=1000", count / 2)),
        ("one account with its history", format!("/api/account?account=account%20{}", count / 2)),
    ] {
        let mut took = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let asked = Instant::now();
            let answer = client.get(format!("{origin}{path}")).send().await?.error_for_status()?;
            answer.bytes().await?;
            took.push(asked.elapsed());
        }
        took.sort_unstable();
        let at = |share: usize| took[(TIMES - 1) * share / 100];
        println!("{what:<44} {:>9.2?} {:>9.2?} {:>9.2?}", at(50), at(99), at(100));
    }
    serving.abort();
    coins.close().await;
    Ok(())
}

/// An account that has received some coins, each another number of them.
fn account(number: u64) -> Result<Append, Failed> {
    let account_id: AccountId = format!("account {number}").parse()?;
    let stream = StreamId::new("account", &account_id)?;
    let amount = Amount::try_from(number + 1)?;
    let transfer_id = TransferId::new(Uuid::from_u128(number.into()));
    let event = AccountEvent::CoinsReceived { account_id, from: "mint".parse()?, amount, transfer_id };
    let (event_type, data) = encode(&event)?;
    let id = EventId::derive(CommandId::new(Uuid::now_v7()), 0);
    let event = NewEvent { id, event_type: event_type.into(), data, metadata: Metadata::default() };
    let write = StreamWrite { stream, expected: ExpectedVersion::NoStream, events: vec![event] };
    let recorded_at = Timestamp::from_micros(0);
    Ok(Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false })
}
