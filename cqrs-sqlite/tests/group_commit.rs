//! A process with 256 clients is killed at random moments: whatever it had acknowledged is on the disk, with the
//! position and the version that were told, and no commit is there in part.
//!
//! `GROUP_SEED` reruns the moments of one run, `GROUP_KILLS` says how often to kill.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{everything, place};
use cqrs_core::{
    Aggregate, App, Command, CommandId, Event, EventId, EventStore, Handle, Position, RecordedEvent,
};
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const FILE: &str = "GROUP_FILE";
const CLIENTS: u64 = 256;
/// Few enough that turns have several commands, many enough that commits have several turns.
const COUNTERS: u64 = 64;

#[derive(Default)]
struct Counter {
    last: u64,
}

#[derive(Serialize, Deserialize)]
enum CounterEvent {
    Counted { number: u64 },
}

impl Event for CounterEvent {
    const CATEGORY: &'static str = "counter";
}

impl Aggregate for Counter {
    type Id = u64;
    type Event = CounterEvent;

    fn apply(&mut self, event: &CounterEvent) {
        let CounterEvent::Counted { number } = event;
        self.last = *number;
    }
}

#[derive(Serialize, Deserialize)]
struct Count {
    counter: u64,
}

impl Command for Count {
    const NAME: &'static str = "Count";
    type Aggregate = Counter;

    fn aggregate_id(&self) -> &u64 {
        &self.counter
    }
}

impl Handle<Count> for Counter {
    type Error = Infallible;

    fn handle(&self, _: &Count) -> Result<Vec<CounterEvent>, Infallible> {
        Ok(vec![CounterEvent::Counted { number: self.last + 1 }])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other test kills"]
async fn writer() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let app = App::builder(SqliteStore::open(path).await.unwrap()).start().await.unwrap();
    let clients = (0..CLIENTS).map(|client| tokio::spawn(client_of(app.clone(), client)));
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// Counts for ever, and says so after each answer. Half of the clients want receipts.
async fn client_of(app: App, client: u64) {
    for round in 0.. {
        let id = CommandId::new(Uuid::now_v7());
        let counter = (client + round) % COUNTERS;
        let dispatch = app.dispatch(Count { counter });
        let dispatch = if client.is_multiple_of(2) { dispatch.command_id(id) } else { dispatch };
        let told = dispatch.await.unwrap();
        println!("ack {counter} {} {} {} .", told.version, told.position, told.command_id);
    }
}

/// What a writer said of a command.
struct Told {
    counter: u64,
    version: u64,
    position: u64,
    command: CommandId,
}

impl Told {
    /// Reads a line; one that was cut short was not said.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let ["ack", counter, version, position, command, "."] = words[..] else { return None };
        let number = |word: &str| word.parse().unwrap();
        let command = command.parse().unwrap();
        Some(Self {
            counter: number(counter),
            version: number(version),
            position: number(position),
            command,
        })
    }
}

/// Starts a writer, kills it after so many acknowledgements, and returns all that it had said by then.
fn run_and_kill(path: &Path, acknowledgements: usize) -> Vec<Told> {
    let mut writer = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told: Vec<_> =
        lines.by_ref().filter_map(|line| Told::read(&line)).take(acknowledgements).collect();
    writer.kill().unwrap();
    writer.wait().unwrap();
    told.extend(lines.filter_map(|line| Told::read(&line)));
    told
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_256_clients_a_store_has_all_that_was_acknowledged() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("GROUP_SEED", now.as_micros() as u64);
    let kills = setting("GROUP_KILLS", 6);
    println!("rerun with GROUP_SEED={seed} GROUP_KILLS={kills}");
    let (_directory, path) = place();
    let mut known = 0;
    for round in 0..kills {
        // Spread over beginnings, warm-up and full speed.
        let acknowledgements = (seed.rotate_left(round as u32 * 7) % 3_000) as usize + 1;
        let told = run_and_kill(&path, acknowledgements);
        assert!(told.len() >= acknowledgements);
        let store = SqliteStore::open(&path).await.unwrap();
        let log = everything(&store).await;
        check_log(&log);
        assert!(log.len() >= known + told.len());
        known = log.len();
        check_acknowledged(&store, &log, &told).await;
        store.close().await;
    }
}

/// Positions are dense, and each counter has counted 1, 2, 3 …: nothing is there twice, or on a state that was not
/// committed.
fn check_log(log: &[RecordedEvent]) {
    let mut counters = HashMap::new();
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position, Position::new(position));
        let last = counters.entry(event.stream.clone()).or_insert(0_u64);
        *last += 1;
        assert_eq!(event.version.as_u64(), *last);
        assert_eq!(event.data.as_str(), format!(r#"{{"number":{last}}}"#));
    }
}

async fn check_acknowledged(store: &SqliteStore, log: &[RecordedEvent], told: &[Told]) {
    for told in told {
        let event = &log[told.position as usize - 1];
        assert_eq!(event.stream.key(), told.counter.to_string());
        assert_eq!(event.version.as_u64(), told.version);
        assert_eq!(event.id, EventId::derive(told.command, 0));
    }
    let commands: Vec<_> = told.iter().map(|told| told.command).collect();
    let found = store.receipts(&commands).await.unwrap();
    let mut receipts = 0;
    for (told, receipt) in told.iter().zip(found) {
        let Some(receipt) = receipt else { continue };
        receipts += 1;
        assert_eq!(receipt.position.as_u64(), told.position);
    }
    // Those of the even clients, which are about a half; the very first few may be of odd ones alone.
    assert!(receipts > 0 || told.len() < 100, "no receipts for {} commands", told.len());
}
