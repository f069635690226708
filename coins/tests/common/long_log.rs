//! A log that is longer than what is kept of its leaderboards at once.

use std::collections::BTreeMap;

use coins::{AccountEvent, AccountId, Amount, Coins, TransferId};
use cqrs_core::{
    Append, CommandId, Consistency, EventId, EventStore, ExpectedVersion, Metadata, NewEvent, Position,
    StreamId, StreamWrite, Timestamp, encode,
};
use uuid::Uuid;

/// How many events it has.
const EVENTS: u64 = 14_000;

/// Of how many accounts. More than are kept with a leaderboard, so that some are left out.
const ACCOUNTS: u64 = 8_000;

/// Who receives coins at a position, and how many: every account some, then those with a large number in it many.
fn happens_at(position: u64) -> (AccountId, u64) {
    let number = position * 7_919 % ACCOUNTS;
    let coins = if position <= ACCOUNTS { 1 + number % 97 } else { 100 + position % 5 };
    (format!("account {number}").parse().unwrap(), coins)
}

/// Writes the log, as nobody would who waits for each transfer.
pub(crate) async fn write(store: &impl EventStore) {
    let mut versions = BTreeMap::<AccountId, u64>::new();
    for batch in (1..=EVENTS).collect::<Vec<_>>().chunks(2_000) {
        let appends = batch.iter().map(|position| {
            let (account_id, coins) = happens_at(*position);
            *versions.entry(account_id.clone()).or_default() += 1;
            let stream = StreamId::new("account", &account_id).unwrap();
            let transfer_id = TransferId::new(Uuid::from_u128((*position).into()));
            let (from, amount) = ("mint".parse().unwrap(), Amount::try_from(coins).unwrap());
            let (event_type, data) =
                encode(&AccountEvent::CoinsReceived { account_id, from, amount, transfer_id }).unwrap();
            let id = EventId::derive(CommandId::new(Uuid::from_u128((*position).into())), 0);
            let event = NewEvent { id, event_type: event_type.into(), data, metadata: Metadata::default() };
            let write = StreamWrite { stream, expected: ExpectedVersion::Any, events: vec![event] };
            let recorded_at = Timestamp::from_micros(0);
            Append { writes: vec![write], receipt: None, recorded_at, rests_on_previous: false }
        });
        for appended in store.append(appends.collect()).await.unwrap() {
            appended.unwrap();
        }
    }
}

/// Asks for leaderboards along the log, and holds them against what happened.
pub(crate) async fn check(coins: &Coins) {
    while coins.settle().await.unwrap() == Consistency::TimedOut {}
    assert_eq!(coins.head().await.unwrap(), Position::new(EVENTS));
    let mut balances = BTreeMap::<AccountId, u64>::new();
    for position in 1..=EVENTS {
        let (account, received) = happens_at(position);
        *balances.entry(account).or_default() += received;
        // Around where a leaderboard may have been kept, and in between.
        if position % 1_000 > 1 && position % 1_000 != 999 && position % 1_700 != 0 {
            continue;
        }
        let mut wanted: Vec<_> = balances.iter().map(|(account, balance)| (account, *balance)).collect();
        wanted.sort_by_key(|(account, balance)| (std::cmp::Reverse(*balance), *account));
        for (limit, length) in [(1, 1), (20, 20), (1_000, 1_000), (u64::MAX, 1_000)] {
            let found = coins.leaderboard(Some(Position::new(position)), limit).await.unwrap();
            let found: Vec<_> = found.accounts.iter().map(|it| (&it.account_id, it.balance)).collect();
            assert_eq!(found, wanted[..wanted.len().min(length)], "{limit} at {position}");
        }
    }
}
