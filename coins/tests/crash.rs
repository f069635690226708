//! A process that mines and sends is killed at random moments; whatever it had acknowledged is there, and not
//! one coin is lost or doubled.
//!
//! `CRASH_SEED` reruns the moments of one run, `CRASH_KILLS` says how often to kill.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/random.rs"]
mod random;
#[path = "common/read_models.rs"]
mod read_models;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Lines};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use coins::{AccountId, Coins};
use cqrs_core::{Consistency, EventStore, Position};
use cqrs_sqlite::SqliteStore;
use ledger::{Ledger, log};
use random::{Random, setting};
use read_models::assert_read_models;

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

/// Lets a random moment pass, up to some milliseconds.
fn dawdle(random: &mut Random) {
    for turn in 0..random.below(8_000_000) {
        std::hint::black_box(turn);
    }
}

#[tokio::test]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_and_no_coin_is_lost_or_doubled() {
    let mut random = Random::seeded_by("CRASH_SEED");
    let kills = setting("CRASH_KILLS", 60);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coins.db");
    let mut acknowledged = HashSet::new();
    let (mut done, mut under_way) = (0, 0);
    for round in 0.. {
        if done >= kills {
            break;
        }
        // Every other time two processes work on the file, and the second one outlives the first.
        let mut writers: Vec<_> = (0..1 + round % 2).map(|_| Writer::start(&path)).collect();
        while let Some(mut writer) = writers.pop() {
            // One in five is killed while it opens the file.
            let so_far = writer.acknowledged.len() as u64;
            writer.until(so_far + random.below(5).min(1) * random.below(40));
            dawdle(&mut random);
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
    assert_read_models([&store.read_model(); 3], &log(&store).await).await;
    store.close().await;

    let coins = Coins::open(path).await.unwrap();
    assert_eq!(coins.settle().await.unwrap(), Consistency::Reached);
    coins.close().await;

    let store = SqliteStore::open(path).await.unwrap();
    let events = log(&store).await;
    let finished = Ledger::of(&events);
    finished.check(acknowledged);
    assert!(finished.under_way.is_empty(), "left under way: {:?}", finished.under_way);
    let at = assert_read_models([&store.read_model(); 3], &events).await;
    assert_eq!(at, events.last().map_or(Position::ZERO, |event| event.position));
    store.close().await;
    left.under_way.len()
}
