//! A process that mines and sends is killed at random moments; whatever it had acknowledged is there, and not
//! one coin is lost or doubled.
//!
//! `CRASH_SEED` reruns the moments of one run, `CRASH_KILLS` says how often to kill.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Lines};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use coins::{AccountEvent, AccountId, Coins, TransferId};
use cqrs_core::{Consistency, EventFilter, EventStore, Position, RecordedEvent};
use cqrs_sqlite::SqliteStore;

const DATABASE: &str = "CRASH_DATABASE";

/// How many accounts the killed processes work on.
const ACCOUNTS: usize = 6;

fn account(number: usize) -> AccountId {
    format!("account {}", number % ACCOUNTS).parse().unwrap()
}

// ---- the process that is killed ----

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other test kills"]
async fn writer() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let coins = Coins::open(path).await.unwrap();
    let clients = (0..ACCOUNTS).map(|number| tokio::spawn(client(coins.clone(), number)));
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// Mines and sends for ever, and says so after each answer.
async fn client(coins: Coins, number: usize) {
    let me = account(number);
    for round in 1.. {
        // Another process may have mined first, or sent what was here.
        if let Ok(mined) = coins.mine_next(&me, 2, |_| ControlFlow::Continue(())).await {
            println!("ack mined {me}/{}", mined.last_nonce.unwrap());
        }
        let transfer = coins.send_coins(&me, &account(number + round), "1".parse().unwrap()).await;
        if let Some(transfer) = transfer.ok().filter(|transfer| transfer.arrived()) {
            println!("ack sent {}", transfer.transfer_id);
        }
    }
}

// ---- the process that kills ----

struct Writer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    acknowledged: Vec<String>,
}

impl Writer {
    fn start(path: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--ignored", "--nocapture"])
            .env(DATABASE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines, acknowledged: Vec::new() }
    }

    /// Reads acknowledgements until there are so many.
    fn until(&mut self, count: u64) {
        while (self.acknowledged.len() as u64) < count {
            let line = self.lines.next().expect("a writer does not end by itself").unwrap();
            self.acknowledged.extend(line.strip_prefix("ack ").map(str::to_owned));
        }
    }

    /// Kills the process, and returns all that it had said by then. A line that was cut short was not said.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        while let Some(Ok(line)) = self.lines.next() {
            self.acknowledged.extend(line.strip_prefix("ack ").map(str::to_owned));
        }
        self.acknowledged
    }
}

/// A small generator of numbers (xorshift), so that a seed is all that a rerun needs.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Lets a random moment pass, up to some milliseconds.
    fn dawdle(&mut self) {
        for turn in 0..self.below(8_000_000) {
            std::hint::black_box(turn);
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_and_no_coin_is_lost_or_doubled() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("CRASH_SEED", now.as_nanos() as u64 | 1);
    let kills = setting("CRASH_KILLS", 60);
    println!("rerun with CRASH_SEED={seed}");
    let mut random = Random(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coins.db");
    let mut acknowledged = HashSet::new();
    let (mut done, mut under_way) = (0, 0);
    while done < kills {
        // Every other time two processes work on the file, and the second one outlives the first.
        let mut writers: Vec<_> = (0..1 + done % 2).map(|_| Writer::start(&path)).collect();
        while let Some(mut writer) = writers.pop() {
            // One in five is killed while it opens the file.
            let so_far = writer.acknowledged.len() as u64;
            writer.until(so_far + random.below(5).min(1) * random.below(40));
            random.dawdle();
            acknowledged.extend(writer.kill());
            done += 1;
        }
        under_way += check(&path, &acknowledged).await;
    }
    // Otherwise no kill has hit a transfer on its way, and the test has shown less than it says.
    assert!(under_way > 0, "no transfer was ever under way at a kill");
    println!("{kills} kills, {} acknowledgements, {under_way} transfers cut short", acknowledged.len());
}

/// Looks at what a kill has left, then lets the application finish it. Returns how many transfers were under
/// way.
async fn check(path: &Path, acknowledged: &HashSet<String>) -> usize {
    let store = SqliteStore::open(path).await.unwrap();
    let left = Ledger::of(&log(&store).await);
    left.check(acknowledged);
    assert_read_models(&store, &log(&store).await).await;
    store.close().await;

    let coins = Coins::open(path).await.unwrap();
    assert_eq!(coins.settle().await.unwrap(), Consistency::Reached);
    coins.close().await;

    let store = SqliteStore::open(path).await.unwrap();
    let events = log(&store).await;
    let finished = Ledger::of(&events);
    finished.check(acknowledged);
    assert!(finished.under_way.is_empty(), "left under way: {:?}", finished.under_way);
    let at = assert_read_models(&store, &events).await;
    assert_eq!(at, events.last().map_or(Position::ZERO, |event| event.position));
    store.close().await;
    left.under_way.len()
}

async fn log(store: &SqliteStore) -> Vec<RecordedEvent<AccountEvent>> {
    let mut events: Vec<RecordedEvent<AccountEvent>> = Vec::new();
    loop {
        let after = events.last().map_or(Position::ZERO, |event| event.position);
        let page = store.read_log(after, &EventFilter::all(), 1_000).await.unwrap();
        if page.events.is_empty() {
            return events;
        }
        events.extend(RecordedEvent::decode_all(page.events).unwrap());
    }
}

/// What the log adds up to.
#[derive(Default)]
struct Ledger {
    mined: i64,
    balances: BTreeMap<String, i64>,
    under_way: HashMap<TransferId, i64>,
    said: HashSet<String>,
}

impl Ledger {
    /// Adds up, and checks on the way what must hold after each event.
    fn of(events: &[RecordedEvent<AccountEvent>]) -> Self {
        let mut ledger = Self::default();
        let mut versions = HashMap::new();
        for (position, event) in (1..).zip(events) {
            assert_eq!(event.position, Position::new(position), "positions are dense");
            let version: &mut u64 = versions.entry(event.stream.clone()).or_default();
            *version += 1;
            assert_eq!(event.version.as_u64(), *version, "stream {} is gapless", event.stream);
            ledger.take(&event.data);
            let held: i64 = ledger.balances.values().chain(ledger.under_way.values()).sum();
            assert_eq!(ledger.mined, held, "coins are conserved at position {position}");
        }
        ledger
    }

    fn take(&mut self, event: &AccountEvent) {
        let mut change = |account: &AccountId, coins: i64| {
            let balance = self.balances.entry(account.to_string()).or_default();
            *balance += coins;
            assert!(*balance >= 0, "{account} has {balance}");
        };
        match event {
            AccountEvent::CoinMined { account_id, nonce } => {
                change(account_id, 1);
                self.mined += 1;
                assert!(self.said.insert(format!("mined {account_id}/{nonce}")), "a nonce is used once");
            }
            AccountEvent::CoinsSent { account_id, amount, transfer_id, .. } => {
                let coins = amount.as_u64() as i64;
                change(account_id, -coins);
                assert_eq!(self.under_way.insert(*transfer_id, coins), None, "a transfer is sent once");
            }
            AccountEvent::CoinsReceived { account_id, amount, transfer_id, .. } => {
                let coins = amount.as_u64() as i64;
                change(account_id, coins);
                assert_eq!(self.under_way.remove(transfer_id), Some(coins), "a transfer arrives once");
                self.said.insert(format!("sent {transfer_id}"));
            }
        }
    }

    fn check(&self, acknowledged: &HashSet<String>) {
        let lost: Vec<_> = acknowledged.difference(&self.said).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }
}

/// Each read model is the fold of the log up to its checkpoint. Returns the lowest checkpoint.
async fn assert_read_models(store: &SqliteStore, events: &[RecordedEvent<AccountEvent>]) -> Position {
    let (at, found) =
        read_model(store, "account-balances", "SELECT account_id, balance FROM coins_accounts").await;
    let found: BTreeMap<String, i64> = found.into_iter().collect();
    assert_eq!(found, Ledger::of(&events[..at]).balances, "balances at {at}");
    let mut lowest = at;

    let sql = "SELECT account_id, version, balance FROM coins_statements ORDER BY position";
    let (at, found) = read_model::<(String, i64, i64)>(store, "account-statements", sql).await;
    assert_eq!(found, statements(&events[..at]), "statements at {at}");
    lowest = lowest.min(at);

    let sql =
        "SELECT transfer_id, sender, amount, arrived_at IS NOT NULL FROM coins_transfers ORDER BY position";
    let (at, found) = read_model::<(String, String, i64, bool)>(store, "transfers", sql).await;
    assert_eq!(found, transfers(&events[..at]), "transfers at {at}");
    Position::new(lowest.min(at) as u64)
}

/// How far a projection is, and what its table has. Both are empty before its first setup.
async fn read_model<T>(store: &SqliteStore, projection: &str, table: &'static str) -> (usize, Vec<T>)
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let pool = store.read_model().reader().clone();
    let at: Option<i64> = sqlx::query_scalar("SELECT position FROM projections WHERE name = ?")
        .bind(projection)
        .fetch_optional(&pool)
        .await
        .unwrap();
    match at {
        Some(at) => (at as usize, sqlx::query_as(table).fetch_all(&pool).await.unwrap()),
        None => (0, Vec::new()),
    }
}

fn statements(events: &[RecordedEvent<AccountEvent>]) -> Vec<(String, i64, i64)> {
    let mut ledger = Ledger::default();
    let line = |event: &RecordedEvent<AccountEvent>| {
        ledger.take(&event.data);
        let account = event.data.account_id().to_string();
        let balance = ledger.balances[&account];
        (account, event.version.as_u64() as i64, balance)
    };
    events.iter().map(line).collect()
}

fn transfers(events: &[RecordedEvent<AccountEvent>]) -> Vec<(String, String, i64, bool)> {
    let mut transfers = Vec::new();
    for event in events {
        match &event.data {
            AccountEvent::CoinMined { .. } => {}
            AccountEvent::CoinsSent { account_id, amount, transfer_id, .. } => {
                transfers.push((
                    transfer_id.to_string(),
                    account_id.to_string(),
                    amount.as_u64() as i64,
                    false,
                ));
            }
            AccountEvent::CoinsReceived { transfer_id, .. } => {
                let id = transfer_id.to_string();
                let transfer = transfers.iter_mut().find(|transfer| transfer.0 == id);
                transfer.expect("what arrives was sent").3 = true;
            }
        }
    }
    transfers
}
