//! Two processes write to one file, and one after the other is killed in the midst of it. Whatever they had
//! acknowledged is there.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use cqrs_core::{EventFilter, EventStore, Position, RecordedEvent};
use own_store::OwnStore;

/// How many processes are killed.
const KILLS: usize = 20;

struct Writer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a writer said: a stream, and the version and the position that an append left.
type Acknowledged = (String, u64, u64);

impl Writer {
    fn start(path: &Path, name: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_writer"))
            .arg(path)
            .arg(name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    fn acknowledged(&mut self) -> Option<Acknowledged> {
        let line = self.lines.next()?.unwrap();
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap();
        Some((word().to_owned(), word().parse().unwrap(), word().parse().unwrap()))
    }

    /// The next so many acknowledgements of a writer that lives.
    fn take(&mut self, count: usize) -> Vec<Acknowledged> {
        (0..count).map(|_| self.acknowledged().expect("a writer does not end by itself")).collect()
    }

    /// Kills it with SIGKILL, and takes what it said before.
    fn kill(mut self) -> Vec<Acknowledged> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::iter::from_fn(|| self.acknowledged()).collect()
    }
}

async fn log(store: &OwnStore) -> Vec<RecordedEvent> {
    store.read_log(Position::ZERO, &EventFilter::all(), usize::MAX).await.unwrap().events
}

#[tokio::test]
async fn what_was_acknowledged_outlives_any_death() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.log");
    let mut acknowledged = Vec::new();
    let mut survivor = Writer::start(&path, "0");
    for kill in 1..=KILLS {
        let next = Writer::start(&path, &kill.to_string());
        let mut victim = std::mem::replace(&mut survivor, next);
        // Each dies at another place of its work.
        acknowledged.extend(victim.take(1 + kill * 7 % 16));
        acknowledged.extend(victim.kill());
        // The other one goes on, whatever the dead one has left.
        acknowledged.extend(survivor.take(2));
    }
    acknowledged.extend(survivor.kill());

    let store = OwnStore::open(&path).await.unwrap();
    let log = log(&store).await;
    let mut versions: HashMap<&str, u64> = HashMap::new();
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position.as_u64(), position, "positions are dense");
        let version = versions.entry(event.stream.as_str()).or_default();
        *version += 1;
        assert_eq!(event.version.as_u64(), *version, "the versions of {} are dense", event.stream);
    }
    for (stream, version, position) in &acknowledged {
        let found = log.get(*position as usize - 1).map(|it| (it.stream.as_str(), it.version.as_u64()));
        assert_eq!(found, Some((stream.as_str(), *version)), "what was acknowledged at {position}");
    }
    assert!(acknowledged.len() >= KILLS * 3, "only {} appends were acknowledged", acknowledged.len());
}
