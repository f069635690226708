//! A process with an event handler is killed at random moments: no event is skipped, and those of one key are handled in
//! order.
//!
//! `HANDLER_SEED` reruns the moments of one run, `HANDLER_KILLS` says how often to kill.
#![expect(clippy::unwrap_used, reason = "clippy lets only the tests themselves unwrap")]

mod common;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use common::{everything, place};
use cqrs_core::{
    Aggregate, App, BoxError, Command, Consistency, Event, EventHandler, EventPart, EventStore, Handle,
    HandlerOptions, HandlerStore, ParkedQuery, RecordedEvent,
};
use cqrs_sqlite::SqliteStore;
use serde::{Deserialize, Serialize};

const FILE: &str = "HANDLER_FILE";
const COUNTERS: u64 = 23;

#[derive(Default)]
struct Counter;

#[derive(Serialize, Deserialize)]
enum CounterEvent {
    Counted,
}

impl Event for CounterEvent {
    const CATEGORY: &'static str = "counter";
}

impl Aggregate for Counter {
    type Id = u64;
    type Event = CounterEvent;

    fn apply(&mut self, _: &CounterEvent) {}
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
        Ok(vec![CounterEvent::Counted])
    }
}

/// Writes each event into a file, which nothing takes back. One in seven fails at first.
struct Writer {
    file: File,
    moody: bool,
}

impl Writer {
    fn new(store: &Path, moody: bool) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(effects(store)).unwrap();
        Self { file, moody }
    }
}

fn effects(store: &Path) -> PathBuf {
    store.with_extension("effects")
}

#[async_trait]
impl EventHandler for Writer {
    const NAME: &'static str = "writer";
    type Event = CounterEvent;

    async fn handle(&self, event: &RecordedEvent<CounterEvent>) -> Result<(), BoxError> {
        // By the clock: an attempt may fail, and the next one not.
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
        tokio::time::sleep(Duration::from_micros(u64::from(now % 3_000))).await;
        if self.moody && now.is_multiple_of(7) {
            return Err("not in the mood".into());
        }
        let line = format!("{} {} .\n", event.stream.key(), event.version);
        (&self.file).write_all(line.as_bytes())?;
        println!("handled .");
        Ok(())
    }
}

fn options() -> HandlerOptions {
    let mut options = HandlerOptions::default();
    (options.in_flight, options.max_attempts) = (64, u32::MAX);
    options.first_retry = Duration::from_millis(2);
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other test kills"]
async fn handler() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    let store = SqliteStore::open(&path).await.unwrap();
    let builder = App::builder(store).event_handler_with(Writer::new(&path, true), options());
    let app = builder.start().await.unwrap();
    for n in 0.. {
        app.dispatch(Count { counter: n * n % COUNTERS }).await.unwrap();
    }
}

/// Starts a process, and kills it after it has handled so many events.
fn run_and_kill(path: &Path, events: usize) {
    let mut process = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "handler", "--ignored", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.filter(|line| line.ends_with("handled .")).take(events).count(), events);
    process.kill().unwrap();
    process.wait().unwrap();
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_a_handler_skips_nothing_and_keeps_the_order_of_each_key() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("HANDLER_SEED", now.as_micros() as u64);
    let kills = setting("HANDLER_KILLS", 10);
    println!("rerun with HANDLER_SEED={seed} HANDLER_KILLS={kills}");
    let (_directory, path) = place();
    for round in 0..kills {
        run_and_kill(&path, (seed.rotate_left(round as u32 * 7) % 400) as usize + 1);
    }
    let store = SqliteStore::open(&path).await.unwrap();
    let held = store.parked_events("writer", &ParkedQuery::All, EventPart::ZERO, 1_000).await.unwrap();
    println!("{} events are held back after the last kill", held.len());
    let builder = App::builder(store).event_handler_with(Writer::new(&path, false), options());
    let app = builder.start().await.unwrap();
    assert_eq!(app.settle().await.unwrap(), Consistency::Reached);
    app.shutdown().await;
    let store = SqliteStore::open(&path).await.unwrap();
    let mut last = BTreeMap::<String, u64>::new();
    for event in everything(&store).await {
        last.insert(event.stream.key().to_owned(), event.version.as_u64());
    }
    let handled = check_order(&std::fs::read_to_string(effects(&path)).unwrap(), &last);
    let events: u64 = last.values().sum();
    println!("{events} events were handled {handled} times");
    assert!(handled - events <= kills * 3 * 64, "more was repeated than was in flight");
    store.close().await;
}

/// Whatever is repeated is repeated from some event on, in order, and nothing is left out. Returns how many lines there
/// are.
fn check_order(effects: &str, last: &BTreeMap<String, u64>) -> u64 {
    let (mut next, mut count) = (BTreeMap::<String, u64>::new(), 0);
    for line in effects.lines() {
        // A line that was cut short by a kill was no effect.
        let [key, version, "."] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let version: u64 = version.parse().unwrap();
        let expected = next.entry(key.to_owned()).or_insert(1);
        assert!(version <= *expected, "version {version} of counter {key} before {expected}");
        *expected = version + 1;
        count += 1;
    }
    for (key, last) in last {
        assert_eq!(next.get(key), Some(&(last + 1)), "what comes after the last of counter {key}");
    }
    count
}
